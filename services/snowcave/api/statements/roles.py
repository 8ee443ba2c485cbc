"""Roles; and how roles and users are dropped."""

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import Create, Drop, Existing, Show
from snowcave.api.statements.existing import (
    already_dropped,
    create,
    is_fixed,
    kept,
    remove,
    sought,
    taken,
)
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import NotAuthorized

_ROLES = columns(
    "created_on:timestamp_ltz",
    "name",
    "is_default",
    "is_current",
    "is_inherited",
    "assigned_to_users:fixed",
    "granted_to_roles:fixed",
    "granted_roles:fixed",
    "owner",
    "comment",
)


async def create_role(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "role", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE ROLE")
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.role.SetInParent()
    change = Change()
    if (old := create(work, change, made, statement.existing)) is not None:
        await _commit_without(work, change, old.message.uid)
    else:
        await work.catalog.commit(change)
    return status(f"Role {name} successfully created.")


async def drop(statement: Drop, work: Work) -> Rows:
    """A role or a user; what a dropped role owned belongs to the role that dropped it."""
    entry = sought(statement, lambda: work.caller.find(statement.domain, statement.name))
    if entry is None:
        return already_dropped(statement)
    name = statement.name.name
    found = entry.message
    work.caller.need_ownership(found)
    if is_fixed(work, found):
        raise NotAuthorized(work.caller.words(found))
    change = Change()
    remove(work, change, entry)
    if statement.domain == "role":
        await _commit_without(work, change, found.uid)
    else:
        await work.catalog.commit(change)
    return status(f"{name} successfully dropped.")


async def _commit_without(work: Work, change: Change, role: int) -> None:
    """The role goes when what it owns is another's. While the warehouse is away it stays, and can be dropped
    again later; once it is gone, nobody would look after its tables.
    """
    _inherit(work, change, role)
    owner, name = work.owner(), work.context.role
    await work.ports.ddl.inherit(role, owner, name)
    await work.catalog.commit(change)
    # What was made in between.
    await work.ports.ddl.inherit(role, owner, name)


def _inherit(work: Work, change: Change, role: int) -> None:
    """What the role owned belongs to the role in use from now on: nothing is left without an owner."""
    for owned in work.catalog.mirrors.objects.values():
        domain = owned.WhichOneof("body")
        if owned.owner_role != role or domain is None or owned.uid == role:
            continue
        entry = work.catalog.entry(domain, owned.uid)
        if entry is not None:
            moved = work.changed(owned)
            moved.owner_role = work.owner()
            change.update(entry, moved)


async def show_roles(statement: Show, work: Work) -> Rows:
    grants = [one for one in work.catalog.mirrors.grants.values() if one.domain == "role"]

    def count(kind: str, role: int) -> int:
        return sum(one.grantee_kind == kind and one.securable == role for one in grants)

    rows = [
        (
            moment(role.created_on),
            role.name,
            "N",
            "Y" if role.name == work.context.role else "N",
            "Y" if role.uid in work.caller.primary and role.name != work.context.role else "N",
            count("user", role.uid),
            count("role", role.uid),
            sum(one.grantee_kind == "role" and one.grantee == role.uid for one in grants),
            work.catalog.name("role", role.owner_role),
            role.comment,
        )
        for role in work.catalog.all("role")
    ]
    return filtered(statement, _ROLES, rows)
