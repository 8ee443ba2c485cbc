"""Event tables of one's own: names in the catalog, with the number that their rows bear.

`events` gives rows the number of the table that is set as they come in (`statements.active_event_table`), and
the warehouse reads by it. So a table is one write: dropped, it is out of sight with its rows, and UNDROP
brings both back; emptied, it has a new number, and its rows are in no table any more.
"""

from snowcave.api.catalog.change import Change
from snowcave.api.catalog.retention import PARAMETER as RETENTION
from snowcave.api.contract import Rows, status
from snowcave.api.sql.event_tables import CLUSTER_BY, COPY_GRANTS, said_of_a_table
from snowcave.api.sql.options import Options
from snowcave.api.sql.parser import parse
from snowcave.api.sql.placeholders import Given
from snowcave.api.sql.tree import Action, Alter, Create, Drop, Existing, Statement
from snowcave.api.statements.caller import SYSTEM_DATABASE
from snowcave.api.statements.event_table_shows import EXTENSION
from snowcave.api.statements.existing import EXECUTED, bury, create, drop, kept, sought, taken
from snowcave.api.statements.parameters import check
from snowcave.api.statements.work import Work
from snowcave.kit import ids
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    SnowcaveError,
    Unsupported,
)
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse


def said_of_one(sql: str, given: Given, work: Work) -> Statement | None:
    """DROP TABLE and the like, where the table is an event table; None where it is the warehouse's."""
    if next(iter(work.catalog.mirrors.objects.items("event_table")), None) is None:
        return None
    found = said_of_a_table(sql, given)
    if found is None:
        return None
    name, meant = found
    restores = meant.lstrip()[:6].upper() == "UNDROP"
    return parse(meant, given) if _is_one(name, work, dropped=restores) else None


def _is_one(name: ObjectName, work: Work, *, dropped: bool) -> bool:
    try:
        schema = work.caller.holder(name).message
    except SnowcaveError:
        return False
    if not dropped:
        return work.catalog.named("event_table", schema.uid, name.name) is not None
    graves = (one.message for one in work.catalog.dropped("event_table"))
    return any((one.parent, one.name) == (schema.uid, name.name) for one in graves)


# ---------------------------------------------------------------- CREATE, ALTER, DROP


async def create_event_table(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name, holder = statement.name.name, schema.message.uid
    old = taken(work, "event_table", holder, name)
    if old is not None and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE EVENT TABLE", schema.message)
    await need_free(name, schema.message, work)
    made = work.new(name, holder)
    made.event_table.number = ids.uid(work.rng)
    _set(made, statement.options)
    change = Change()
    replaced = create(work, change, made, statement.existing, bury)
    change.stands(schema)
    if replaced is not None and COPY_GRANTS in statement.flags:
        for grant in work.catalog.grants_about(replaced.message):
            again = state.Grant()
            again.CopyFrom(grant)
            again.securable = made.uid
            change.grant(again)
    await work.catalog.commit(change)
    return status(f"Table {name} successfully created.")


async def need_free(name: str, schema: state.Object, work: Work) -> None:
    """Tables and views share their names with event tables. The system's database has its own alone.

    Raises ObjectExists, NotAuthorized.
    """
    database = work.catalog.name("database", schema.parent)
    if database == SYSTEM_DATABASE:
        raise NotAuthorized(work.caller.words(schema))
    request = warehouse.ListObjectsRequest(database=database, schema=schema.name, name=name)
    for one in await work.ports.ddl.objects(request):
        if one.kind in ("table", "view"):
            raise ObjectExists(name)


def _set(found: state.Object, options: Options) -> None:
    table = found.event_table
    for key in (RETENTION, EXTENSION):
        if key in options:
            found.parameters[key] = check(key, str(options[key]))
    if "COMMENT" in options:
        found.comment = options.text("COMMENT")
    if "CHANGE_TRACKING" in options:
        table.change_tracking = options.boolean("CHANGE_TRACKING")
    if "DEFAULT_DDL_COLLATION" in options:
        table.default_ddl_collation = options.text("DEFAULT_DDL_COLLATION")
    if CLUSTER_BY in options:
        table.cluster_by = options.text(CLUSTER_BY)


async def alter_event_table(statement: Alter, work: Work) -> Rows:
    entry = sought(statement, lambda: work.caller.find("event_table", statement.name))
    if entry is None:
        return status(EXECUTED)
    found = entry.message
    changed = work.changed(found)
    match statement.action:
        case Action.SET | Action.UNSET:
            work.caller.need_ownership(found)
            _set(changed, statement.options)
            for key in statement.unset:
                _unset(changed, key)
        case Action.TRUNCATE:
            work.caller.need("TRUNCATE", found)
            changed.event_table.number = ids.uid(work.rng)
        case _:
            raise Unsupported(f"ALTER TABLE {statement.action.name}")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _unset(found: state.Object, key: str) -> None:
    found.parameters.pop(key, None)
    if key == "COMMENT":
        found.comment = ""
    elif key in (CLUSTER_BY, "CHANGE_TRACKING"):
        found.event_table.ClearField(key.lower())  # type: ignore[arg-type]


async def drop_event_table(statement: Drop, work: Work) -> Rows:
    return await drop(
        statement, work, lambda: work.caller.find("event_table", statement.name), bury
    )


# ---------------------------------------------------------------- for the warehouse


def bindings(sql: str, work: Work) -> tuple[warehouse.EventTableBinding, ...]:
    """Those that the statement may name; of a list of tables all."""
    upper = sql.upper()
    lists = upper.lstrip().startswith("SHOW")
    return tuple(
        _binding(one, work)
        for one in work.catalog.all("event_table")
        if lists or one.name.upper() in upper
    )


def _binding(found: state.Object, work: Work) -> warehouse.EventTableBinding:
    schema, database = work.catalog.place(found.parent)
    return warehouse.EventTableBinding(
        uid=found.uid,
        number=found.event_table.number,
        database=database,
        schema=schema,
        name=found.name,
        owner=found.owner_role,
        owner_name=work.catalog.name("role", found.owner_role),
        comment=found.comment,
        created_on=found.created_on.ToMicroseconds(),
    )
