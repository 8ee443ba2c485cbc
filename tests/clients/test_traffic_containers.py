"""What containers reach, and what they do not, seen from inside of them."""

import json
import time
from typing import Any

import pytest

from tests.kit.clients import Fleet

pytestmark = pytest.mark.docker

# A refusal comes at once; silence would last as long as the probe's patience of five seconds.
AT_ONCE = 3.0


def failed(result: Any) -> bool:
    return isinstance(result, dict) and "failed" in result


@pytest.mark.documented
def test_short_names_are_found_by_the_search_list(fleet: Fleet):
    full, short, hashed = fleet.check(
        ["resolve", f"twins.{fleet.domain}"],
        ["resolve", "twins"],
        ["resolve", "twins." + fleet.domain.split(".")[0]],
    )
    assert len(full) == 1
    assert full == short == hashed


@pytest.mark.documented
def test_older_names_are_found_with_and_without_the_database(fleet: Fleet):
    full, schema = fleet.check(
        ["resolve", "twins.data-schema.tutorial-db.snowflakecomputing.internal"],
        ["resolve", "twins.data-schema"],
    )
    assert full == schema
    assert len(full) == 1


@pytest.mark.documented
def test_instances_has_two_addresses_inside_too(fleet: Fleet):
    (found,) = fleet.check(["resolve", f"instances.twins.{fleet.domain}"])
    assert found == fleet.addresses("twins")
    assert len(found) == 2


@pytest.mark.ours
def test_resolv_conf_lists_both_forms_of_names(fleet: Fleet):
    (text,) = fleet.check(["read", "/etc/resolv.conf"])
    (search,) = [line for line in text.splitlines() if line.startswith("search")]
    assert search.split()[1:] == [
        fleet.domain,
        "svc.spcs.internal",
        "spcs.internal",
        "data-schema.tutorial-db.snowflakecomputing.internal",
        "tutorial-db.snowflakecomputing.internal",
    ]
    assert f"nameserver {fleet.cave.mesh.plan.dns_address}" in text


@pytest.mark.documented
def test_both_instances_answer_behind_the_service_address(fleet: Fleet):
    answers = fleet.check(*[["http", "http://twins:8000/whoami"]] * 40)
    assert all(answer["status"] == 200 for answer in answers), answers
    # Forty times the same instance of two: once in 2^39 runs.
    assert {json.loads(a["body"])["address"] for a in answers} == set(fleet.addresses("twins"))


@pytest.mark.documented
def test_an_instance_is_reached_by_its_own_address(fleet: Fleet):
    answers = fleet.check(
        *(["http", f"http://{address}:8000/"] for address in fleet.addresses("twins"))
    )
    assert [answer["status"] for answer in answers] == [200, 200]


@pytest.mark.documented
def test_another_roles_service_is_refused(fleet: Fleet):
    """Its name is known to everybody, its endpoint only to roles that hold its service role."""
    address, refused = fleet.check(["resolve", "stranger"], ["connect", "stranger", 8000])
    assert len(address) == 1
    assert failed(refused), refused


@pytest.mark.documented
def test_an_undeclared_port_is_refused_by_name_and_by_address(fleet: Fleet):
    own = fleet.addresses("probe")[0]
    twin = fleet.addresses("twins")[0]
    answers = fleet.check(
        ["connect", "probe", 9100],
        ["connect", "twins", 8001],
        ["connect", twin, 8001],
        ["connect", twin, 22],
        # Its own instance's address is its own.
        ["connect", own, 9100],
    )
    assert [failed(answer) for answer in answers] == [True, True, True, True, False], answers


@pytest.mark.ours
def test_a_refusal_comes_at_once(fleet: Fleet):
    began = time.monotonic()
    (answer,) = fleet.check(["connect", "stranger", 8000])
    assert answer["failed"] == "ConnectionRefusedError", answer
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.documented
def test_containers_of_an_instance_share_localhost(fleet: Fleet):
    side, inner, name = fleet.check(
        ["http", "http://localhost:9100/whoami"],
        ["http", "http://127.0.0.1:9000/whoami"],
        ["read", "/etc/hostname"],
    )
    assert side["status"] == inner["status"] == 200
    assert {json.loads(one["body"])["hostname"] for one in (side, inner)} == {name.strip()}


@pytest.mark.documented
def test_the_world_is_closed(fleet: Fleet):
    mesh = fleet.cave.mesh
    answers = fleet.check(
        ["connect", "198.51.100.1", 443],
        ["connect", mesh.plan.machine, mesh.port("registry")],
        ["connect", mesh.plan.machine, 22],
    )
    assert all(failed(answer) for answer in answers), answers


@pytest.mark.documented
def test_the_environment_tells_who_and_where(fleet: Fleet):
    (environment,) = fleet.check(["environment"])
    expected = {
        "SNOWFLAKE_ACCOUNT": fleet.cave.mesh.account,
        "SNOWFLAKE_DATABASE": "TUTORIAL_DB",
        "SNOWFLAKE_SCHEMA": "DATA_SCHEMA",
        "SNOWFLAKE_SERVICE_NAME": "PROBE",
    }
    assert {key: environment.get(key) for key in expected} == expected
    assert environment["SNOWFLAKE_HOST"]


@pytest.mark.documented
def test_the_host_of_the_api_answers_inside(fleet: Fleet):
    (environment,) = fleet.check(["environment"])
    (answer,) = fleet.check(["connect", environment["SNOWFLAKE_HOST"], 443])
    assert not failed(answer), answer
