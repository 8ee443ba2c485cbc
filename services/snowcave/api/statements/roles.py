"""Roles and users."""

import asyncio

from argon2 import PasswordHasher

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Rows, status
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import (
    EXECUTED,
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
from snowcave.model.errors import NotAuthorized, Unsupported
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

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
_USERS = columns(
    "name",
    "created_on:timestamp_ltz",
    "login_name",
    "display_name",
    "first_name",
    "last_name",
    "email",
    "mins_to_unlock",
    "days_to_expiry",
    "comment",
    "disabled",
    "must_change_password",
    "default_warehouse",
    "default_namespace",
    "default_role",
    "owner",
    "has_password",
)
_USER_PROPERTIES = columns("property", "value", "default", "description")


async def create_role(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "role", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE ROLE")
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.role.SetInParent()
    change = Change()
    if (old := create(work, change, made, statement.existing)) is not None:
        _inherit(work, change, old.message.uid)
    await work.catalog.commit(change)
    return status(f"Role {name} successfully created.")


async def create_user(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "user", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE USER")
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.user.login_name = name
    await _apply(made.user, statement.options)
    change = Change()
    create(work, change, made, statement.existing)
    await work.catalog.commit(change)
    return status(f"User {name} successfully created.")


async def _apply(user: state.User, options: Options) -> None:
    for key, attribute in (
        ("LOGIN_NAME", "login_name"),
        ("EMAIL", "email"),
    ):
        if key in options:
            setattr(user, attribute, options.text(key))
    for key, attribute in (
        ("DEFAULT_ROLE", "default_role"),
        ("DEFAULT_WAREHOUSE", "default_warehouse"),
        ("DEFAULT_NAMESPACE", "default_namespace"),
    ):
        if key in options:
            setattr(user, attribute, str(options.object_name(key) or ""))
    if "DISABLED" in options:
        user.disabled = options.boolean("DISABLED")
    if "PASSWORD" in options:
        password = options.text("PASSWORD")
        user.password_hash = await asyncio.to_thread(PasswordHasher().hash, password)


_DEFAULTS = {
    "EMAIL": "email",
    "PASSWORD": "password_hash",
    "DEFAULT_ROLE": "default_role",
    "DEFAULT_WAREHOUSE": "default_warehouse",
    "DEFAULT_NAMESPACE": "default_namespace",
    "DISABLED": "disabled",
}


async def alter_user(statement: Alter, work: Work) -> Rows:
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER USER {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find("user", statement.name))
    if entry is None:
        return status(EXECUTED)
    own_password = entry.message.uid == work.context.user_uid and set(statement.options) == {
        "PASSWORD"
    }
    if not own_password:
        work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    await _apply(changed.user, statement.options)
    for key in statement.unset:
        if key in _DEFAULTS:
            changed.user.ClearField(_DEFAULTS[key])  # type: ignore[arg-type]
    if "COMMENT" in statement.options or "COMMENT" in statement.unset:
        changed.comment = statement.options.text("COMMENT")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


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
        _inherit(work, change, found.uid)
    await work.catalog.commit(change)
    return status(f"{name} successfully dropped.")


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


async def show_users(statement: Show, work: Work) -> Rows:
    rows = [
        (
            one.name,
            moment(one.created_on),
            one.user.login_name,
            one.name,
            "",
            "",
            one.user.email,
            "",
            "",
            one.comment,
            str(one.user.disabled).lower(),
            "false",
            one.user.default_warehouse,
            one.user.default_namespace,
            one.user.default_role,
            work.catalog.name("role", one.owner_role),
            str(bool(one.user.password_hash)).lower(),
        )
        for one in work.catalog.all("user")
        if work.caller.sees(one) or work.caller.may_in_account("MANAGE GRANTS")
    ]
    return filtered(statement, _USERS, rows)


async def describe_user(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("user", ObjectName(statement.name.name)).message
    properties = {
        "NAME": found.name,
        "COMMENT": found.comment,
        "LOGIN_NAME": found.user.login_name,
        "EMAIL": found.user.email,
        "PASSWORD": "********" if found.user.password_hash else "null",
        "DISABLED": str(found.user.disabled).lower(),
        "DEFAULT_WAREHOUSE": found.user.default_warehouse or "null",
        "DEFAULT_NAMESPACE": found.user.default_namespace or "null",
        "DEFAULT_ROLE": found.user.default_role or "null",
    }
    return Rows(_USER_PROPERTIES, [(key, value, "null", "") for key, value in properties.items()])
