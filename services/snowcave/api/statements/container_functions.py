"""SYSTEM$ functions of services and jobs: their status, their logs, and their end."""

import json
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.contract import LogRequest
from snowcave.api.sql.cursor import parse_name
from snowcave.api.statements import jobs, waiting
from snowcave.api.statements.arguments import Arguments
from snowcave.api.statements.instance_shows import image_url
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectNotFound, ValueInvalid
from snowcave.v1 import state_pb2 as state

_MOST_LINES = 1000
_DEFAULT_LINES = 500
_MOST_BYTES = 100 * 1024
_LONGEST_WAIT = 900.0
_POLL = 0.2


def service_of(arguments: Arguments, work: Work, *privileges: str) -> state.Object:
    found = work.caller.find("service", parse_name(arguments.text(0))).message
    if not any(work.caller.may(privilege, found) for privilege in privileges):
        raise NotAuthorized(f"service '{found.name}'")
    return found


async def service_status(arguments: Arguments, work: Work) -> str:
    """Deprecated by Snowflake, and what most clients ask. With a timeout it waits for READY or FAILED."""
    arguments.between(1, 2)
    found = service_of(arguments, work, "OWNERSHIP", "USAGE", "MONITOR", "OPERATE")
    timeout = min(float(arguments.integer(1, 0)), _LONGEST_WAIT)
    deadline = work.clock.monotonic() + timeout
    while not _settled(found, work) and work.clock.monotonic() < deadline:
        await work.clock.sleep(_POLL)
    return json.dumps(_container_rows(found, work))


def _settled(found: state.Object, work: Work) -> bool:
    known = status_of(found, work)
    instances = list(known.instances)
    enough = len(instances) >= max(1, known.target_instances)
    return known.status in ("SUSPENDED", "FAILED", "DONE", "CANCELLED") or (
        enough and all(one.status in ("READY", "FAILED", "SUCCEEDED") for one in instances)
    )


def _container_rows(found: state.Object, work: Work) -> list[dict[str, object]]:
    known = status_of(found, work)
    wanted = {one.name: one for one in found.service.spec.containers}
    rows: list[dict[str, object]] = []
    for instance in known.instances:
        seen = {one.name: one for one in instance.containers}
        for name, container in wanted.items():
            report = seen.get(name)
            rows.append(
                {
                    "status": report.status if report else "PENDING",
                    "message": report.message
                    if report
                    else instance.message or "Waiting to start",
                    "containerName": name,
                    "instanceId": str(instance.instance_id),
                    "serviceName": found.name,
                    "image": image_url(container, work),
                    "restartCount": report.restart_count if report else 0,
                    "startTime": _iso(report.started_on) if report else "",
                }
            )
    if not rows:
        rows = [
            {
                "status": known.status,
                "message": "Service is suspended"
                if known.status == "SUSPENDED"
                else "Waiting to start",
                "containerName": name,
                "instanceId": None,
                "serviceName": found.name,
                "image": image_url(container, work),
                "restartCount": 0,
                "startTime": "",
            }
            for name, container in wanted.items()
        ]
    return rows


def _iso(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if stamp.seconds else ""


async def service_logs(arguments: Arguments, work: Work) -> str:
    arguments.between(3, 7)
    found = service_of(arguments, work, "OWNERSHIP", "MONITOR")
    instance, container = arguments.integer(1), arguments.text(2)
    lines = arguments.integer(3, _DEFAULT_LINES)
    if not 1 <= lines <= _MOST_LINES:
        raise ValueInvalid(
            f"Invalid `tail lines` value {lines}. Allowed values are in range [1, {_MOST_LINES}]."
        )
    _check_container(found, instance, container)
    text = await work.ports.logs.read(
        LogRequest(
            service=found.uid,
            instance_id=instance,
            container=container,
            tail_lines=lines,
            previous=arguments.boolean(4, False),
            since=arguments.text(5, ""),
            timestamps=arguments.boolean(6, False),
            ended=status_of(found, work).HasField("ended_on"),
        )
    )
    return _newest(text)


def _check_container(found: state.Object, instance: int, container: str) -> None:
    if container not in {one.name for one in found.service.spec.containers}:
        raise ObjectNotFound("Container", container)
    if not 0 <= instance < max(found.service.max_instances, found.service.replicas, 1):
        raise ObjectNotFound("Instance", str(instance))


def _newest(text: str) -> str:
    """The last whole lines within the size that one cell may have."""
    data = text.encode()
    if len(data) <= _MOST_BYTES:
        return text
    cut = data[-_MOST_BYTES:]
    return cut[cut.find(b"\n") + 1 :].decode(errors="replace")


async def job_status(arguments: Arguments, work: Work) -> str:
    """Of the time when jobs were no services: what SYSTEM$GET_SERVICE_STATUS says, of jobs only."""
    _need_job(service_of(arguments, work, "OWNERSHIP", "USAGE", "MONITOR", "OPERATE"))
    return await service_status(arguments, work)


async def job_logs(arguments: Arguments, work: Work) -> str:
    """`(job, container [, lines])`: of its first instance."""
    arguments.between(2, 3)
    _need_job(service_of(arguments, work, "OWNERSHIP", "MONITOR"))
    job, container, *lines = arguments.values
    return await service_logs(Arguments(arguments.function, (job, 0, container, *lines)), work)


def _need_job(found: state.Object) -> None:
    if not found.service.is_job:
        raise ValueInvalid(f"Service '{found.name}' is not a job.")


async def cancel_job(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    found = service_of(arguments, work, "OWNERSHIP", "OPERATE")
    _need_job(found)
    known = status_of(found, work)
    if jobs.has_ended(known):
        return f"Job {found.name} has already ended with status {known.status}."
    await jobs.cancel(work, found.uid)
    return f"Job {found.name} is being cancelled."


async def wait_for_services(arguments: Arguments, work: Work) -> str:
    arguments.between(2, 256)
    seconds = waiting.checked_seconds(arguments.integer(0))
    names = [arguments.text(at) for at in range(1, len(arguments.values))]
    found = [work.caller.find("service", parse_name(name)).message for name in names]
    await waiting.wait_for(work, {one.uid: "RUNNING" for one in found}, seconds, upgraded=True)
    return "All services are running."
