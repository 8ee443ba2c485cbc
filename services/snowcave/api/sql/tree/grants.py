"""GRANT, REVOKE and SHOW GRANTS."""

from dataclasses import dataclass

from snowcave.api.sql.tree.shows import Scope
from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class Securable:
    """`domain` may be account; `all_in` names the container of ON ALL … IN."""

    domain: str
    name: ObjectName | None = None
    arguments: tuple[str, ...] | None = None
    all_in: Scope | None = None


@dataclass(frozen=True, slots=True)
class Grantee:
    """`kind` is role or user."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class GrantPrivileges:
    """GRANT or, with `revoke`, REVOKE. No privileges named: ALL."""

    privileges: tuple[str, ...]
    on: Securable
    grantee: Grantee
    grant_option: bool = False
    revoke: bool = False


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
    """`relation` ON, TO, OF; all empty: the current user's."""

    relation: str = ""
    on: Securable | None = None
    grantee: Grantee | None = None
    # TO or OF SERVICE ROLE service!role
    service: ObjectName | None = None
    service_role: str = ""
    limit: int | None = None
