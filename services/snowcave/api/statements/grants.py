"""GRANT, REVOKE and SHOW GRANTS."""

from collections.abc import Iterator

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.tree import (
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Securable,
    ShowGrants,
)
from snowcave.api.statements.filters import columns
from snowcave.api.statements.functions import find_function
from snowcave.api.statements.service_shows import ALL_ENDPOINTS
from snowcave.api.statements.work import Work, moment
from snowcave.model import keys
from snowcave.model.errors import NotAuthorized, ObjectNotFound, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state

_EXECUTED = "Statement executed successfully."
_SCHEMA = (
    "MODIFY",
    "MONITOR",
    "USAGE",
    *(
        f"CREATE {word}"
        for word in (
            "SERVICE",
            "IMAGE REPOSITORY",
            "FUNCTION",
            "STAGE",
            "TABLE",
            "VIEW",
            "SECRET",
            "SNAPSHOT",
            "NETWORK RULE",
            "SEQUENCE",
            "PROCEDURE",
            "STREAM",
            "TASK",
            "FILE FORMAT",
            "EVENT TABLE",
        )
    ),
)
# What may be granted on what; ALL means these.
PRIVILEGES: dict[str, tuple[str, ...]] = {
    "account": (
        "CREATE DATABASE",
        "CREATE ROLE",
        "CREATE USER",
        "CREATE WAREHOUSE",
        "CREATE COMPUTE POOL",
        "CREATE INTEGRATION",
        "BIND SERVICE ENDPOINT",
        "MANAGE GRANTS",
        "MONITOR USAGE",
    ),
    "database": ("CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"),
    "schema": _SCHEMA,
    "warehouse": ("MODIFY", "MONITOR", "OPERATE", "USAGE"),
    "compute_pool": ("MODIFY", "MONITOR", "OPERATE", "USAGE"),
    "service": ("MONITOR", "OPERATE", "USAGE"),
    "image_repository": ("READ", "WRITE", "USAGE", "SERVICE READ", "SERVICE WRITE"),
    "function": ("USAGE",),
    "stage": ("READ", "WRITE", "USAGE"),
    "user": ("MONITOR",),
    "role": (),
}
_SHAPE = columns(
    "created_on:timestamp_ltz",
    "privilege",
    "granted_on",
    "name",
    "granted_to",
    "grantee_name",
    "grant_option",
    "granted_by",
)
_OF = columns("created_on:timestamp_ltz", "role", "granted_to", "grantee_name", "granted_by")
_TO_SERVICE_ROLE = columns(
    "created_on:timestamp_ltz", "privilege", "granted_on", "name", "granted_to", "grantee_name"
)


async def grant_privileges(statement: GrantPrivileges, work: Work) -> Rows:
    if statement.on.domain in ("table", "view", "sequence", "procedure", "event_table"):
        # These are the warehouse's; whoever may use their schema may use them.
        return status(_EXECUTED)
    if statement.on.domain not in PRIVILEGES:
        raise Unsupported(f"GRANT ON {statement.on.domain.upper()}")
    grantee = _grantee(statement.grantee, work)
    change = Change()
    for entry in _securables(statement.on, work):
        if entry is not None and statement.on.all_in is None:
            # Nobody drops it meanwhile. Of ALL … IN …, more may be meant than a transaction compares.
            change.stands(entry)
        _one_securable(statement, entry, grantee, change, work)
    await work.catalog.commit(change)
    return status(_EXECUTED)


def _one_securable(
    statement: GrantPrivileges,
    entry: Entry[state.Object] | None,
    grantee: state.Object,
    change: Change,
    work: Work,
) -> None:
    found = entry.message if entry else None
    _need_grant_right(found, statement.privileges, work)
    if "OWNERSHIP" in statement.privileges:
        if entry is None or statement.revoke:
            raise NotAuthorized("account")
        _transfer(entry, grantee, change, work)
        return
    allowed = PRIVILEGES[statement.on.domain]
    for privilege in statement.privileges or allowed:
        if privilege not in allowed:
            where = statement.on.domain.replace("_", " ").upper()
            raise ValueInvalid(
                f"SQL compilation error:\nPrivilege '{privilege}' cannot be granted on {where}."
            )
        grant = _grant(work, grantee, statement.on.domain, found.uid if found else 0, privilege)
        grant.grant_option = statement.grant_option
        (change.revoke if statement.revoke else change.grant)(grant)


def _need_grant_right(found: state.Object | None, privileges: tuple[str, ...], work: Work) -> None:
    caller = work.caller
    if caller.may_in_account("MANAGE GRANTS") or (found is not None and caller.owns(found)):
        return
    domain, uid = (domain_of(found), found.uid) if found else ("account", 0)
    optional = {
        grant.privilege
        for grant in work.catalog.mirrors.grants.values()
        if (grant.domain, grant.securable) == (domain, uid)
        and grant.grant_option
        and grant.grantee in caller.roles
    }
    if not privileges or not set(privileges) <= optional:
        raise NotAuthorized(caller.words(found) if found else "account")


def _transfer(
    entry: Entry[state.Object], grantee: state.Object, change: Change, work: Work
) -> None:
    if entry.message.WhichOneof("body") == "service":
        raise Unsupported("transfer of a service's OWNERSHIP")
    if grantee.WhichOneof("body") != "role":
        raise Unsupported("OWNERSHIP TO USER")
    changed = work.changed(entry.message)
    changed.owner_role = grantee.uid
    change.update(entry, changed)


def _grant(
    work: Work, grantee: state.Object, domain: str, uid: int, privilege: str
) -> state.Grant:
    return state.Grant(
        grantee_kind=domain_of(grantee),
        grantee=grantee.uid,
        domain=domain,
        securable=uid,
        privilege=privilege,
        granted_by=work.context.role_uid,
        created_on=work.now(),
    )


def _grantee(grantee: Grantee, work: Work) -> state.Object:
    return _any(grantee.kind, grantee.name, work)


def _any(domain: str, name: str, work: Work) -> state.Object:
    """A role or user by name. That it exists is no secret to who may grant."""
    found = work.catalog.named(domain, 0, name)
    if found is None:
        raise ObjectNotFound(domain.capitalize(), name)
    return found.message


def _securables(on: Securable, work: Work) -> Iterator[Entry[state.Object] | None]:
    if on.domain == "account":
        yield None
    elif on.all_in is not None:
        yield from _all_in(on, work)
    elif on.domain == "function":
        yield find_function(work, on.name or ObjectName(""), on.arguments)
    else:
        yield work.caller.find(on.domain, on.name or ObjectName(""))


def _all_in(on: Securable, work: Work) -> Iterator[Entry[state.Object]]:
    scope = on.all_in
    if scope is None:
        return
    if scope.domain == "schema":
        holders = {work.caller.schema(scope.name).message.uid}
    else:
        database = work.caller.database(scope.name.name if scope.name else "").message.uid
        schemas = {one.uid for one in work.catalog.children("schema", database)}
        holders = {database} if on.domain == "schema" else schemas
    for found in work.catalog.all(on.domain):
        entry = work.catalog.entry(on.domain, found.uid)
        if found.parent in holders and entry is not None and work.caller.sees(found):
            yield entry


async def grant_role(statement: GrantRole, work: Work) -> Rows:
    role = _any("role", statement.role, work)
    grantee = _grantee(statement.grantee, work)
    if not (work.caller.owns(role) or work.caller.may_in_account("MANAGE GRANTS")):
        raise NotAuthorized(f"role '{role.name}'")
    if statement.grantee.kind == "role" and not statement.revoke:
        _refuse_circle(role, grantee, work)
    change = Change()
    grant = _grant(work, grantee, "role", role.uid, "USAGE")
    (change.revoke if statement.revoke else change.grant)(grant)
    await work.catalog.commit(change)
    return status(_EXECUTED)


def _refuse_circle(role: state.Object, grantee: state.Object, work: Work) -> None:
    if grantee.uid in work.caller.access.closure(role.uid):
        raise ValueInvalid(
            f"SQL compilation error:\nGranting role '{role.name}' to role '{grantee.name}' "
            "would make a circle of roles."
        )


async def grant_service_role(statement: GrantServiceRole, work: Work) -> Rows:
    if statement.grantee.kind != "role":
        raise Unsupported("GRANT SERVICE ROLE TO USER")
    entry = work.caller.find("service", statement.service)
    service = entry.message
    work.caller.need_ownership(service)
    _need_service_role(service, statement.role)
    grant = _grant(work, _grantee(statement.grantee, work), "service_role", service.uid, "USAGE")
    grant.service_role = statement.role
    change = Change()
    change.stands(entry)
    (change.revoke if statement.revoke else change.grant)(grant)
    await work.catalog.commit(change)
    return status(_EXECUTED)


def _need_service_role(service: state.Object, role: str) -> None:
    known = {one.name.upper() for one in service.service.spec.service_roles} | {ALL_ENDPOINTS}
    if role.upper() not in known:
        raise ObjectNotFound("Service role", f"{service.name}!{role}")


async def show_grants(statement: ShowGrants, work: Work) -> Rows:
    if statement.service is not None:
        rows = _service_role_grants(statement, work)
    elif statement.relation == "ON" and statement.on is not None:
        rows = Rows(_SHAPE, [row for one in _on(statement.on, work) for row in one])
    elif statement.relation == "OF" and statement.grantee is not None:
        rows = _of(_grantee(statement.grantee, work), work)
    else:
        grantee = statement.grantee or Grantee("user", work.context.user_name)
        rows = Rows(_SHAPE, list(_to(_grantee(grantee, work), work)))
    if statement.limit is not None:
        rows = Rows(rows.columns, list(rows.rows)[: max(0, statement.limit)])
    return rows


def _on(on: Securable, work: Work) -> Iterator[list[tuple[Cell, ...]]]:
    for entry in _securables(on, work):
        found = entry.message if entry else None
        uid = found.uid if found else 0
        rows = [_ownership(found, work)] if found else []
        rows += [
            _row(grant, work)
            for grant in _grants(work)
            if (grant.domain, grant.securable) == (on.domain, uid)
        ]
        yield rows


def _to(grantee: state.Object, work: Work) -> Iterator[tuple[Cell, ...]]:
    kind = domain_of(grantee)
    for grant in _grants(work):
        if (grant.grantee_kind, grant.grantee) == (kind, grantee.uid):
            yield _row(grant, work)
    if kind == "role":
        for found in work.catalog.mirrors.objects.values():
            if found.owner_role == grantee.uid and not found.HasField("dropped_on"):
                yield _ownership(found, work)


def _of(role: state.Object, work: Work) -> Rows:
    rows: list[tuple[Cell, ...]] = [
        (
            moment(grant.created_on),
            role.name,
            grant.grantee_kind.upper(),
            work.catalog.name(grant.grantee_kind, grant.grantee),
            work.catalog.name("role", grant.granted_by),
        )
        for grant in _grants(work)
        if (grant.domain, grant.securable) == ("role", role.uid)
    ]
    return Rows(_OF, rows)


def _service_role_grants(statement: ShowGrants, work: Work) -> Rows:
    service = work.caller.find("service", statement.service or ObjectName("")).message
    _need_service_role(service, statement.service_role)
    full = full_name("service", service.uid, work)
    if statement.relation == "TO":
        endpoints = [
            endpoint
            for role in service.service.spec.service_roles
            if role.name.upper() == statement.service_role
            for endpoint in role.endpoints
        ]
        if statement.service_role == ALL_ENDPOINTS:
            endpoints = [endpoint.name for endpoint in service.service.spec.endpoints]
        created = moment(service.created_on)
        head = (created, "USAGE", "SERVICE_ENDPOINT")
        tail = ("SERVICE ROLE", statement.service_role)
        return Rows(
            _TO_SERVICE_ROLE, [(*head, f"{full}!{endpoint}", *tail) for endpoint in endpoints]
        )
    rows: list[tuple[Cell, ...]] = [
        (
            moment(grant.created_on),
            grant.service_role,
            "ROLE",
            work.catalog.name("role", grant.grantee),
            work.catalog.name("role", grant.granted_by),
        )
        for grant in _grants(work)
        if (grant.domain, grant.securable) == ("service_role", service.uid)
        and grant.service_role == statement.service_role
    ]
    return Rows(_OF, rows)


def _grants(work: Work) -> list[state.Grant]:
    return sorted(
        work.catalog.mirrors.grants.values(), key=lambda one: (one.created_on.seconds, one.domain)
    )


def _row(grant: state.Grant, work: Work) -> tuple[Cell, ...]:
    name = full_name(grant.domain, grant.securable, work)
    if grant.domain == "service_role":
        name = f"{full_name('service', grant.securable, work)}!{grant.service_role}"
    return (
        moment(grant.created_on),
        grant.privilege,
        grant.domain.upper(),
        name,
        grant.grantee_kind.upper(),
        work.catalog.name(grant.grantee_kind, grant.grantee),
        str(grant.grant_option).lower(),
        work.catalog.name("role", grant.granted_by),
    )


def _ownership(found: state.Object, work: Work) -> tuple[Cell, ...]:
    owner = work.catalog.name("role", found.owner_role)
    domain = domain_of(found)
    return (
        moment(found.created_on),
        "OWNERSHIP",
        domain.upper(),
        full_name(domain, found.uid, work),
        "ROLE",
        owner,
        "true",
        owner,
    )


def full_name(domain: str, uid: int, work: Work) -> str:
    """As SHOW GRANTS names it: qualified where it stands in a schema."""
    if domain == "account":
        return work.context.account
    found = work.catalog.get(domain, uid) if domain in keys.DOMAINS else None
    if found is None:
        return ""
    if domain == "schema":
        return str(ObjectName(found.name, work.catalog.name("database", found.parent)))
    if domain in ("service", "function", "image_repository", "stage"):
        schema, database = work.catalog.place(found.parent)
        return str(ObjectName(found.name, schema, database))
    return str(ObjectName(found.name))
