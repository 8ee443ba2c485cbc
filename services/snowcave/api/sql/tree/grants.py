"""GRANT, REVOKE and SHOW GRANTS."""

from dataclasses import dataclass

from snowcave.api.sql.tree.shows import Scope
from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class Securable:
    """`domain` may be account; `all_in` names the container of ON ALL … IN, or ON FUTURE … IN."""

    domain: str
    name: ObjectName | None = None
    arguments: tuple[str, ...] | None = None
    all_in: Scope | None = None
    future: bool = False


@dataclass(frozen=True, slots=True)
class Grantee:
    """`kind` is role or user."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class GrantPrivileges:
    """GRANT or, with `revoke`, REVOKE. No privileges named: ALL.

    `grant_option`: WITH GRANT OPTION, or REVOKE GRANT OPTION FOR. `current_grants`: what becomes of them
    when ownership moves, COPY, REVOKE or not said. `cascade`: revoke also what the grantee granted.
    """

    privileges: tuple[str, ...]
    on: Securable
    grantee: Grantee
    grant_option: bool = False
    revoke: bool = False
    current_grants: str = ""
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class GrantCaller:
    """GRANT or REVOKE of what services of the grantee keep of their callers' rights. No privileges: ALL.

    `on` one object, or all of a kind in a container, which may be the account: INHERITED.
    """

    privileges: tuple[str, ...]
    on: Securable
    grantee: Grantee
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class ShowCallerGrants:
    """ON an object or the account, or TO the owner of services."""

    on: Securable | None = None
    grantee: Grantee | None = None


@dataclass(frozen=True, slots=True)
class GrantRole:
    role: str
    grantee: Grantee
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class GrantServiceRole:
    service: ObjectName
    role: str
    grantee: Grantee
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class ShowGrants:
    """`relation` ON, TO, OF; all empty: the current user's.

    `future`: SHOW FUTURE GRANTS, of the container `within` or TO a role.
    """

    relation: str = ""
    on: Securable | None = None
    grantee: Grantee | None = None
    # TO or OF SERVICE ROLE service!role
    service: ObjectName | None = None
    service_role: str = ""
    limit: int | None = None
    future: bool = False
    within: Scope | None = None
