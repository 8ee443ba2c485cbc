"""How containers end, in the words of the documents: by themselves, by a signal, by STOP ALL."""

from collections.abc import Generator
from typing import Any

import pytest

from snowcave.kit.clock import LoopClock
from tests.kit.clients import IMAGE, Fleet, containers, endpoint, service_sql, status
from tests.kit.mesh import Snowcave, rows, until

# A loaded machine brings the mesh up slowly, and a grace of 30 s is part of it.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def program(text: str) -> str:
    """A container whose shell runs this."""
    return (
        f"  - name: main\n    image: /{IMAGE}\n"
        f'    command: ["/usr/bin/python3", "-u", "-c"]\n    args: ["{text}"]\n'
        "    resources: {requests: {cpu: 0.1, memory: 32Mi}}\n"
    )


FAILS = "import time; print('before the end'); time.sleep(1); raise SystemExit(3)"
# Deaf to everything but SIGKILL: as process 1 it dies of no signal that it does not handle.
DEAF = "import time; print('up'); time.sleep(600)"


@pytest.fixture
def brief(tutorial: Snowcave, fleet: Fleet) -> Generator[Any]:
    """An administrator's session, and a pool that is emptied afterwards."""
    with tutorial.connect() as admin:
        admin.cursor().execute(
            "CREATE COMPUTE POOL ends_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS"
        )
        grant = "GRANT USAGE, MONITOR, OPERATE ON COMPUTE POOL ends_pool TO ROLE test_role"
        admin.cursor().execute(grant)
        try:
            yield admin
        finally:
            admin.cursor().execute("ALTER COMPUTE POOL ends_pool STOP ALL")
            admin.cursor().execute("DROP COMPUTE POOL ends_pool")


def in_pool(name: str, text: str) -> str:
    sql = service_sql(name, program(text), endpoint("web", 8000))
    return sql.replace("wide_pool", "ends_pool")


def logs(session: Any, service: str, *, previous: bool) -> str:
    sql = f"SELECT SYSTEM$GET_SERVICE_LOGS('{service}', 0, 'main', 100, {previous}) AS L"
    return rows(session, sql)[0]["L"]


@pytest.mark.documented
def test_a_program_that_fails_has_its_reason_its_code_and_the_logs_of_its_last_run(
    brief: Any, fleet: Fleet
):
    session = fleet.session
    session.cursor().execute(in_pool("falling", FAILS))
    words = "User application error, check container logs"
    until(lambda: containers(session, "falling")[0]["message"] == words, 90)
    until(lambda: int(containers(session, "falling")[0]["restart_count"]) >= 1, 60)
    (found,) = containers(session, "falling")
    assert int(found["last_exit_code"]) == 3
    assert "before the end" in until(lambda: logs(session, "falling", previous=True), 30)
    session.cursor().execute("DROP SERVICE falling")


@pytest.mark.documented
def test_stop_all_ends_services_and_jobs_deaf_ones_after_the_grace(
    brief: Any, fleet: Fleet, tutorial: Snowcave
):
    session = fleet.session
    session.cursor().execute(in_pool("deaf", DEAF))
    job = (
        "EXECUTE JOB SERVICE IN COMPUTE POOL ends_pool NAME=deaf_job ASYNC=TRUE "
        f"FROM SPECIFICATION $$\nspec:\n  containers:\n{program(DEAF)}$$"
    )
    session.cursor().execute(job)
    for name in ("deaf", "deaf_job"):
        until(lambda name=name: status(session, name) == "RUNNING", 90)
    began = LoopClock().now().timestamp()
    brief.cursor().execute("ALTER COMPUTE POOL ends_pool STOP ALL")
    until(lambda: status(session, "deaf_job") == "CANCELLED", 90)
    # What the engine saw: both killed, and not before the grace of 30 s was over.
    killed = until(lambda: two_killed(tutorial, began), 60)
    assert min(killed) - began >= 29
    assert "DEAF" not in {row["name"] for row in rows(session, "SHOW SERVICES")}


def two_killed(cave: Snowcave, since: float) -> list[float]:
    killed = [at for at, code in ends(cave, since) if code == "137"]
    return killed if len(killed) == 2 else []


def ends(cave: Snowcave, since: float) -> list[tuple[float, str]]:
    """When application containers have died since, and their exit codes."""
    told = cave.docker(
        *("events", "--since", f"{since:.0f}", "--until", f"{LoopClock().now().timestamp():.0f}"),
        *("--filter", "event=die", "--filter", f"label={cave.mesh.container_label}"),
        *("--format", "{{.TimeNano}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.name}}"),
    )
    found = [line.split() for line in told.splitlines()]
    return [(int(at) / 1e9, code) for at, code, name in found if "sandbox" not in name]
