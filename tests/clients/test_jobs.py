"""Jobs: run, waited for, called off; and what their containers do as their service."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector

from tests.kit.clients import (
    CONNECTOR_IMAGE,
    PLACE,
    containers,
    status,
    tutorial_session,
    wait_ready,
)
from tests.kit.mesh import Snowcave, rows, until

pytestmark = pytest.mark.docker

SETTLED = 60.0


@pytest.fixture(scope="session")
def jobs(tutorial: Snowcave, connector_image: str) -> Generator[Any]:
    """TEST_ROLE's session; an image with the connector is pushed, and JOB_POOL is there."""
    with tutorial.connect() as admin:
        cursor = admin.cursor()
        cursor.execute(
            "CREATE COMPUTE POOL job_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S"
        )
        cursor.execute("GRANT USAGE, MONITOR ON COMPUTE POOL job_pool TO ROLE test_role")
    with tutorial_session(tutorial) as connection:
        yield connection


def container(*arguments: str, name: str = "main", env: str = "") -> str:
    words = ", ".join(f'"{word}"' for word in arguments)
    return (
        f"  - name: {name}\n    image: /{CONNECTOR_IMAGE}\n"
        '    command: ["/usr/bin/python3", "/app/job.py"]\n'
        f"    args: [{words}]\n{env}"
    )


def job_sql(name: str, *listed: str, clauses: str = "") -> str:
    spec = "spec:\n  container:\n" + "".join(listed)
    return (
        f"EXECUTE JOB SERVICE IN COMPUTE POOL job_pool NAME={name} {clauses} "
        f"FROM SPECIFICATION $$\n{spec}$$"
    )


def run(session: Any, sql: str) -> str:
    (row,) = rows(session, sql)
    return row["status"]


def logs(session: Any, job: str, instance: int = 0, container: str = "main") -> list[str]:
    sql = f"SELECT SYSTEM$GET_SERVICE_LOGS('{job}', {instance}, '{container}') AS L"
    return rows(session, sql)[0]["L"].splitlines()


def failure(session: Any, sql: str) -> Any:
    with pytest.raises(snowflake.connector.errors.Error) as caught:
        session.cursor().execute(sql)
    return caught.value


@pytest.mark.documented
def test_tutorial_2_a_job_queries_back_and_writes_a_table(jobs: Any, tmp_path: Path):
    env = "    env:\n      WAREHOUSE: tutorial_warehouse\n"
    spec = "spec:\n  container:\n" + container("query", "SELECT 'hello'", "results", env=env)
    (tmp_path / "my_job_spec.yaml").write_text(spec)
    rows(
        jobs,
        f"PUT file://{tmp_path}/my_job_spec.yaml @tutorial_stage "
        "AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
    )
    answer = run(
        jobs,
        "EXECUTE JOB SERVICE IN COMPUTE POOL job_pool NAME=tutorial_2_job "
        "FROM @tutorial_stage SPEC='my_job_spec.yaml'",
    )
    assert answer == "Job TUTORIAL_2_JOB completed successfully with status: DONE."
    assert [row["TEXT"] for row in rows(jobs, "SELECT * FROM results")] == ["hello"]
    (only,) = containers(jobs, "tutorial_2_job")
    assert (only["status"], only["message"]) == ("DONE", "Completed successfully")
    assert only["restart_count"] == 0
    lines = logs(jobs, "tutorial_2_job")
    assert lines[0] == "job-tutorial - Job started"
    assert lines[1].endswith(
        'database="TUTORIAL_DB", schema="DATA_SCHEMA", '
        'warehouse="TUTORIAL_WAREHOUSE", role="TEST_ROLE"'
    )
    assert lines[2].startswith("job-tutorial - Executing query [SELECT 'hello'] and writing")
    assert lines[-2:] == ["job-tutorial - I am TUTORIAL_2_JOB", "job-tutorial - Job finished"]


@pytest.mark.documented
def test_the_query_warehouse_is_the_default_of_the_containers_sessions(jobs: Any):
    sql = job_sql(
        "with_warehouse",
        container("query", "SELECT 'again'", "results2"),
        clauses="QUERY_WAREHOUSE=tutorial_warehouse",
    )
    run(jobs, sql)
    assert 'warehouse="TUTORIAL_WAREHOUSE"' in logs(jobs, "with_warehouse")[1]


@pytest.mark.documented
def test_tutorial_3_a_job_calls_a_service(jobs: Any):
    jobs.cursor().execute(
        "CREATE SERVICE job_echo IN COMPUTE POOL job_pool FROM SPECIFICATION $$\nspec:\n"
        f"  containers:\n  - name: echo\n    image: /{CONNECTOR_IMAGE}\n"
        '    command: ["/usr/bin/python3", "/app/echo_service.py"]\n'
        "    env:\n      SERVER_PORT: 8000\n      CHARACTER_NAME: Bob\n"
        "    readinessProbe:\n      port: 8000\n      path: /healthcheck\n"
        "  endpoints:\n  - name: echoendpoint\n    port: 8000\n$$"
    )
    wait_ready(jobs, "job_echo")
    url = "http://job-echo:8000/echo"
    run(jobs, job_sql("tutorial_3_job", container("call", url, "Hello")))
    asked, heard = logs(jobs, "tutorial_3_job")
    assert asked == f"job-tutorial - Calling {url} with input Hello"
    assert heard.endswith("Bob said Hello")
    jobs.cursor().execute("DROP SERVICE job_echo")


@pytest.mark.documented
def test_replicas_know_their_index_and_the_job_ends_with_the_last(jobs: Any):
    answer = run(jobs, job_sql("replicated", container("place"), clauses="REPLICAS=3"))
    assert answer == "Job REPLICATED completed successfully with status: DONE."
    said = [logs(jobs, "replicated", number) for number in range(3)]
    assert said == [[f"job-tutorial - {number} of 3"] for number in range(3)]
    (shown,) = rows(jobs, "SHOW JOB SERVICES LIKE 'REPLICATED'")
    assert (shown["status"], shown["target_instances"]) == ("DONE", 3)
    assert "REPLICATED" not in {row["name"] for row in rows(jobs, "SHOW SERVICES EXCLUDE JOBS")}


@pytest.mark.ours
def test_a_failed_job_fails_its_statement_and_is_not_run_again(jobs: Any):
    two = (container("fail"), container("place", name="side"))
    error = failure(jobs, job_sql("failing", *two))
    assert error.errno == 395092
    assert "Job FAILING failed with status: FAILED." in error.msg
    assert "'main': User application error, check container logs" in error.msg
    shown = {row["container_name"]: row for row in containers(jobs, "failing")}
    assert (shown["main"]["status"], shown["side"]["status"]) == ("FAILED", "DONE")
    assert (shown["main"]["last_exit_code"], shown["main"]["restart_count"]) == (4, 0)


@pytest.mark.documented
def test_an_asynchronous_job_runs_on_and_can_be_cancelled(jobs: Any):
    answer = run(jobs, job_sql("waiting_job", container("wait"), clauses="ASYNC=TRUE"))
    assert answer == "Started Snowpark Container Services Job 'WAITING_JOB'."
    until(lambda: status(jobs, "waiting_job") == "RUNNING", SETTLED)
    until(lambda: logs(jobs, "waiting_job") == ["job-tutorial - waiting"], SETTLED)
    rows(jobs, "SELECT SYSTEM$CANCEL_JOB('waiting_job')")
    rows(jobs, "CALL waiting_job!SPCS_WAIT_FOR('CANCELLED', 60)")
    # Its node has forgotten it; the event table has not.
    expected = ["job-tutorial - waiting", "job-tutorial - told to end"]
    until(lambda: logs(jobs, "waiting_job") == expected, SETTLED)


@pytest.mark.documented
def test_a_statement_that_runs_out_of_time_takes_its_job_along(jobs: Any):
    with jobs.cursor() as cursor, pytest.raises(snowflake.connector.errors.Error) as caught:
        cursor.execute(
            job_sql("too_long", container("wait")),
            _statement_params={"STATEMENT_TIMEOUT_IN_SECONDS": 2},
        )
    assert caught.value.errno == 630
    until(lambda: status(jobs, "too_long") == "CANCELLED", SETTLED)


@pytest.mark.documented
def test_a_dropped_job_is_gone_with_its_containers_token(jobs: Any, tutorial: Snowcave):
    before = token_folders(tutorial)
    run(jobs, job_sql("dropped", container("wait"), clauses="ASYNC=TRUE"))
    # There are no logs to be asked for before there is a container.
    until(lambda: status(jobs, "dropped") == "RUNNING", SETTLED)
    # It listens for its end by now, and does not have to be killed after the grace.
    until(lambda: logs(jobs, "dropped") == ["job-tutorial - waiting"], SETTLED)
    (folder,) = token_folders(tutorial) - before
    token = (folder / "token").read_text()
    with login(tutorial, token) as connection:
        (me,) = rows(connection, "SELECT CURRENT_USER() AS U, CURRENT_ROLE() AS R")
        assert me == {"U": "DROPPED", "R": "TEST_ROLE"}
        jobs.cursor().execute("DROP SERVICE dropped")
        assert failure(connection, "SELECT 1").errno
    until(lambda: not folder.exists(), SETTLED)
    with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
        login(tutorial, token)
    assert caught.value.errno in (390303, 250001)


def login(cave: Snowcave, token: str) -> Any:
    return cave.connect(user="", password="", authenticator="oauth", token=token, **PLACE)


def token_folders(cave: Snowcave) -> set[Path]:
    """As the machine sees them; each belongs to one instance."""
    return {path.parent for path in cave.mesh.session_folder.glob("*/*/token")}
