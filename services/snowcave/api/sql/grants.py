"""GRANT, REVOKE and SHOW GRANTS."""

from dataclasses import replace

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.domains import accept_domain, expect_domain
from snowcave.api.sql.functions import argument_types
from snowcave.api.sql.tree import (
    GrantCaller,
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Scope,
    Securable,
    ShowCallerGrants,
    ShowGrants,
    Statement,
)
from snowcave.model.errors import Unsupported
from snowcave.model.names import ObjectName

_ACCOUNT_OBJECTS = ("database", "role", "user", "warehouse", "compute_pool", "integration")


def parse_grant(cursor: Cursor) -> Statement:
    revoke = cursor.one_of("GRANT", "REVOKE") == "REVOKE"
    grant_option_for = revoke and cursor.accept("GRANT", "OPTION", "FOR")
    if cursor.accept("SERVICE", "ROLE"):
        statement = _service_role(cursor, revoke)
    elif cursor.accept("ROLE"):
        role = cursor.plain_name()
        statement = GrantRole(role, _to(cursor, revoke), revoke)
    elif cursor.at("DATABASE", "ROLE") or cursor.at("APPLICATION", "ROLE"):
        raise Unsupported(f"{cursor.peek().value} ROLE")
    elif at_caller(cursor):
        statement = _caller(cursor, revoke)
    else:
        statement = _privileges(cursor, revoke, grant_option_for)
    cursor.end()
    return statement


def _service_role(cursor: Cursor, revoke: bool) -> GrantServiceRole:
    service, role = _service_role_name(cursor)
    # A sample in the documents has ON SERVICE here.
    if cursor.accept("ON"):
        cursor.expect("SERVICE")
    return GrantServiceRole(service, role, _to(cursor, revoke), revoke)


def _service_role_name(cursor: Cursor) -> tuple[ObjectName, str]:
    service = cursor.name()
    cursor.expect("!")
    return service, cursor.identifier()


def at_caller(cursor: Cursor) -> bool:
    return cursor.at_one("CALLER", "INHERITED") or (
        cursor.at("ALL", "CALLER") or cursor.at("ALL", "INHERITED")
    )


def _caller(cursor: Cursor, revoke: bool) -> GrantCaller:
    everything = cursor.accept("ALL")
    inherited = cursor.accept("INHERITED")
    cursor.expect("CALLER")
    privileges: tuple[str, ...] = ()
    if everything:
        cursor.expect("PRIVILEGES")
    else:
        privileges = cursor.comma_list(lambda: _privilege(cursor))
    cursor.expect("ON")
    on = _inherited(cursor) if inherited else read_securable(cursor)
    return GrantCaller(privileges, on, _to(cursor, revoke), revoke)


def _inherited(cursor: Cursor) -> Securable:
    cursor.expect("ALL")
    domain = accept_domain(cursor, plural=True)
    if domain is None:
        raise cursor.unexpected("object type")
    cursor.expect("IN")
    if cursor.accept("ACCOUNT"):
        return Securable(domain, all_in=Scope("account"))
    return Securable(domain, all_in=read_container(cursor))


def _privileges(cursor: Cursor, revoke: bool, grant_option_for: bool) -> GrantPrivileges:
    privileges: tuple[str, ...] = ()
    if cursor.accept("ALL"):
        cursor.accept("PRIVILEGES")
    else:
        privileges = cursor.comma_list(lambda: _privilege(cursor))
    cursor.expect("ON")
    on = read_securable(cursor)
    grantee = _to(cursor, revoke)
    if revoke:
        cascade = cursor.accept("CASCADE")
        if not cascade:
            cursor.accept("RESTRICT")
        return GrantPrivileges(privileges, on, grantee, grant_option_for, True, cascade=cascade)
    current = ""
    if "OWNERSHIP" in privileges and cursor.at_one("REVOKE", "COPY"):
        current = cursor.take().value
        cursor.expect("CURRENT", "GRANTS")
    option = cursor.accept("WITH", "GRANT", "OPTION")
    return GrantPrivileges(privileges, on, grantee, option, current_grants=current)


def _privilege(cursor: Cursor) -> str:
    """One to several words up to a comma or ON: CREATE IMAGE REPOSITORY."""
    words = [cursor.identifier()]
    while not cursor.at_one(",", "ON"):
        words.append(cursor.identifier())
    return " ".join(words)


def read_securable(cursor: Cursor) -> Securable:
    if cursor.accept("ACCOUNT"):
        return Securable("account")
    if cursor.at_one("FUTURE", "ALL"):
        future = cursor.take().value == "FUTURE"
        domain = accept_domain(cursor, plural=True)
        if domain is None:
            raise cursor.unexpected("object type")
        cursor.expect("IN")
        return Securable(domain, all_in=read_container(cursor), future=future)
    domain = expect_domain(cursor)
    if domain in _ACCOUNT_OBJECTS:
        return Securable(domain, ObjectName(cursor.plain_name()))
    name = cursor.name()
    if domain == "schema":
        return Securable(domain, ObjectName(name.name, database=name.schema))
    arguments = argument_types(cursor) if domain in ("function", "procedure") else None
    return Securable(domain, name, arguments)


def read_container(cursor: Cursor) -> Scope:
    domain = cursor.one_of("DATABASE", "SCHEMA").lower()
    name = cursor.name()
    if domain == "schema":
        return Scope(domain, ObjectName(name.name, database=name.schema))
    return Scope(domain, name)


def _to(cursor: Cursor, revoke: bool) -> Grantee:
    cursor.expect("FROM" if revoke else "TO")
    return _grantee(cursor)


def _grantee(cursor: Cursor) -> Grantee:
    if cursor.at("DATABASE", "ROLE") or cursor.at("APPLICATION", "ROLE"):
        raise Unsupported(f"{cursor.peek().value} ROLE")
    kind = "user" if cursor.accept("USER") else "role"
    if kind == "role":
        cursor.accept("ROLE")
    return Grantee(kind, cursor.plain_name())


def parse_show_grants(cursor: Cursor, *, future: bool = False) -> ShowGrants:
    """After SHOW GRANTS, or SHOW FUTURE GRANTS."""
    statement = _show_future(cursor) if future else _show_grants(cursor)
    limit = cursor.integer() if cursor.accept("LIMIT") else None
    cursor.end()
    return replace(statement, limit=limit)


def parse_show_caller_grants(cursor: Cursor) -> ShowCallerGrants:
    if cursor.one_of("ON", "TO") == "ON":
        statement = ShowCallerGrants(on=read_securable(cursor))
    else:
        statement = ShowCallerGrants(grantee=_grantee(cursor))
    cursor.end()
    return statement


def _show_future(cursor: Cursor) -> ShowGrants:
    if cursor.accept("TO"):
        return ShowGrants("TO", grantee=_grantee(cursor), future=True)
    cursor.expect("IN")
    return ShowGrants("IN", future=True, within=read_container(cursor))


def _show_grants(cursor: Cursor) -> ShowGrants:
    if cursor.accept("ON"):
        return ShowGrants("ON", on=read_securable(cursor))
    if not cursor.at_one("TO", "OF"):
        return ShowGrants()
    relation = cursor.take().value
    if cursor.accept("SERVICE", "ROLE"):
        service, role = _service_role_name(cursor)
        return ShowGrants(relation, service=service, service_role=role)
    return ShowGrants(relation, grantee=_grantee(cursor))
