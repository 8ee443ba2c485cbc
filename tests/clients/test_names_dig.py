"""Debian's dig against the names of services, from this machine."""

import re
from typing import Any

import pytest

from tests.kit.clients import Fleet, endpoint, probe_container, service_sql
from tests.kit.mesh import Snowcave, run, until

pytestmark = pytest.mark.docker

ADDRESS = re.compile(r"(\d+\.){3}\d+")


def dig(cave: Snowcave, name: str, *options: str) -> str:
    port = str(cave.mesh.port("dns"))
    return run("dig", "@127.0.0.1", "-p", port, "+time=2", "+tries=2", name, *options, timeout=20)


def short(cave: Snowcave, name: str, *options: str) -> list[str]:
    return sorted(dig(cave, name, "+short", *options).split())


def service_address(fleet: Fleet, service: str) -> str:
    (address,) = short(fleet.cave, f"{service}.{fleet.domain}")
    return address


@pytest.mark.documented
def test_a_services_name_is_its_service_address(fleet: Fleet):
    address = service_address(fleet, "twins")
    assert ADDRESS.fullmatch(address)
    assert address not in fleet.addresses("twins")


@pytest.mark.documented
def test_instances_answers_the_address_of_each_instance(fleet: Fleet):
    found = short(fleet.cave, f"instances.twins.{fleet.domain}")
    assert found == fleet.addresses("twins")
    assert len(found) == 2


@pytest.mark.documented
def test_show_services_names_what_dig_finds(fleet: Fleet):
    with fleet.session.cursor() as cursor:
        cursor.execute("DESC SERVICE twins")
        names = [column[0] for column in cursor.description]
        dns_name = cursor.fetchone()[names.index("dns_name")]
    assert short(fleet.cave, dns_name) == [service_address(fleet, "twins")]


@pytest.mark.documented
def test_the_older_name_answers_as_well(fleet: Fleet):
    older = "twins.data-schema.tutorial-db.snowflakecomputing.internal"
    assert short(fleet.cave, older) == [service_address(fleet, "twins")]


@pytest.mark.ours
def test_the_case_of_a_question_does_not_matter(fleet: Fleet):
    mixed = f"TwInS.{fleet.domain.upper()}"
    assert short(fleet.cave, mixed) == [service_address(fleet, "twins")]


@pytest.mark.ours
def test_tcp_answers_as_udp_does(fleet: Fleet):
    name = f"instances.twins.{fleet.domain}"
    assert short(fleet.cave, name, "+tcp") == short(fleet.cave, name, "+notcp")


@pytest.mark.ours
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_what_does_not_exist_is_nxdomain_with_the_zones_soa(fleet: Fleet, transport: str):
    answer = dig(fleet.cave, f"nobody.{fleet.domain}", transport)
    assert "status: NXDOMAIN" in answer
    assert re.search(r"spcs\.internal\.\s+\d+\s+IN\s+SOA\s", answer)


@pytest.mark.ours
def test_a_name_that_exists_has_no_data_of_other_types(fleet: Fleet):
    answer = dig(fleet.cave, f"twins.{fleet.domain}", "AAAA")
    assert "status: NOERROR" in answer
    assert "ANSWER: 0" in answer
    assert re.search(r"spcs\.internal\.\s+\d+\s+IN\s+SOA\s", answer)


@pytest.mark.documented
def test_the_nodes_of_a_pool_are_found_with_the_port_of_their_metrics(fleet: Fleet):
    discover = "discover.monitor.wide-pool.cp.spcs.internal"
    found = [line.split() for line in dig(fleet.cave, discover, "SRV", "+short").splitlines()]
    assert {port for _, _, port, _ in found} == {"9001"}
    targets = [short(fleet.cave, target) for _, _, _, target in found]
    assert sorted(address for (address,) in targets) == short(fleet.cave, discover)
    assert len(targets) == 2


@pytest.mark.ours
def test_a_dropped_service_loses_its_name(fleet: Fleet, session: Any):
    sql = service_sql("brief", probe_container(), endpoint("who", 8000))
    session.cursor().execute(sql)
    until(lambda: short(fleet.cave, f"brief.{fleet.domain}"), 20)
    session.cursor().execute("DROP SERVICE brief")
    until(lambda: "status: NXDOMAIN" in dig(fleet.cave, f"brief.{fleet.domain}"), 20)
