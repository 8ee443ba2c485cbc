"""GRANT and REVOKE of privileges and of ownership."""

from collections.abc import Iterator

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.contract import Rows, status
from snowcave.api.sql.tree import Grantee, GrantPrivileges
from snowcave.api.statements.existing import EXECUTED
from snowcave.api.statements.securables import Target, container, targets
from snowcave.api.statements.work import Work
from snowcave.model.errors import (
    DependentGrant,
    NotAuthorized,
    ObjectNotFound,
    Unsupported,
    ValueInvalid,
)
from snowcave.model.privileges import (
    IN_SCHEMA,
    NEVER_TRANSFERRED,
    PRIVILEGES,
    is_caller_grant,
)
from snowcave.v1 import state_pb2 as state

OWNERSHIP = "OWNERSHIP"


async def grant_privileges(statement: GrantPrivileges, work: Work) -> Rows:
    domain = statement.on.domain
    if domain not in PRIVILEGES:
        raise Unsupported(f"GRANT ON {domain.upper()}")
    _need_grantable(statement)
    to = grantee(statement.grantee, work)
    if statement.on.future:
        return await _change_future(statement, to, work)
    change, moved = Change(), list[Target]()
    hold(to, change, work)
    for target in await targets(statement.on, work):
        if target.entry is not None and statement.on.all_in is None:
            # Nobody drops it meanwhile. Of ALL … IN …, more may be meant than a transaction compares.
            change.stands(target.entry)
        _need_grant_right(target, statement.privileges, work)
        if OWNERSHIP in statement.privileges:
            _transfer(statement, target, to, change, work)
            moved += [] if target.entry else [target]
        elif statement.revoke:
            _revoke(statement, target, to, change, work)
        else:
            _grant(statement, target, to, change, work)
    await work.catalog.commit(change)
    if moved:
        await work.ports.ddl.change_owner([one.uid for one in moved], to.uid, to.name)
    return status(EXECUTED)


def _need_grantable(statement: GrantPrivileges) -> None:
    domain = statement.on.domain
    where = domain.replace("_", " ").upper()
    allowed = (*PRIVILEGES[domain], *((OWNERSHIP,) if domain != "account" else ()))
    for privilege in statement.privileges:
        if privilege not in allowed:
            raise ValueInvalid(
                f"SQL compilation error:\nPrivilege '{privilege}' cannot be granted on {where}."
            )
    if OWNERSHIP not in statement.privileges:
        return
    if domain in NEVER_TRANSFERRED:
        raise Unsupported(f"transfer of a {domain}'s OWNERSHIP")
    if statement.grantee.kind != "role":
        raise Unsupported("OWNERSHIP TO USER")
    if statement.revoke and not statement.on.future:
        raise Unsupported("REVOKE OWNERSHIP")


def _need_grant_right(target: Target, privileges: tuple[str, ...], work: Work) -> None:
    """Ownership, MANAGE GRANTS, or the privileges themselves with their grant option.

    In a schema with managed access the schema's owner decides, and not the object's.
    """
    caller = work.caller
    if caller.may_in_account("MANAGE GRANTS"):
        return
    if caller.limits is not None:
        # A service that acts for its caller hands on nothing of theirs.
        raise NotAuthorized("account" if target.domain == "account" else target.words)
    schema = work.catalog.get("schema", target.schema)
    managed = schema is not None and schema.schema.managed_access
    if managed and schema is not None and caller.owns(schema):
        return
    if not managed and target.domain != "account" and target.owner in caller.roles:
        return
    optional = {
        grant.privilege
        for grant in about(target, work)
        if grant.grant_option and grant.grantee in caller.roles
    }
    if not privileges or not set(privileges) <= optional:
        raise NotAuthorized("account" if target.domain == "account" else target.words)


def _grant(
    statement: GrantPrivileges, target: Target, to: state.Object, change: Change, work: Work
) -> None:
    held = {one.privilege: one for one in about(target, work) if one.grantee == to.uid}
    for privilege in statement.privileges or PRIVILEGES[target.domain]:
        known = held.get(privilege)
        if known is not None and (known.grant_option or not statement.grant_option):
            continue  # it has that, or more
        made = new_grant(work, to, target.domain, target.uid, privilege)
        made.grant_option = statement.grant_option
        change.grant(made)


def _revoke(
    statement: GrantPrivileges, target: Target, to: state.Object, change: Change, work: Work
) -> None:
    gone = set(statement.privileges or PRIVILEGES[target.domain])
    for one in about(target, work):
        if one.grantee != to.uid or one.privilege not in gone:
            continue
        passed_on = list(_passed_on(one, target, work)) if one.grant_option else []
        if passed_on and not statement.cascade:
            name = work.catalog.name(passed_on[0].grantee_kind, passed_on[0].grantee)
            raise DependentGrant(one.privilege, target.name, name)
        for other in passed_on:
            change.revoke(other)
        if statement.grant_option:
            kept = state.Grant()
            kept.CopyFrom(one)
            kept.grant_option = False
            change.grant(kept)
        else:
            change.revoke(one)


def _passed_on(given: state.Grant, target: Target, work: Work) -> Iterator[state.Grant]:
    """What was granted on the strength of this grant, and in turn of those."""
    all_of_it = [one for one in about(target, work) if one.privilege == given.privilege]
    seen = {given.grantee}
    waiting = [given]
    while waiting:
        source = waiting.pop()
        for one in all_of_it:
            if one.granted_by == source.grantee and one.grantee not in seen:
                seen.add(one.grantee)
                waiting.append(one)
                yield one


def _transfer(
    statement: GrantPrivileges, target: Target, to: state.Object, change: Change, work: Work
) -> None:
    """The current grants stay, as the new owner's, or go; where there are some, that has to be said."""
    for one in about(target, work):
        if one.grantee == to.uid and one.privilege == OWNERSHIP:
            continue
        match statement.current_grants:
            case "COPY":
                kept = state.Grant()
                kept.CopyFrom(one)
                kept.granted_by = to.uid
                change.grant(kept)
            case "REVOKE":
                change.revoke(one)
            case _:
                name = work.catalog.name(one.grantee_kind, one.grantee)
                raise DependentGrant(one.privilege, target.name, name)
    if target.entry is not None:
        changed = work.changed(target.entry.message)
        changed.owner_role = to.uid
        change.update(target.entry, changed)


async def _change_future(statement: GrantPrivileges, to: state.Object, work: Work) -> Rows:
    domain, scope = statement.on.domain, statement.on.all_in
    if scope is None or domain not in (*IN_SCHEMA, "schema"):
        raise Unsupported(f"grants on future {domain.replace('_', ' ').upper()} objects")
    if domain == "schema" and scope.domain != "database":
        raise Unsupported("grants on future SCHEMA objects in a schema")
    uid, entry = container(scope, work)
    owned = scope.domain == "schema" and work.caller.owns(entry.message)
    if not owned and not work.caller.may_in_account("MANAGE GRANTS"):
        raise NotAuthorized(work.caller.words(entry.message))
    change = Change()
    change.stands(entry)
    hold(to, change, work)
    for privilege in statement.privileges or PRIVILEGES[domain]:
        grant = new_grant(work, to, domain, uid, privilege)
        grant.future_in = scope.domain
        grant.grant_option = statement.grant_option and not statement.revoke
        if statement.revoke and not statement.grant_option:
            change.revoke(grant)
        else:
            change.grant(grant)
    await work.catalog.commit(change)
    return status(EXECUTED)


def about(target: Target, work: Work) -> list[state.Grant]:
    """The grants on it; those of roles and of service roles have statements of their own."""
    return [
        one
        for one in work.catalog.mirrors.grants.values()
        if (one.domain, one.securable) == (target.domain, target.uid)
        and not one.future_in
        and one.domain != "role"
        and not is_caller_grant(one.privilege)
    ]


def hold(found: state.Object, change: Change, work: Work) -> None:
    """Nobody drops it meanwhile: a grant to what is gone would stay for ever."""
    entry = work.catalog.entry(domain_of(found), found.uid)
    if entry is not None:
        change.stands(entry)


def new_grant(work: Work, to: state.Object, domain: str, uid: int, privilege: str) -> state.Grant:
    return state.Grant(
        grantee_kind=to.WhichOneof("body") or "role",
        grantee=to.uid,
        domain=domain,
        securable=uid,
        privilege=privilege,
        granted_by=work.context.role_uid,
        created_on=work.now(),
    )


def grantee(named: Grantee, work: Work) -> state.Object:
    return role_or_user(named.kind, named.name, work)


def role_or_user(domain: str, name: str, work: Work) -> state.Object:
    """By name. That it exists is no secret to who may grant."""
    found = work.catalog.named(domain, 0, name)
    if found is None:
        raise ObjectNotFound(domain.capitalize(), name)
    return found.message
