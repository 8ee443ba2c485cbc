"""Jobs: services that run once. EXECUTE JOB SERVICE, waiting for its end, and calling it off.

A job that is waited for ends with its statement: a statement that is aborted or runs out of time calls its
job off.
"""

import asyncio

import structlog

from snowcave.api.catalog.catalog import Moved
from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import ExecuteJob, Existing
from snowcave.api.statements.existing import create
from snowcave.api.statements.service_places import check_name, check_place
from snowcave.api.statements.services import set_external_access, specify, wake_pool
from snowcave.api.statements.work import Work
from snowcave.model.errors import JobFailed, SnowcaveError, SpecInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_MOST_REPLICAS = 1000
# Instances that will never run again.
_FINISHED = ("SUCCEEDED", "FAILED")
_ENDED = ("DONE", "CANCELLED", "DELETING", "DELETED", "INTERNAL_ERROR")
_FINE = ("", "Running", "Completed successfully", "Waiting to start")


async def execute_job(statement: ExecuteJob, work: Work) -> Rows:
    name = statement.name or ObjectName(default_name(work.query.query_id))
    schema = work.caller.holder(name)
    work.caller.need("CREATE SERVICE", schema.message)
    check_name(name.name)
    check_place(work, schema.message)
    pool = work.caller.find("compute_pool", ObjectName(statement.compute_pool))
    work.caller.need("USAGE", pool.message)
    made = work.new(name.name, schema.message.uid, statement.options.text("COMMENT"))
    made.service.compute_pool = pool.message.uid
    _apply(made.service, statement.options)
    set_external_access(work, made.service, statement.options)
    await specify(work, made, statement.source)
    _check_endpoints(made.service.spec)
    made.service.resumed_on.CopyFrom(made.created_on)
    change = Change()
    create(work, change, made, Existing.FAIL)
    change.stands(schema)
    wake_pool(work, change, pool)
    await work.catalog.commit(change)
    if made.service.is_async_job:
        return status(f"Started Snowpark Container Services Job '{made.name}'.")
    await _wait(work, made)
    return status(f"Job {made.name} completed successfully with status: DONE.")


def default_name(query_id: str) -> str:
    return "JOB_" + query_id.replace("-", "_").upper()


def _apply(job: state.Service, options: Options) -> None:
    replicas = options.integer("REPLICAS", 1)
    if not 1 <= replicas <= _MOST_REPLICAS:
        raise invalid_value(replicas, "REPLICAS")
    job.is_job = True
    job.is_async_job = options.boolean("ASYNC")
    job.replicas = job.min_instances = job.max_instances = job.min_ready_instances = replicas
    job.query_warehouse = str(options.object_name("QUERY_WAREHOUSE") or "")


def _check_endpoints(spec: state.ServiceSpec) -> None:
    for number, endpoint in enumerate(spec.endpoints):
        if endpoint.public:
            raise SpecInvalid(
                f"public endpoint '{endpoint.name}' at 'endpoints[{number}]': "
                "a job service cannot have public endpoints."
            )


# ---------------------------------------------------------------- the end


def has_ended(known: state.ServiceStatus) -> bool:
    """Nothing of the job runs any more, or will."""
    if known.status == "FAILED":
        return all(row.status in _FINISHED for row in known.instances)
    return known.status in _ENDED


async def _wait(work: Work, made: state.Object) -> None:
    """Until all its containers have exited. Raises JobFailed where it was not DONE."""
    statuses = work.catalog.mirrors.services
    known = state.ServiceStatus()

    def ended(_: object) -> bool:
        nonlocal known
        found = statuses.get(made.uid)
        known = found or known
        return has_ended(known) or (
            found is None and work.catalog.get("service", made.uid) is None
        )

    try:
        # The statement's own timeout ends it.
        async with work.query.aside():
            await statuses.wait(ended)
    except asyncio.CancelledError:
        await _call_off(work, made)
        raise
    if known.status != "DONE":
        raise JobFailed(made.name, known.status or "DELETED", _why(known))


async def _call_off(work: Work, made: state.Object) -> None:
    try:
        async with asyncio.timeout(work.settings.call_off):
            await cancel(work, made.uid)
        log.info("job_called_off", job=made.name)
    except (SnowcaveError, TimeoutError) as error:
        log.warning("job_not_called_off", job=made.name, error=str(error))


def _why(known: state.ServiceStatus) -> str:
    """What the first container that failed has to say."""
    containers = [c for row in known.instances for c in row.containers]
    failed = [c for c in containers if c.status == "FAILED"]
    if failed:
        return f"container '{failed[0].name}': {failed[0].message}"
    return next((row.message for row in known.instances if row.message not in _FINE), "")


async def cancel(work: Work, uid: int) -> None:
    """Asks for the job's end; asking again changes nothing. Raises Moved where others keep changing it."""
    pause = work.settings.pause
    for last in [False] * (work.settings.attempts - 1) + [True]:
        entry = work.catalog.entry("service", uid)
        if entry is None or entry.message.service.HasField("cancelled_on"):
            return
        changed, change = work.changed(entry.message), Change()
        changed.service.cancelled_on.CopyFrom(changed.updated_on)
        change.update(entry, changed)
        try:
            await work.catalog.commit(change)
            return
        except Moved:
            if last:
                raise
            await work.clock.sleep(work.rng.uniform(0, pause))
            pause *= 2
