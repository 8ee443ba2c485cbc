"""What a caller's roles may touch in the warehouse; and what becomes of what they make there."""

from collections.abc import Mapping, Sequence

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rights
from snowcave.api.statements.caller import Caller
from snowcave.api.statements.caller_limits import CallerLimits
from snowcave.api.statements.future_grants import in_schema, on
from snowcave.api.statements.work import Work
from snowcave.model.limits import HAS_ALL, LIMITED, NOWHERE, Place, left_on
from snowcave.model.privileges import ALL_EVENT_TABLES, CALLER, OF_WAREHOUSE
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse

_OWNERSHIP = "OWNERSHIP"
_MADE_THERE = tuple(
    f"CREATE {kind}" for kind in ("TABLE", "VIEW", "SEQUENCE", "FUNCTION", "FILE FORMAT")
)
_SELECT = frozenset({"SELECT"})


def rights(caller: Caller, *, reads_events: bool = False) -> Rights | None:
    """None: everything. `reads_events`: the statement reads event tables for the caller, who could not."""
    if caller.is_admin:
        return None
    schemas = {
        (caller.catalog.name("database", schema.parent), schema.name): _of_schema(schema, caller)
        for schema in caller.catalog.all("schema")
        if caller.sees(schema)
    }
    held = dict(caller.access.held(caller.roles, OF_WAREHOUSE))
    if reads_events:
        held[ALL_EVENT_TABLES] = _SELECT
    if caller.limits is not None:
        schemas, held = _limited(caller, caller.limits, schemas, held)
    return Rights(schemas, caller.roles, held)


def _limited(
    caller: Caller,
    limits: CallerLimits,
    schemas: Mapping[Place, frozenset[str]],
    held: Mapping[int, frozenset[str]],
) -> tuple[dict[Place, frozenset[str]], dict[int, frozenset[str]]]:
    """For a service that acts for its caller: what is left goes beside what is held, see `model.limits`."""
    found = dict(schemas)
    for schema in caller.catalog.all("schema"):
        place = (caller.catalog.name("database", schema.parent), schema.name)
        if place in found:
            left = limits.left_in_schema(schema).items()
            found[place] |= {left_on(kind, one) for kind, names in left for one in names}
    found[NOWHERE] = frozenset({LIMITED, HAS_ALL} if caller.has_all else {LIMITED})
    beside = dict(held)
    for uid, privileges in limits.left_on().items():
        left = frozenset(CALLER + one for one in privileges)
        beside[uid] = beside.get(uid, frozenset[str]()) | left
    return found, beside


def _of_schema(schema: state.Object, caller: Caller) -> frozenset[str]:
    if caller.owns(schema):
        return frozenset({*_MADE_THERE, _OWNERSHIP})
    return frozenset(one for one in _MADE_THERE if caller.may(one, schema))


async def settle(made: Sequence[warehouse.WarehouseObject], work: Work) -> None:
    """Apply the future grants to what the warehouse has just made.

    A change that is lost on the way can be made up for by the object's owner, who is there from the start.
    """
    change = Change()
    for one in made:
        database = work.catalog.named("database", 0, one.database)
        parent = database.message.uid if database else 0
        schema = work.catalog.named("schema", parent, one.schema)
        if schema is None:
            continue
        for grant in in_schema(work, one.kind, schema.message.uid):
            if grant.privilege == _OWNERSHIP:
                name = work.catalog.name("role", grant.grantee)
                await work.ports.ddl.change_owner([one.uid], grant.grantee, name)
            else:
                change.grant(on(grant, one.uid, work))
    await work.catalog.commit(change)
