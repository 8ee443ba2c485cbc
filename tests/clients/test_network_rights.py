"""Who may reach whom, as grants and integrations change under running containers."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from tests.kit.clients import IMAGE, Fleet, status
from tests.kit.fabric_world import World, a_world
from tests.kit.mesh import until

pytestmark = pytest.mark.docker

OPEN, SHUT = 8443, 9443
ROLE = "stranger!all_endpoints_usage"


def failed(result: Any) -> bool:
    return isinstance(result, dict) and "failed" in result


def reaches(fleet: Fleet, host: str, port: int) -> bool:
    (answer,) = fleet.check(["connect", host, port])
    return not failed(answer)


def becomes(fleet: Fleet, host: str, port: int, *, open_: bool) -> None:
    until(lambda: reaches(fleet, host, port) is open_)


@pytest.mark.documented
def test_a_service_role_opens_another_roles_service_and_its_revoke_ends_connections(
    fleet: Fleet, others: Any
):
    assert not reaches(fleet, "stranger", 8000)
    others.cursor().execute(f"GRANT SERVICE ROLE {ROLE} TO ROLE test_role")
    try:
        becomes(fleet, "stranger", 8000, open_=True)
        opened, used = fleet.check(["open", "kept", "stranger", 8000], ["use", "kept"])
        assert (opened, used) == (True, 200)
        # The port that nobody declared stays closed.
        assert not reaches(fleet, "stranger", 8001)
    finally:
        others.cursor().execute(f"REVOKE SERVICE ROLE {ROLE} FROM ROLE test_role")
    until(lambda: failed(fleet.check(["use", "kept"])[0]))
    becomes(fleet, "stranger", 8000, open_=False)


def job_status(fleet: Fleet, name: str) -> str:
    """Of a job that connects to STRANGER, once it has ended."""
    program = "import socket; socket.create_connection(('stranger', 8000), 5)"
    spec = (
        f"spec:\n  containers:\n  - name: main\n    image: /{IMAGE}\n"
        f'    command: ["/usr/bin/python3", "-c", "{program}"]\n'
    )
    fleet.session.cursor().execute(
        f"EXECUTE JOB SERVICE IN COMPUTE POOL wide_pool NAME = {name} ASYNC = TRUE "
        f"FROM SPECIFICATION $$\n{spec}$$"
    )
    until(lambda: status(fleet.session, name) in ("DONE", "FAILED"))
    return status(fleet.session, name)


@pytest.mark.documented
def test_a_job_calls_as_its_owner_may(fleet: Fleet, others: Any):
    assert job_status(fleet, "refused_caller") == "FAILED"
    others.cursor().execute(f"GRANT SERVICE ROLE {ROLE} TO ROLE test_role")
    try:
        becomes(fleet, "stranger", 8000, open_=True)
        assert job_status(fleet, "let_in_caller") == "DONE"
    finally:
        others.cursor().execute(f"REVOKE SERVICE ROLE {ROLE} FROM ROLE test_role")
    becomes(fleet, "stranger", 8000, open_=False)


@pytest.fixture(scope="module")
def world() -> Generator[World]:
    with asyncio.Runner() as runner:
        outside = a_world((OPEN, SHUT))
        yield runner.run(outside.__aenter__())
        runner.run(outside.__aexit__(None, None, None))


@pytest.fixture
def integration(fleet: Fleet, world: World) -> Generator[str]:
    """That lets TEST_ROLE's services out to one port of the world's first address."""
    place = "tutorial_db.data_schema"
    with fleet.cave.connect() as admin:
        for statement in (
            f"CREATE NETWORK RULE {place}.to_world TYPE = HOST_PORT MODE = EGRESS "
            f"VALUE_LIST = ('{world.addresses[0]}:{OPEN}')",
            "CREATE EXTERNAL ACCESS INTEGRATION to_world "
            f"ALLOWED_NETWORK_RULES = ({place}.to_world) ENABLED = TRUE",
            "GRANT USAGE ON INTEGRATION to_world TO ROLE test_role",
        ):
            admin.cursor().execute(statement)
        yield "TO_WORLD"
        admin.cursor().execute("DROP INTEGRATION to_world")
        admin.cursor().execute(f"DROP NETWORK RULE {place}.to_world")


@pytest.mark.documented
def test_an_integration_lets_a_running_service_out_to_its_hosts_and_ports_alone(
    fleet: Fleet, world: World, integration: str
):
    first, second = world.addresses
    assert not reaches(fleet, first, OPEN)
    execute = fleet.session.cursor().execute
    execute(f"ALTER SERVICE probe SET EXTERNAL_ACCESS_INTEGRATIONS = ({integration})")
    try:
        becomes(fleet, first, OPEN, open_=True)
        assert [reaches(fleet, first, SHUT), reaches(fleet, second, OPEN)] == [False, False]
        with fleet.cave.connect() as admin:
            admin.cursor().execute(f"ALTER INTEGRATION {integration} SET ENABLED = FALSE")
        becomes(fleet, first, OPEN, open_=False)
    finally:
        execute("ALTER SERVICE probe UNSET EXTERNAL_ACCESS_INTEGRATIONS")
