"""SYSTEM$ functions of services, pools and images."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.contract import LogRequest, Rows
from snowcave.api.sql.cursor import parse_name
from snowcave.api.sql.tree import Literal, SystemCall
from snowcave.api.statements import jobs, tags, waiting
from snowcave.api.statements.filters import columns
from snowcave.api.statements.image_repositories import path_of
from snowcave.api.statements.service_shows import image_url, status_of
from snowcave.api.statements.work import Work
from snowcave.model import keys, names
from snowcave.model.errors import NotAuthorized, ObjectNotFound, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_MOST_LINES = 1000
_DEFAULT_LINES = 500
_MOST_BYTES = 100 * 1024
_LONGEST_WAIT = 900.0
_POLL = 0.2


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional arguments with their types checked; messages name the function."""

    function: str
    values: tuple[Literal, ...]

    def text(self, at: int, default: str | None = None) -> str:
        value = self.values[at] if at < len(self.values) else default
        if value is None:
            raise self.wrong(at)
        return str(value)

    def integer(self, at: int, default: int | None = None) -> int:
        value = self.values[at] if at < len(self.values) else default
        if isinstance(value, str) and value.strip().lstrip("-").isdigit() and len(value) < 18:
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(at)
        return value

    def boolean(self, at: int, default: bool) -> bool:
        value = self.values[at] if at < len(self.values) else default
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise self.wrong(at)
        return value

    def between(self, least: int, most: int) -> None:
        if not least <= len(self.values) <= most:
            word = "few" if len(self.values) < least else "many"
            raise ValueInvalid(
                f"SQL compilation error:\ntoo {word} arguments for function [{self.function}] "
                f"expected {least if word == 'few' else most}, got {len(self.values)}"
            )

    def wrong(self, at: int) -> ValueInvalid:
        return ValueInvalid(
            f"SQL compilation error:\nInvalid argument {at + 1} of function {self.function}."
        )


Handler = Callable[[Arguments, Work], Awaitable[str | None]]


async def call(statement: SystemCall, work: Work) -> Rows:
    value = await evaluate(statement, work)
    return Rows(columns(statement.column), [(value,)])


async def evaluate(statement: SystemCall, work: Work) -> str | None:
    """The function's one value; None is NULL."""
    arguments = Arguments(statement.function, statement.arguments)
    return await _HANDLERS[statement.function](arguments, work)


async def _get_tag(arguments: Arguments, work: Work) -> str | None:
    """The value of a tag on an object, its own or inherited; NULL where it has none."""
    arguments.between(3, 3)
    tag, name = parse_name(arguments.text(0)), parse_name(arguments.text(1))
    domain = arguments.text(2).strip().lower().replace(" ", "_")
    if domain == "schema":
        name = ObjectName(name.name, database=name.schema)
    if domain not in keys.DOMAINS or domain == "function":
        raise arguments.wrong(2)
    return tags.value_of(work, tag, work.caller.find(domain, name).message)


async def _client_version_info(arguments: Arguments, work: Work) -> str:
    arguments.between(0, 0)
    return "[]"


def _service(arguments: Arguments, work: Work, *privileges: str) -> state.Object:
    found = work.caller.find("service", parse_name(arguments.text(0))).message
    if not any(work.caller.may(privilege, found) for privilege in privileges):
        raise NotAuthorized(f"service '{found.name}'")
    return found


async def _service_status(arguments: Arguments, work: Work) -> str:
    """Deprecated by Snowflake, and what most clients ask. With a timeout it waits for READY or FAILED."""
    arguments.between(1, 2)
    found = _service(arguments, work, "OWNERSHIP", "USAGE", "MONITOR", "OPERATE")
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


async def _service_logs(arguments: Arguments, work: Work) -> str:
    arguments.between(3, 7)
    found = _service(arguments, work, "OWNERSHIP", "MONITOR")
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


async def _job_status(arguments: Arguments, work: Work) -> str:
    """Of the time when jobs were no services: what SYSTEM$GET_SERVICE_STATUS says, of jobs only."""
    _need_job(_service(arguments, work, "OWNERSHIP", "USAGE", "MONITOR", "OPERATE"))
    return await _service_status(arguments, work)


async def _job_logs(arguments: Arguments, work: Work) -> str:
    """`(job, container [, lines])`: of its first instance."""
    arguments.between(2, 3)
    _need_job(_service(arguments, work, "OWNERSHIP", "MONITOR"))
    job, container, *lines = arguments.values
    return await _service_logs(Arguments(arguments.function, (job, 0, container, *lines)), work)


def _need_job(found: state.Object) -> None:
    if not found.service.is_job:
        raise ValueInvalid(f"Service '{found.name}' is not a job.")


async def _dns_domain(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    name = parse_name(arguments.text(0))
    if name.database:
        raise arguments.wrong(0)
    schema = work.caller.schema(ObjectName(name.name, database=name.schema)).message
    return names.service_domain(schema.schema.dns_hash)


async def _pool_status(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    found = work.caller.find("compute_pool", parse_name(arguments.text(0))).message
    known = work.catalog.mirrors.pools.get(found.uid)
    waiting = "SUSPENDED" if found.compute_pool.suspended else "STARTING"
    return json.dumps(
        {
            "name": found.name,
            "status": known.state if known and known.state else waiting,
            "message": known.message if known else "",
        }
    )


async def _list_images(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    parts = [part for part in arguments.text(0).split("/") if part]
    if len(parts) != 3:
        raise arguments.wrong(0)
    name = ObjectName(*(part.upper() for part in reversed(parts)))
    found = work.caller.find("image_repository", name).message
    work.caller.need_any(found, "READ", "WRITE", "USAGE")
    path = path_of(found, work)
    images = {image.image_name for _, image in work.catalog.mirrors.images.items(found.uid)}
    return json.dumps({"images": [f"/{path}/{image}" for image in sorted(images)]})


async def _cancel_query(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    query = arguments.text(0)
    was_running = await work.ports.results.cancel(query, work.context)
    return (
        f"query [{query}] terminated."
        if was_running
        else "Identified SQL statement is not currently executing."
    )


async def _cancel_job(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    found = _service(arguments, work, "OWNERSHIP", "OPERATE")
    _need_job(found)
    known = status_of(found, work)
    if jobs.has_ended(known):
        return f"Job {found.name} has already ended with status {known.status}."
    await jobs.cancel(work, found.uid)
    return f"Job {found.name} is being cancelled."


async def _wait_for_services(arguments: Arguments, work: Work) -> str:
    arguments.between(2, 256)
    seconds = waiting.checked_seconds(arguments.integer(0))
    names = [arguments.text(at) for at in range(1, len(arguments.values))]
    found = [work.caller.find("service", parse_name(name)).message for name in names]
    await waiting.wait_for(work, {one.uid: "RUNNING" for one in found}, seconds)
    return "All services are running."


_HANDLERS: dict[str, Handler] = {
    "SYSTEM$GET_TAG": _get_tag,
    "SYSTEM$CLIENT_VERSION_INFO": _client_version_info,
    "SYSTEM$GET_SERVICE_STATUS": _service_status,
    "SYSTEM$GET_SERVICE_LOGS": _service_logs,
    "SYSTEM$GET_SERVICE_DNS_DOMAIN": _dns_domain,
    "SYSTEM$GET_COMPUTE_POOL_STATUS": _pool_status,
    "SYSTEM$REGISTRY_LIST_IMAGES": _list_images,
    "SYSTEM$CANCEL_QUERY": _cancel_query,
    "SYSTEM$CANCEL_JOB": _cancel_job,
    "SYSTEM$GET_JOB_STATUS": _job_status,
    "SYSTEM$GET_JOB_LOGS": _job_logs,
    "SYSTEM$WAIT_FOR_SERVICES": _wait_for_services,
}
