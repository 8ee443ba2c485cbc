"""Which service functions a piece of ordinary SQL may call, checked before the warehouse sees it.

The names that stand before an opening parenthesis are looked up as the session would; all overloads of a name
go along, the warehouse chooses among them.
"""

from collections.abc import Iterator
from contextlib import suppress

from snowcave.api.catalog.catalog import Moved
from snowcave.api.catalog.change import Change
from snowcave.api.sql.functions import calls
from snowcave.api.sql.lexer import tokens
from snowcave.api.statements.caller import are_admin
from snowcave.api.statements.functions import may_use_endpoint
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.services import resume
from snowcave.api.statements.work import Work
from snowcave.model.errors import (
    NotAuthorized,
    ObjectNotFound,
    ServiceNotReady,
    SnowcaveError,
)
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2


async def bindings(
    sql: str, work: Work, *, describing: bool = False
) -> tuple[warehouse_pb2.FunctionBinding, ...]:
    """Raises what keeps one of the functions from being called. `describing`: none will be."""
    names = {found.name for found in work.catalog.all("function")}
    if not names:
        return ()
    spellings: dict[ObjectName, list[str]] = {}
    for name, spelling in calls(tokens(sql)):
        if name.name in names:
            known = spellings.setdefault(name, [])
            if spelling not in known:
                known.append(spelling)
    bound: list[warehouse_pb2.FunctionBinding] = []
    for name, spelled in spellings.items():
        for found in _callable(name, work):
            if not describing:
                await _check_service(found, work)
            bound.append(_binding(found, spelled, work))
    return tuple(bound)


def _callable(name: ObjectName, work: Work) -> list[state.Object]:
    """The overloads that the caller may call. Raises NotAuthorized where it sees some and may call none."""
    seen = list(_overloads(name, work))
    allowed = [found for found in seen if work.caller.may("USAGE", found)]
    if seen and not allowed:
        work.caller.need("USAGE", seen[0])
    return allowed


def _overloads(name: ObjectName, work: Work) -> Iterator[state.Object]:
    try:
        schema = work.caller.holder(name).message
    except SnowcaveError:
        # Nowhere to look: the warehouse knows the name or says that nobody does.
        return
    for found in work.catalog.children("function", schema.uid):
        if found.name == name.name and work.caller.sees(found):
            yield found


def _binding(
    found: state.Object, spellings: list[str], work: Work
) -> warehouse_pb2.FunctionBinding:
    schema, database = work.catalog.place(found.parent)
    body, entry = found.function, work.catalog.entry("function", found.uid)
    return warehouse_pb2.FunctionBinding(
        function=found.uid,
        database=database,
        schema=schema,
        name=found.name,
        argument_types=[argument.type for argument in body.arguments],
        returns=body.returns,
        spellings=spellings,
        strict=body.strict,
        immutable=body.immutable,
        revision=entry.mod_revision if entry else 0,
    )


async def _check_service(found: state.Object, work: Work) -> None:
    service = work.catalog.get("service", found.function.service)
    if service is None:
        raise ObjectNotFound("Service of function", found.name)
    endpoint = found.function.endpoint
    if all(one.name != endpoint for one in service.service.spec.endpoints):
        # A specification that came later has it no more.
        raise ObjectNotFound("Endpoint", f"{service.name}!{endpoint}")
    owner = work.caller.access.closure(found.owner_role)
    # Who could bind the endpoint as ACCOUNTADMIN can have it called, too.
    usable = may_use_endpoint(work, owner, service, endpoint)
    if not usable and not are_admin(work.catalog, owner):
        raise NotAuthorized(f"service '{service.name}' as the owner of function '{found.name}'")
    if service.service.suspended and service.service.auto_resume:
        await _wake(service, work)
    known = status_of(service, work)
    needed = service.service.min_ready_instances
    # RUNNING says that enough are ready; an upgrade has one instance away on purpose.
    if known.status != "RUNNING" or not known.ready_instances:
        schema, database = work.catalog.place(service.parent)
        name = str(ObjectName(service.name, schema, database))
        raise ServiceNotReady(name, known.status, known.ready_instances, needed)


async def _wake(service: state.Object, work: Work) -> None:
    """Resume it and its pool; this call is told that it is not ready yet, a later one finds it running."""
    entry = work.catalog.entry("service", service.uid)
    if entry is None:
        return
    change, changed = Change(), work.changed(entry.message)
    resume(work, change, changed)
    change.update(entry, changed)
    with suppress(Moved):  # whoever was faster has woken, suspended or dropped it
        await work.catalog.commit(change)
