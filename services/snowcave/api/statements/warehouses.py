"""Warehouses: names that sessions use; ordinary SQL runs in one engine whatever they say."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import Unsupported
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHAPE = columns(
    "name",
    "state",
    "type",
    "size",
    "min_cluster_count:fixed",
    "max_cluster_count:fixed",
    "started_clusters:fixed",
    "running:fixed",
    "queued:fixed",
    "is_default",
    "is_current",
    "auto_suspend:fixed",
    "auto_resume",
    "available",
    "provisioning",
    "quiescing",
    "other",
    "created_on:timestamp_ltz",
    "resumed_on:timestamp_ltz",
    "updated_on:timestamp_ltz",
    "owner",
    "comment",
    "enable_query_acceleration",
    "query_acceleration_max_scale_factor:fixed",
    "resource_monitor",
    "actives:fixed",
    "pendings:fixed",
    "failed:fixed",
    "suspended:fixed",
    "uuid",
    "scaling_policy",
    "budget",
    "owner_role_type",
)
_SIZES = {
    "XSMALL": "X-Small",
    "X-SMALL": "X-Small",
    "SMALL": "Small",
    "MEDIUM": "Medium",
    "LARGE": "Large",
    "XLARGE": "X-Large",
    "X-LARGE": "X-Large",
    **{f"{n}{dash}XLARGE": f"{n}X-Large" for n in range(2, 7) for dash in ("", "-")},
    **{f"{n}X-LARGE": f"{n}X-Large" for n in range(2, 7)},
    **{f"{word}LARGE": f"{n}X-Large" for n, word in ((2, "XX"), (3, "XXX"))},
}
_AUTO_SUSPEND = 600


async def create_warehouse(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "warehouse", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE WAREHOUSE")
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.warehouse.CopyFrom(
        state.Warehouse(
            size="X-Small",
            auto_suspend_secs=_AUTO_SUSPEND,
            auto_resume=True,
            suspended=statement.options.boolean("INITIALLY_SUSPENDED"),
        )
    )
    _apply(made.warehouse, statement.options)
    change = Change()
    create(work, change, made, statement.existing)
    await work.catalog.commit(change)
    work.context.warehouse = name
    return status(f"Warehouse {name} successfully created.")


def _apply(warehouse: state.Warehouse, options: Options) -> None:
    if "WAREHOUSE_SIZE" in options:
        size = options.text("WAREHOUSE_SIZE")
        if size not in _SIZES:
            raise invalid_value(size, "WAREHOUSE_SIZE")
        warehouse.size = _SIZES[size]
    if "AUTO_SUSPEND" in options:
        text = options.text("AUTO_SUSPEND")
        if text.upper() != "NULL" and not (text.isascii() and text.isdigit() and len(text) < 9):
            raise invalid_value(text, "AUTO_SUSPEND")
        warehouse.auto_suspend_secs = int(text) if text.isdigit() else 0
    if "AUTO_RESUME" in options:
        warehouse.auto_resume = options.boolean("AUTO_RESUME")


async def alter_warehouse(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("warehouse", statement.name))
    if entry is None:
        return status(EXECUTED)
    changed = work.changed(entry.message)
    match statement.action:
        case Action.SUSPEND | Action.RESUME | Action.ABORT_ALL:
            work.caller.need_any(entry.message, "OPERATE", "OWNERSHIP")
            if statement.action is not Action.ABORT_ALL:
                changed.warehouse.suspended = statement.action is Action.SUSPEND
        case Action.SET | Action.UNSET:
            work.caller.need("MODIFY", entry.message)
            _apply(changed.warehouse, statement.options)
            if "COMMENT" in statement.options or "COMMENT" in statement.unset:
                changed.comment = statement.options.text("COMMENT")
        case _:
            raise Unsupported(f"ALTER WAREHOUSE {statement.action.name}")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_warehouse(statement: Drop, work: Work) -> Rows:
    name = statement.name.name
    dropped = await drop(statement, work, lambda: work.caller.find("warehouse", statement.name))
    if work.context.warehouse == name:
        work.context.warehouse = ""
    return dropped


async def show_warehouses(statement: Show, work: Work) -> Rows:
    seen = [one for one in work.catalog.all("warehouse") if work.caller.sees(one)]
    return filtered(statement, _SHAPE, [_row(one, work) for one in seen])


async def describe_warehouse(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("warehouse", ObjectName(statement.name.name)).message
    shape = columns("created_on:timestamp_ltz", "name", "kind")
    return Rows(shape, [(moment(found.created_on), found.name, "WAREHOUSE")])


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    body = found.warehouse
    started = 0 if body.suspended else 1
    return (
        found.name,
        "SUSPENDED" if body.suspended else "STARTED",
        "STANDARD",
        body.size,
        1,
        1,
        started,
        0,
        0,
        "N",
        "Y" if found.name == work.context.warehouse else "N",
        body.auto_suspend_secs,
        str(body.auto_resume).lower(),
        "100" if started else "",
        "",
        "",
        "",
        moment(found.created_on),
        moment(found.created_on),
        moment(found.updated_on),
        work.catalog.name("role", found.owner_role),
        found.comment,
        "false",
        8,
        "null",
        0,
        0,
        0,
        1 - started,
        str(found.uid),
        "STANDARD",
        "",
        "ROLE",
    )
