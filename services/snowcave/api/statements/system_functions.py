"""SYSTEM$ functions of services, pools and images."""

import json
from collections.abc import Awaitable, Callable
from functools import partial

from snowcave.api.contract import Rows
from snowcave.api.sql.cursor import parse_name
from snowcave.api.sql.tree import SystemCall
from snowcave.api.statements import container_functions, pool_status, tags
from snowcave.api.statements.arguments import Arguments
from snowcave.api.statements.filters import columns
from snowcave.api.statements.image_repositories import path_of
from snowcave.api.statements.work import Work
from snowcave.model import keys, names
from snowcave.model.names import ObjectName

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
    known = pool_status.status_of(found, work)
    return json.dumps({"name": found.name, "status": known.state, "message": known.message})


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
    was_running = await work.ports.results.cancel(query, partial(_may_cancel, work))
    return (
        f"query [{query}] terminated."
        if was_running
        else "Identified SQL statement is not currently executing."
    )


async def _cancel_all_queries(arguments: Arguments, work: Work) -> str:
    arguments.between(1, 1)
    may, session = partial(_may_cancel, work), arguments.integer(0)
    if work.caller.limits is not None and session != work.context.session_id:
        return "0 cancelled."  # a service in its caller's name has nothing to do with their other sessions
    count = await work.ports.results.cancel_session(session, work.query.query_id, may)
    return f"{count} cancelled."


def _may_cancel(work: Work, user: int, warehouse: str) -> bool:
    """Everyone their own; of others who owns the user, or may OPERATE the warehouse."""
    if user == work.context.user_uid:
        return True
    found, place = work.catalog.get("user", user), work.catalog.named("warehouse", 0, warehouse)
    if found is not None and work.caller.owns(found):
        return True
    if place is None:
        return False
    return work.caller.owns(place.message) or work.caller.may("OPERATE", place.message)


_HANDLERS: dict[str, Handler] = {
    "SYSTEM$GET_TAG": _get_tag,
    "SYSTEM$CLIENT_VERSION_INFO": _client_version_info,
    "SYSTEM$GET_SERVICE_STATUS": container_functions.service_status,
    "SYSTEM$GET_SERVICE_LOGS": container_functions.service_logs,
    "SYSTEM$GET_SERVICE_DNS_DOMAIN": _dns_domain,
    "SYSTEM$GET_COMPUTE_POOL_STATUS": _pool_status,
    "SYSTEM$REGISTRY_LIST_IMAGES": _list_images,
    "SYSTEM$CANCEL_QUERY": _cancel_query,
    "SYSTEM$CANCEL_ALL_QUERIES": _cancel_all_queries,
    "SYSTEM$CANCEL_JOB": container_functions.cancel_job,
    "SYSTEM$GET_JOB_STATUS": container_functions.job_status,
    "SYSTEM$GET_JOB_LOGS": container_functions.job_logs,
    "SYSTEM$WAIT_FOR_SERVICES": container_functions.wait_for_services,
}
