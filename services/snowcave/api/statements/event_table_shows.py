"""SHOW EVENT TABLES and DESCRIBE EVENT TABLE, with the one that there always is."""

from snowcave.api.catalog.retention import retention_days
from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.securables import EVENTS
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import ObjectNotFound
from snowcave.model.privileges import EVENT_TABLE
from snowcave.v1 import state_pb2 as state

# A flag of SHOW EVENT TABLES that no text of SQL gives: with the properties, too.
PROPERTIES = "PROPERTIES"
_SHOW = columns(
    "created_on:timestamp_ltz",
    "name",
    "database_name",
    "schema_name",
    "owner",
    "comment",
    "owner_role_type",
)
_PROPERTIES = columns(
    "cluster_by",
    "data_retention_time_in_days:fixed",
    "max_data_extension_time_in_days:fixed",
    "change_tracking:boolean",
    "default_ddl_collation",
)
EXTENSION = "MAX_DATA_EXTENSION_TIME_IN_DAYS"
_DEFAULT_EXTENSION = 14
_DESCRIBE = columns(
    "name",
    "type",
    "kind",
    "null?",
    "default",
    "primary key",
    "unique key",
    "check",
    "expression",
    "comment",
    "policy name",
    "privacy domain",
)
_TIME, _TEXT = "TIMESTAMP_NTZ(9)", "VARCHAR(16777216)"
# As documented; the names and their order are the warehouse's, too (`warehouse.event_table.COLUMNS`).
COLUMNS = {
    "TIMESTAMP": _TIME,
    "START_TIMESTAMP": _TIME,
    "OBSERVED_TIMESTAMP": _TIME,
    "TRACE": "OBJECT",
    "RESOURCE": "OBJECT",
    "RESOURCE_ATTRIBUTES": "OBJECT",
    "SCOPE": "OBJECT",
    "SCOPE_ATTRIBUTES": "OBJECT",
    "RECORD_TYPE": _TEXT,
    "RECORD": "OBJECT",
    "RECORD_ATTRIBUTES": "OBJECT",
    "VALUE": "VARIANT",
    "EXEMPLARS": "ARRAY",
}


async def show_event_tables(statement: Show, work: Work) -> Rows:
    more = PROPERTIES in statement.flags
    rows = [_row(one, work, more=more) for one in within(work, "event_table", statement.scope)]
    if (default := _default(statement, work)) is not None:
        rows.append((*default, *_properties(state.Object(), work)) if more else default)
    return filtered(statement, (*_SHOW, *_PROPERTIES) if more else _SHOW, rows)


def _row(found: state.Object, work: Work, *, more: bool = False) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    shown = (
        moment(found.created_on),
        found.name,
        database,
        schema,
        work.catalog.name("role", found.owner_role),
        found.comment,
        "ROLE",
    )
    return (*shown, *_properties(found, work)) if more else shown


def _properties(found: state.Object, work: Work) -> tuple[Cell, ...]:
    table = found.event_table
    return (
        table.cluster_by,
        retention_days(work.catalog, found),
        int(found.parameters.get(EXTENSION, _DEFAULT_EXTENSION)),
        table.change_tracking,
        table.default_ddl_collation,
    )


def _default(statement: Show, work: Work) -> tuple[Cell, ...] | None:
    """The row of SNOWFLAKE.TELEMETRY.EVENTS, where the scope has it and the caller something on it."""
    caller = work.caller
    held = caller.access.held(caller.roles, ("event_table",))
    if not (caller.is_admin or EVENT_TABLE in held):
        return None
    database = work.catalog.named("database", 0, EVENTS.database)
    schema = database and work.catalog.named("schema", database.message.uid, EVENTS.schema)
    if not schema or not _in_scope(statement, schema.message, work):
        return None
    place = (EVENTS.name, EVENTS.database, EVENTS.schema)
    return (moment(schema.message.created_on), *place, "", "", "ROLE")


def _in_scope(statement: Show, schema: state.Object, work: Work) -> bool:
    scope = statement.scope
    if scope is None:
        within_schema, within_database = work.context.schema, work.context.database
        return (within_database, within_schema) in (("", ""), (EVENTS.database, EVENTS.schema))
    match scope.domain:
        case "database":
            name = scope.name.name if scope.name else ""
            return work.caller.database(name).message.uid == schema.parent
        case "schema":
            return work.caller.schema(scope.name).message.uid == schema.uid
        case _:
            return scope.domain == "account"


async def describe_event_table(statement: Describe, work: Work) -> Rows:
    if work.caller.full_name(statement.name) == EVENTS:
        held = work.caller.access.held(work.caller.roles, ("event_table",))
        if not (work.caller.is_admin or EVENT_TABLE in held):
            raise ObjectNotFound("Event table", str(EVENTS))
    else:
        work.caller.find("event_table", statement.name)
    nothing = (None,) * 4
    rows = [
        (name, kind, "COLUMN", "Y", None, "N", "N", None, *nothing)
        for name, kind in COLUMNS.items()
    ]
    return Rows(_DESCRIBE, rows)
