"""GRANT, REVOKE and SHOW GRANTS."""

from snowcave.api.sql.printing.shows import limit, scope
from snowcave.api.sql.printing.words import (
    arguments,
    domain_words,
    given,
    identifier,
    joined,
    name,
    plural_words,
)
from snowcave.api.sql.tree import (
    GrantCaller,
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Securable,
    ShowCallerGrants,
    ShowGrants,
)
from snowcave.model.names import ObjectName


def _verb(revoke: bool) -> str:
    return "REVOKE" if revoke else "GRANT"


def _grantee(of: Grantee) -> str:
    return f"{of.kind.upper()} {identifier(of.name)}"


def _whom(of: Grantee, revoke: bool) -> str:
    return joined("FROM" if revoke else "TO", _grantee(of))


def _service_role(service: ObjectName, role: str) -> str:
    return f"SERVICE ROLE {name(service)}!{identifier(role)}"


def securable(on: Securable) -> str:
    if on.domain == "account":
        return "ACCOUNT"
    if on.all_in is not None:
        many = "FUTURE" if on.future else "ALL"
        return joined(many, plural_words(on.domain), "IN", scope(on.all_in))
    assert on.name is not None
    return joined(domain_words(on.domain), name(on.name) + arguments(on.arguments))


def grant_privileges(it: GrantPrivileges) -> str:
    return joined(
        _verb(it.revoke),
        given(it.revoke and it.grant_option, "GRANT OPTION FOR"),
        ", ".join(it.privileges) or "ALL PRIVILEGES",
        "ON",
        securable(it.on),
        _whom(it.grantee, it.revoke),
        given(it.current_grants, f"{it.current_grants} CURRENT GRANTS"),
        given(not it.revoke and it.grant_option, "WITH GRANT OPTION"),
        given(it.cascade, "CASCADE"),
    )


def grant_caller(it: GrantCaller) -> str:
    inherited = given(it.on.all_in is not None, "INHERITED")
    some = joined(inherited, "CALLER", ", ".join(it.privileges))
    return joined(
        _verb(it.revoke),
        some if it.privileges else joined("ALL", inherited, "CALLER PRIVILEGES"),
        "ON",
        securable(it.on),
        _whom(it.grantee, it.revoke),
    )


def show_caller_grants(it: ShowCallerGrants) -> str:
    what = f"ON {securable(it.on)}" if it.on else ""
    return joined("SHOW CALLER GRANTS", what, f"TO {_grantee(it.grantee)}" if it.grantee else "")


def grant_role(it: GrantRole) -> str:
    return joined(_verb(it.revoke), "ROLE", identifier(it.role), _whom(it.grantee, it.revoke))


def grant_service_role(it: GrantServiceRole) -> str:
    role = _service_role(it.service, it.role)
    return joined(_verb(it.revoke), role, _whom(it.grantee, it.revoke))


def show_grants(it: ShowGrants) -> str:
    what = ""
    if it.on is not None:
        what = securable(it.on)
    elif it.grantee is not None:
        what = _grantee(it.grantee)
    elif it.service is not None:
        what = _service_role(it.service, it.service_role)
    elif it.within is not None:
        what = scope(it.within)
    future = given(it.future, "FUTURE")
    return joined("SHOW", future, "GRANTS", it.relation, what, limit(it.limit))
