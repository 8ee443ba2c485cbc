"""ALTER … RENAME TO, the same for every kind that may be renamed.

Objects know each other by uid, so one name changes and nothing else: grants, services, and a schema's label
in DNS stay. The warehouse knows rooms by uid, too, and moves them when it is told the name.
"""

from snowcave.api.catalog.change import Change, name_of
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import Alter
from snowcave.api.statements.event_tables import need_free
from snowcave.api.statements.existing import EXECUTED, is_fixed, sought, taken
from snowcave.api.statements.functions import find_function
from snowcave.api.statements.work import Work
from snowcave.model import keys
from snowcave.model.errors import NotAuthorized, ObjectExists, Unsupported
from snowcave.model.names import ObjectName
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

# What the documents let one rename, and the privilege that the new place asks for.
_RENAMEABLE = {
    "database": "CREATE DATABASE",
    "schema": "CREATE SCHEMA",
    "role": "",
    "user": "",
    "warehouse": "",
    "function": "CREATE FUNCTION",
    "stage": "CREATE STAGE",
    "tag": "CREATE TAG",
    "event_table": "CREATE EVENT TABLE",
}


async def rename(statement: Alter, work: Work) -> Rows:
    if statement.domain not in _RENAMEABLE or statement.new_name is None:
        raise Unsupported(f"ALTER {statement.domain.replace('_', ' ').upper()} RENAME")
    entry = sought(statement, lambda: _find(statement, work))
    if entry is None:
        return status(EXECUTED)
    found = entry.message
    work.caller.need_ownership(found)
    if is_fixed(work, found) and found.uid != work.context.user_uid:
        raise NotAuthorized(work.caller.words(found))
    change = Change()
    changed = work.changed(found)
    _place(statement.domain, statement.new_name, changed, work, change)
    if (changed.parent, name_of(changed)) == (found.parent, name_of(found)):
        raise ObjectExists(changed.name)
    if taken(work, statement.domain, changed.parent, name_of(changed)) is not None:
        raise ObjectExists(changed.name)
    if statement.domain == "event_table":
        schema = work.catalog.get("schema", changed.parent)
        if schema is not None:
            await need_free(changed.name, schema, work)
    change.rename(entry, changed)
    before = _where(found, work)
    await work.catalog.commit(change)
    await _move_room(changed, work)
    _follow(statement.domain, before, _where(changed, work), work)
    return status(EXECUTED)


def _find(statement: Alter, work: Work) -> Entry[state.Object]:
    if statement.domain == "function":
        return find_function(work, statement.name, statement.arguments)
    return work.caller.find(statement.domain, statement.name)


def _place(
    domain: str, name: ObjectName, changed: state.Object, work: Work, change: Change
) -> None:
    """The new name, and the schema or database that it says; without one it stays where it is."""
    changed.name = name.name
    privilege = _RENAMEABLE[domain]
    if domain == "database":
        work.caller.need_in_account(privilege)
        return
    holder: Entry[state.Object] | None = None
    if domain == "schema":
        current = work.catalog.name("database", changed.parent)
        holder = work.caller.database(name.database or current)
    elif domain in keys.IN_SCHEMA and name.schema:
        holder = work.caller.holder(name)
    elif domain in keys.IN_SCHEMA:
        holder = work.catalog.entry("schema", changed.parent)
    if holder is not None:
        work.caller.need(privilege, holder.message)
        changed.parent = holder.message.uid
        change.stands(holder)


def _where(found: state.Object, work: Work) -> tuple[str, str]:
    """Names of what holds it, and its own."""
    return work.catalog.name("database", found.parent), found.name


async def _move_room(changed: state.Object, work: Work) -> None:
    ddl = work.ports.ddl
    match changed.WhichOneof("body"):
        case "database":
            await ddl.create_database(changed.name, uid=changed.uid)
        case "schema":
            database = work.catalog.name("database", changed.parent)
            await ddl.create_schema(database, changed.name, uid=changed.uid)
        case _:
            pass


def _follow(domain: str, before: tuple[str, str], after: tuple[str, str], work: Work) -> None:
    """The session goes on with what it had in use."""
    context = work.context
    match domain:
        case "database" if context.database == before[1]:
            context.database = after[1]
        case "schema" if (context.database, context.schema) == before:
            context.database, context.schema = after
        case "role" if context.role == before[1]:
            context.role = after[1]
        case "warehouse" if context.warehouse == before[1]:
            context.warehouse = after[1]
        case "user" if context.user_name == before[1]:
            context.user_name = after[1]
        case _:
            pass
