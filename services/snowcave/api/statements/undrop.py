"""UNDROP: what DROP put out of sight comes back as it was, its services suspended."""

from datetime import UTC, timedelta

from snowcave.api.catalog.change import Change
from snowcave.api.catalog.retention import retention_days
from snowcave.api.contract import Rows, status
from snowcave.api.sql.domains import label
from snowcave.api.sql.tree import Undrop
from snowcave.api.statements.existing import taken
from snowcave.api.statements.work import Work
from snowcave.model.errors import ObjectExists, ObjectPurged
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state


async def undrop(statement: Undrop, work: Work) -> Rows:
    name = statement.name.name
    change = Change()
    if statement.domain == "schema":
        database = work.caller.database(statement.name.database)
        entry = _last(work, "schema", database.message.uid, name)
        work.caller.need("CREATE SCHEMA", database.message)
        change.stands(database)
    elif statement.domain == "event_table":
        schema = work.caller.holder(statement.name)
        entry = _last(work, "event_table", schema.message.uid, name)
        work.caller.need("CREATE EVENT TABLE", schema.message)
        change.stands(schema)
    else:
        entry = _last(work, "database", 0, name)
        work.caller.need_in_account("CREATE DATABASE")
    found = entry.message
    if taken(work, statement.domain, found.parent, name) is not None:
        raise ObjectExists(name)
    change.raise_up(entry, work.now())
    await work.catalog.commit(change)
    await _restore_rooms(work, found)
    if statement.domain == "event_table":
        return status(f"Table {name} successfully restored.")
    return status(f"{label(statement.domain)} {name} successfully restored.")


def _last(work: Work, domain: str, parent: int, name: str) -> Entry[state.Object]:
    """The one dropped last under the name, of those that may still come back and that the caller owned."""
    found = [
        entry
        for entry in work.catalog.dropped(domain)
        if (entry.message.parent, entry.message.name) == (parent, name)
        and work.caller.owns(entry.message)
        and _may_return(work, entry.message)
    ]
    if not found:
        raise ObjectPurged(label(domain), name)
    return max(found, key=lambda entry: entry.message.dropped_on.ToDatetime(UTC))


def _may_return(work: Work, found: state.Object) -> bool:
    days = timedelta(days=retention_days(work.catalog, found))
    return found.dropped_on.ToDatetime(UTC) + days > work.clock.now()


async def _restore_rooms(work: Work, found: state.Object) -> None:
    ddl = work.ports.ddl
    if found.WhichOneof("body") == "event_table":
        return  # what it holds is not the warehouse's
    if found.WhichOneof("body") == "database":
        await ddl.create_database(found.name, uid=found.uid)
    else:
        database = work.catalog.name("database", found.parent)
        await ddl.create_schema(database, found.name, uid=found.uid)
