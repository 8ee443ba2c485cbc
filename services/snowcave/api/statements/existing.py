"""What CREATE does with a name: free, taken and refused, kept, or replaced; and how objects are dropped."""

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change, domain_of, name_of
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import Alter, Drop, Existing
from snowcave.api.statements.caller import SYSTEM_DATABASE
from snowcave.api.statements.future_grants import apply_to
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectExists, ObjectNotFound
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

# How most statements answer that change something.
EXECUTED = "Statement executed successfully."

Find = Callable[[], Entry[state.Object]]
End = Callable[[Work, Change, Entry[state.Object]], None]


def taken(work: Work, made_domain: str, parent: int, name: str) -> Entry[state.Object] | None:
    """Who has the name, whether or not the caller sees it."""
    return work.catalog.named(made_domain, parent, name)


def kept(name: str) -> Rows:
    return status(f"{name} already exists, statement succeeded.")


def create(
    work: Work,
    change: Change,
    made: state.Object,
    existing: Existing,
    end: End | None = None,
) -> Entry[state.Object] | None:
    """Adds the new object to the change. What was replaced is given back, None where the name was free.

    What is replaced is removed, or comes to the `end` given.

    Raises ObjectExists where the name is taken and the statement does not replace.
    """
    domain = domain_of(made)
    made.tags.update(work.tags)
    old = taken(work, domain, made.parent, name_of(made))
    if old is not None:
        if existing is not Existing.REPLACE:
            raise ObjectExists(made.name)
        work.caller.need_ownership(old.message)
        if is_fixed(work, old.message):
            raise NotAuthorized(work.caller.words(old.message))
        (end or remove)(work, change, old)
    else:
        name = work.catalog.name_entry(domain, made.parent, name_of(made))
        objects = work.catalog.mirrors.objects
        holder = objects.entry(domain, name.message.uid) if name else None
        change.reuse_name(made, name, holder)
    apply_to(made, change, work)
    change.create(made)
    return old


def is_fixed(work: Work, found: state.Object) -> bool:
    """System roles, the system's database and the caller's own user: nobody may take them away."""
    system = found.role.system or (
        found.WhichOneof("body") == "database" and found.name == SYSTEM_DATABASE
    )
    return system or found.uid == work.context.user_uid


def remove(work: Work, change: Change, entry: Entry[state.Object]) -> None:
    """The object, its name and the grants about it: gone at once."""
    found = entry.message
    name = work.catalog.name_entry(domain_of(found), found.parent, name_of(found))
    change.unname(entry, name)
    change.delete(entry)
    for grant in work.catalog.grants_about(found):
        change.revoke(grant)


def bury(work: Work, change: Change, entry: Entry[state.Object]) -> None:
    """For databases and schemas: out of sight with all they hold, and to be had again by UNDROP."""
    found = entry.message
    name = work.catalog.name_entry(domain_of(found), found.parent, found.name)
    change.bury(entry, name, work.now())


def retire(work: Work, change: Change, entry: Entry[state.Object]) -> None:
    """As `remove`, for what runs: the scheduler clears up and then has it forgotten."""
    clear_up(work.catalog, change, entry, work.now())


def clear_up(catalog: Catalog, change: Change, entry: Entry[state.Object], now: Timestamp) -> None:
    """Its name is free and it is granted to nobody; the object itself is marked as dropped."""
    found = entry.message
    name = catalog.name_entry(domain_of(found), found.parent, name_of(found))
    change.unname(entry, name)
    gone = state.Object()
    gone.CopyFrom(found)
    gone.updated_on.CopyFrom(now)
    gone.dropped_on.CopyFrom(now)
    change.update(entry, gone)
    for grant in catalog.grants_about(found):
        change.revoke(grant)


def sought(statement: Alter | Drop, find: Find) -> Entry[state.Object] | None:
    """What `find` finds; None where there is no such object and the statement says IF EXISTS."""
    try:
        return find()
    except ObjectNotFound:
        if statement.if_exists:
            return None
        raise


def already_dropped(statement: Drop) -> Rows:
    name = statement.name.name
    return status(f"Drop statement executed successfully ({name} already dropped).")


async def drop(statement: Drop, work: Work, find: Find, end: End = remove) -> Rows:
    """DROP by the owner of what nothing else hangs on."""
    entry = sought(statement, find)
    if entry is None:
        return already_dropped(statement)
    work.caller.need_ownership(entry.message)
    change = Change()
    end(work, change, entry)
    await work.catalog.commit(change)
    return status(f"{statement.name.name} successfully dropped.")
