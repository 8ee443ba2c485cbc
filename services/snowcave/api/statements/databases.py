"""Databases and schemas: names in the catalog, and room in the warehouse.

The catalog comes first, in one transaction; then the warehouse makes room. Should the daemon die, or the
warehouse be away, in between, `catalog.rooms` brings the warehouse to what the catalog says.
"""

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.catalog.retention import retention_days
from snowcave.api.contract import Cell, Column, Rows, status
from snowcave.api.sql.domains import label
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action, Alter, Create, Drop, Existing, Show
from snowcave.api.statements import active_event_table
from snowcave.api.statements.existing import (
    EXECUTED,
    bury,
    create,
    is_fixed,
    kept,
    sought,
    taken,
)
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.parameters import checked
from snowcave.api.statements.work import Work, moment
from snowcave.kit import ids
from snowcave.model.errors import ContextMissing, NotAuthorized, ObjectNotFound, Unsupported
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

PUBLIC_SCHEMA = "PUBLIC"
_DATABASES = columns(
    "created_on:timestamp_ltz",
    "name",
    "is_default",
    "is_current",
    "origin",
    "owner",
    "comment",
    "options",
    "retention_time",
    "kind",
    "owner_role_type",
)
_DROPPED = columns("dropped_on:timestamp_ltz")
_SCHEMAS = columns(
    "created_on:timestamp_ltz",
    "name",
    "is_default",
    "is_current",
    "database_name",
    "owner",
    "comment",
    "options",
    "retention_time",
    "owner_role_type",
)

_TERSE = columns("created_on:timestamp_ltz", "name", "kind", "database_name", "schema_name")


async def create_database(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    old = taken(work, "database", 0, name)
    if old is not None and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE DATABASE")
    change = Change()
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.database.SetInParent()
    made.database.transient = "TRANSIENT" in statement.flags
    _set_parameters(made, statement.options)
    create(work, change, made, statement.existing, bury)
    public = _new_schema(work, PUBLIC_SCHEMA, made.uid)
    change.create(public)
    await work.catalog.commit(change)
    # Nothing may stand there from a database of the same name that ended unseen.
    await work.ports.ddl.create_database(name, replace=True, uid=made.uid)
    await work.ports.ddl.create_schema(name, PUBLIC_SCHEMA, uid=public.uid)
    work.context.database, work.context.schema = name, PUBLIC_SCHEMA
    return status(f"Database {name} successfully created.")


async def create_schema(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    database = work.caller.database(statement.name.database)
    old = taken(work, "schema", database.message.uid, name)
    if old is not None and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE SCHEMA", database.message)
    made = _new_schema(work, name, database.message.uid)
    made.comment = statement.options.text("COMMENT")
    made.schema.managed_access = "MANAGED ACCESS" in statement.flags
    _set_parameters(made, statement.options)
    change = Change()
    create(work, change, made, statement.existing, bury)
    change.stands(database)
    await work.catalog.commit(change)
    await work.ports.ddl.create_schema(database.message.name, name, replace=True, uid=made.uid)
    work.context.database, work.context.schema = database.message.name, name
    return status(f"Schema {name} successfully created.")


def _new_schema(work: Work, name: str, database: int) -> state.Object:
    made = work.new(name, database)
    made.schema.dns_hash = _free_label(work)
    return made


def _free_label(work: Work) -> str:
    """A label that no schema has; the transaction makes sure of it."""
    while True:
        label = ids.label(work.rng, 4)
        if work.catalog.mirrors.names.get("dns_hash", 0, label) is None:
            return label


async def drop_database(statement: Drop, work: Work) -> Rows:
    name = statement.name.name
    try:
        entry = work.caller.database(name)
    except ObjectNotFound:
        return _gone(statement, name)
    work.caller.need_ownership(entry.message)
    if is_fixed(work, entry.message):
        raise NotAuthorized(work.caller.words(entry.message))
    change = Change()
    bury(work, change, entry)
    await work.catalog.commit(change)
    if work.context.database == name:
        work.context.database = work.context.schema = ""
    await work.ports.ddl.drop_database(name, uid=entry.message.uid)
    return status(f"{name} successfully dropped.")


async def drop_schema(statement: Drop, work: Work) -> Rows:
    name = statement.name.name
    try:
        entry = work.caller.schema(statement.name)
    except ObjectNotFound:
        return _gone(statement, name)
    work.caller.need_ownership(entry.message)
    database = work.catalog.name("database", entry.message.parent)
    change = Change()
    bury(work, change, entry)
    await work.catalog.commit(change)
    if (work.context.database, work.context.schema) == (database, name):
        work.context.schema = ""
    await work.ports.ddl.drop_schema(database, name, uid=entry.message.uid)
    return status(f"{name} successfully dropped.")


def _gone(statement: Drop, name: str) -> Rows:
    if statement.if_exists:
        return status(f"Drop statement executed successfully ({name} already dropped).")
    raise ObjectNotFound(label(statement.domain), name)


async def alter(statement: Alter, work: Work) -> Rows:
    """The comment and the parameters."""
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER {statement.domain.upper()} {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find(statement.domain, statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    if "COMMENT" in statement.options or "COMMENT" in statement.unset:
        changed.comment = statement.options.text("COMMENT")
    _set_parameters(changed, statement.options)
    for key in statement.unset:
        changed.parameters.pop(key, None)
    if (table := statement.options.object_name(active_event_table.KEY)) is not None:
        changed.database.event_table = active_event_table.chosen(table, work)
    elif active_event_table.KEY in statement.unset:
        changed.database.event_table = 0
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _set_parameters(found: state.Object, options: Options) -> None:
    for key, value in checked(options, domain_of(found)).items():
        found.parameters[key] = value


async def show_databases(statement: Show, work: Work) -> Rows:
    history = "HISTORY" in statement.flags

    def row(found: state.Object) -> tuple[Cell, ...]:
        return (
            moment(found.created_on),
            found.name,
            "N",
            _yes(found.name == work.context.database),
            "",
            work.catalog.name("role", found.owner_role),
            found.comment,
            "TRANSIENT" if found.database.transient else "",
            str(retention_days(work.catalog, found)),
            *([moment(found.dropped_on)] if history else []),
            "STANDARD",
            "ROLE",
        )

    seen = [row(one) for one in work.catalog.all("database") if work.caller.sees(one)]
    if history:
        seen += [
            row(one.message)
            for one in work.catalog.dropped("database")
            if work.caller.owns(one.message)
        ]
    return _shown(statement, _with_dropped(_DATABASES, history), seen)


def _shown(statement: Show, shape: tuple[Column, ...], rows: list[tuple[Cell, ...]]) -> Rows:
    """All columns, or the five of TERSE: what of those an object has not got is NULL."""
    if not statement.terse:
        return filtered(statement, shape, rows)
    at = {column.name: index for index, column in enumerate(shape)}
    wanted = [at.get(column.name) for column in _TERSE]
    short = [tuple(None if one is None else row[one] for one in wanted) for row in rows]
    return filtered(statement, _TERSE, short)


def _with_dropped(shape: tuple[Column, ...], history: bool) -> tuple[Column, ...]:
    at = next(at for at, column in enumerate(shape) if column.name == "retention_time") + 1
    return (*shape[:at], *_DROPPED, *shape[at:]) if history else shape


async def show_schemas(statement: Show, work: Work) -> Rows:
    databases, history = _databases_of(statement, work), "HISTORY" in statement.flags

    def row(found: state.Object) -> tuple[Cell, ...]:
        database = work.catalog.name("database", found.parent)
        current = (database, found.name) == (work.context.database, work.context.schema)
        return (
            moment(found.created_on),
            found.name,
            "N",
            _yes(current),
            database,
            work.catalog.name("role", found.owner_role),
            found.comment,
            "MANAGED ACCESS" if found.schema.managed_access else "",
            str(retention_days(work.catalog, found)),
            *([moment(found.dropped_on)] if history else []),
            "ROLE",
        )

    seen = [
        row(one)
        for one in work.catalog.all("schema")
        if (databases is None or one.parent in databases) and work.caller.sees(one)
    ]
    if history:
        seen += [
            row(one.message)
            for one in work.catalog.dropped("schema")
            if (databases is None or one.message.parent in databases)
            and work.caller.owns(one.message)
        ]
    return _shown(statement, _with_dropped(_SCHEMAS, history), seen)


def _databases_of(statement: Show, work: Work) -> set[int] | None:
    """The databases to look into; None: all."""
    scope = statement.scope
    if scope is None:
        return {work.caller.database().message.uid} if work.context.database else None
    if scope.domain == "account":
        return None
    if scope.domain != "database":
        raise ContextMissing("database")
    name = scope.name or ObjectName("")
    return {work.caller.database(name.name).message.uid}


def _yes(answer: bool) -> str:
    return "Y" if answer else "N"
