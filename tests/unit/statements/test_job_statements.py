"""EXECUTE JOB SERVICE: what it writes, what it refuses, and how waiting for a job ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import Done, QueryHandle
from snowcave.api.retention import JobRetention
from snowcave.api.statements.jobs import has_ended
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    JobFailed,
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    ServiceNotReached,
    SnowcaveError,
    SpecInvalid,
    ValueInvalid,
)
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

POOL = "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS"
SPEC = "spec: {container: [{name: main, image: /d/public/r/echo}]}"
PATIENCE = 10.0


def job(clauses: str = "NAME=j", spec: str = SPEC) -> str:
    return f"EXECUTE JOB SERVICE IN COMPUTE POOL p {clauses} FROM SPECIFICATION $${spec}$$"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", POOL, "CREATE IMAGE REPOSITORY r")
        opened.registry.push("d/public/r/echo:latest")
        yield opened


def row(status: str, number: int = 0, message: str = "", node: str = "n1") -> state.InstanceStatus:
    contained = {"SUCCEEDED": "DONE", "FAILED": "FAILED"}.get(status, "READY")
    container = state.ContainerStatus(name="main", status=contained, message=message)
    return state.InstanceStatus(
        instance_id=number, node=node, status=status, containers=[container]
    )


def told(status: str, *rows: state.InstanceStatus) -> state.ServiceStatus:
    return state.ServiceStatus(status=status, instances=rows)


def found(account: Account, name: str = "J") -> state.Object | None:
    return next((one for one in account.catalog.all("service") if one.name == name), None)


@asynccontextmanager
async def waiting(account: Account, sql: str) -> AsyncGenerator[asyncio.Task[Done]]:
    """The statement runs, and its job is in the catalog."""

    async def run() -> Done:
        done = await account.runner.run(sql, account.context, QueryHandle("q"))
        assert isinstance(done, Done)
        return done

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run())
        await account.catalog.mirrors.objects.wait(lambda _: found(account) is not None)
        yield task


# ---------------------------------------------------------------- what is written


async def test_an_asynchronous_job_is_started_and_not_waited_for(account: Account) -> None:
    rows = await account.sql(job("NAME=j ASYNC=TRUE REPLICAS=3 QUERY_WAREHOUSE=wh COMMENT='c'"))
    assert rows == [{"status": "Started Snowpark Container Services Job 'J'."}]
    made = found(account)
    assert made is not None
    assert made.comment == "c"
    body = made.service
    assert (body.is_job, body.is_async_job, body.replicas) == (True, True, 3)
    assert (body.query_warehouse, len(body.spec.containers)) == ("WH", 1)


async def test_a_job_without_a_name_is_named_after_its_query(account: Account) -> None:
    handle = QueryHandle("01b2c3d4-0000-1111-2222-333344445555")
    await account.runner.run(job("ASYNC=TRUE"), account.context, handle)
    assert found(account, "JOB_01B2C3D4_0000_1111_2222_333344445555") is not None


async def test_jobs_are_listed_apart(account: Account) -> None:
    await account.sql(job("NAME=j ASYNC=TRUE"))
    await account.sql(f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$")
    (only,) = await account.sql("SHOW JOB SERVICES")
    assert (only["name"], only["is_async_job"]) == ("J", "true")
    (other,) = await account.sql("SHOW SERVICES EXCLUDE JOBS")
    assert other["name"] == "S"
    both = await account.sql("SHOW SERVICES")
    assert {one["name"]: one["is_job"] for one in both} == {"J": "true", "S": "false"}


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        (job("REPLICAS=0"), ValueInvalid),
        (job("EXTERNAL_ACCESS_INTEGRATIONS=(e)"), ObjectNotFound),
        (job('NAME="lower"'), ValueInvalid),
        (
            job("NAME=j", SPEC[:-1] + ", endpoints: [{name: e, port: 1, public: true}]}"),
            SpecInvalid,
        ),
        ("ALTER SERVICE known SUSPEND", ValueInvalid),
        (
            "CREATE FUNCTION f (x TEXT) RETURNS TEXT SERVICE=known ENDPOINT=e AS '/'",
            ValueInvalid,
        ),
        (job("NAME=known"), ObjectExists),
        ("SELECT SYSTEM$CANCEL_JOB('s')", ValueInvalid),
    ],
)
async def test_what_jobs_may_not_be(
    account: Account, sql: str, error: type[SnowcaveError]
) -> None:
    private = SPEC[:-1] + ", endpoints: [{name: e, port: 1}]}"
    await account.sql(
        job("NAME=known ASYNC=TRUE", private),
        f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
    )
    with pytest.raises(error):
        await account.sql(sql)


async def test_a_job_needs_the_same_privileges_as_a_service(account: Account) -> None:
    await account.sql("CREATE ROLE poor", "GRANT USAGE ON DATABASE d TO ROLE poor")
    await account.sql(
        "GRANT USAGE ON SCHEMA d.public TO ROLE poor", "GRANT ROLE poor TO USER admin"
    )
    context = account.session("ADMIN", "POOR")
    context.database, context.schema = "D", "PUBLIC"
    with pytest.raises(NotAuthorized):
        await account.sql(job("ASYNC=TRUE"), context=context)


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (told("PENDING"), False),
        (told("RUNNING", row("READY")), False),
        (told("DONE", row("SUCCEEDED")), True),
        (told("FAILED", row("FAILED"), row("READY", 1)), False),
        (told("FAILED", row("FAILED"), row("SUCCEEDED", 1)), True),
        (told("CANCELLING"), False),
        (told("CANCELLED"), True),
        (told("DELETING"), True),
    ],
)
def test_a_job_has_ended_when_nothing_of_it_runs(status: state.ServiceStatus, ended: bool) -> None:
    assert has_ended(status) == ended


async def test_a_synchronous_job_answers_when_it_is_done(account: Account) -> None:
    async with waiting(account, job()) as statement:
        await account.say("J", told("RUNNING", row("READY")))
        assert not statement.done()
        await account.say("J", told("DONE", row("SUCCEEDED")))
        done = await statement
    assert done.rows.rows == [("Job J completed successfully with status: DONE.",)]


async def test_a_failed_job_fails_its_statement_with_the_containers_words(
    account: Account,
) -> None:
    failed = told("FAILED", row("FAILED", message="User application error, check container logs"))
    expected = (
        "Job J failed with status: FAILED. "
        "container 'main': User application error, check container logs."
    )
    with pytest.raises(ExceptionGroup) as raised:
        async with waiting(account, job()):
            await account.say("J", failed)
    (error,) = raised.value.exceptions
    assert isinstance(error, JobFailed)
    assert error.message == expected


async def test_an_aborted_statement_calls_its_job_off(account: Account) -> None:
    async with waiting(account, job()) as statement:
        await account.say("J", told("RUNNING", row("READY")))
        statement.cancel()
    made = found(account)
    assert made is not None
    assert made.service.HasField("cancelled_on")


async def test_a_job_that_is_dropped_meanwhile_has_failed(account: Account) -> None:
    async def drop() -> None:
        async with waiting(account, job()):
            uid = next(one.uid for one in account.catalog.all("service"))
            await account.say("J", told("RUNNING", row("READY")))
            await account.sql("DROP SERVICE j")
            key = keys.SERVICE_STATUS.key(uid)
            await account.scheduler.put(key, told("DELETING").SerializeToString())

    with pytest.raises(ExceptionGroup) as raised:
        await drop()
    assert isinstance(raised.value.exceptions[0], JobFailed)


async def test_waiting_leaves_the_statements_place_to_others(account: Account) -> None:
    handle, entered = QueryHandle("q"), asyncio.Event()

    @asynccontextmanager
    async def aside() -> AsyncGenerator[None]:
        entered.set()
        yield

    handle.aside = aside
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        statement = tasks.create_task(account.runner.run(job(), account.context, handle))
        await entered.wait()
        await account.say("J", told("DONE", row("SUCCEEDED")))
        await statement


# ---------------------------------------------------------------- cancelling and waiting by name


async def test_a_job_can_be_cancelled_once(account: Account) -> None:
    await account.sql(job("NAME=j ASYNC=TRUE"))
    first = await account.sql("SELECT SYSTEM$CANCEL_JOB('j') AS s")
    assert first == [{"S": "Job J is being cancelled."}]
    made = found(account)
    assert made is not None
    moment = made.service.cancelled_on
    await account.sql("CALL SYSTEM$CANCEL_JOB('j')")
    again = found(account)
    assert again is not None
    assert again.service.cancelled_on == moment


async def test_a_job_that_has_ended_is_not_cancelled(account: Account) -> None:
    await account.sql(job("NAME=j ASYNC=TRUE"))
    await account.say("J", told("DONE", row("SUCCEEDED")))
    (answer,) = await account.sql("SELECT SYSTEM$CANCEL_JOB('j') AS s")
    assert answer["S"] == "Job J has already ended with status DONE."
    made = found(account)
    assert made is not None
    assert not made.service.HasField("cancelled_on")


async def test_waiting_for_a_status(account: Account) -> None:
    await account.sql(job("NAME=j ASYNC=TRUE"))
    with pytest.raises(ServiceNotReached, match="its status is PENDING"):
        await account.sql("CALL j!SPCS_WAIT_FOR('RUNNING', 0)")
    await account.say("J", told("DONE", row("SUCCEEDED")))
    (answer,) = await account.sql("CALL j!SPCS_WAIT_FOR('DONE', 10)")
    assert answer == {"SPCS_WAIT_FOR": "Service J has reached status DONE."}
    with pytest.raises(ServiceNotReached, match="its status is DONE"):
        await account.sql("CALL j!SPCS_WAIT_FOR('RUNNING', 3600)")
    with pytest.raises(ValueInvalid):
        await account.sql("CALL j!SPCS_WAIT_FOR('ASLEEP', 1)")


async def test_waiting_for_services(account: Account) -> None:
    await account.sql(f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$")
    await account.say("S", told("RUNNING", row("READY")))
    (answer,) = await account.sql("SELECT SYSTEM$WAIT_FOR_SERVICES(5, 's', 'd.public.s') AS w")
    assert answer == {"W": "All services are running."}


@pytest.mark.parametrize(
    "status",
    [
        state.ServiceStatus(status="RUNNING", is_upgrading=True),
        # The scheduler has not seen the new specification yet.
        state.ServiceStatus(
            status="RUNNING", instances=[state.InstanceStatus(status="READY", spec_digest="old")]
        ),
    ],
)
async def test_waiting_for_services_waits_for_their_upgrade(
    account: Account, status: state.ServiceStatus
) -> None:
    await account.sql(f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$")
    await account.say("S", status)
    with pytest.raises(ServiceNotReached, match="RUNNING, and it is upgrading"):
        await account.sql("SELECT SYSTEM$WAIT_FOR_SERVICES(0, 's')")


# ---------------------------------------------------------------- pools


async def test_a_pool_counts_the_jobs_that_run_and_may_go_with_those_that_have_ended(
    account: Account,
) -> None:
    await account.sql(job("NAME=j ASYNC=TRUE"))
    (pool,) = await account.sql("SHOW COMPUTE POOLS")
    assert (pool["num_services"], pool["num_jobs"]) == (0, 1)
    with pytest.raises(ValueInvalid, match="STOP ALL"):
        await account.sql("DROP COMPUTE POOL p")
    await account.say("J", told("DONE", row("SUCCEEDED")))
    (pool,) = await account.sql("SHOW COMPUTE POOLS")
    assert pool["num_jobs"] == 0
    await account.sql("DROP COMPUTE POOL p")
    assert found(account) is not None


async def test_stop_all_drops_services_and_cancels_jobs(account: Account) -> None:
    await account.sql(
        f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
        job("NAME=j ASYNC=TRUE"),
        job("NAME=over ASYNC=TRUE"),
    )
    await account.say("OVER", told("DONE", row("SUCCEEDED")))
    await account.sql("ALTER COMPUTE POOL p STOP ALL")
    assert found(account, "S") is None
    running, over = found(account), found(account, "OVER")
    assert running is not None
    assert over is not None
    assert running.service.HasField("cancelled_on")
    assert not over.service.HasField("cancelled_on")
    await account.sql("DROP COMPUTE POOL p")


# ---------------------------------------------------------------- retention


async def test_jobs_go_long_after_their_end_and_services_never(account: Account) -> None:
    await account.sql(
        job("NAME=j ASYNC=TRUE"),
        job("NAME=recent ASYNC=TRUE"),
        f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
    )
    now = LoopClock().now()
    for name, days in (("J", 31), ("RECENT", 29)):
        over = told("DONE", row("SUCCEEDED"))
        over.ended_on.FromDatetime(now - timedelta(days=days))
        await account.say(name, over)
    await account.say("S", told("RUNNING", row("READY")))
    retention = JobRetention(account.catalog, LoopClock(), keep=30 * 86400.0, every=1.0)
    await retention.once()
    left = {one.name for one in account.catalog.all("service")}
    assert left == {"RECENT", "S"}
    await account.sql(job("NAME=j ASYNC=TRUE"))
