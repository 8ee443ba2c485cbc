"""Statements as values. Names are folded; nothing is resolved against the catalog yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from snowcave.api.sql.options import Options
from snowcave.api.sql.types import DataType
from snowcave.model.names import ObjectName
from snowcave.model.stage_path import StagePath

Literal = str | int | float | bool | None


class Existing(Enum):
    """What CREATE does where the name is taken."""

    FAIL = auto()
    REPLACE = auto()
    KEEP = auto()
    ALTER = auto()


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE of an object that is a name with properties. `domain` as in `keys.DOMAINS`."""

    domain: str
    name: ObjectName
    existing: Existing
    options: Options = field(default_factory=Options)
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SpecSource:
    """FROM SPECIFICATION …: the text itself, or a file on a stage.

    With `values` it is a template; each value is text and whether it stood between quotes.
    """

    text: str = ""
    stage: StagePath | None = None
    file: str = ""
    values: Mapping[str, tuple[str, bool]] | None = None


@dataclass(frozen=True, slots=True)
class CreateService:
    name: ObjectName
    existing: Existing
    compute_pool: str
    source: SpecSource
    options: Options


@dataclass(frozen=True, slots=True)
class ExecuteJob:
    """No name: one is made of the statement's query id."""

    name: ObjectName | None
    compute_pool: str
    source: SpecSource
    options: Options


@dataclass(frozen=True, slots=True)
class CreateFunction:
    name: ObjectName
    existing: Existing
    arguments: tuple[tuple[str, DataType], ...]
    returns: DataType
    strict: bool
    immutable: bool
    path: str
    options: Options


class Action(Enum):
    SUSPEND = auto()
    RESUME = auto()
    SET = auto()
    UNSET = auto()
    FROM_SPECIFICATION = auto()
    STOP_ALL = auto()
    ABORT_ALL = auto()
    RENAME = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Alter:
    domain: str
    name: ObjectName
    if_exists: bool
    action: Action
    options: Options = field(default_factory=Options)
    unset: tuple[str, ...] = ()
    source: SpecSource | None = None
    new_name: ObjectName | None = None
    # Base types of a function's arguments.
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    domain: str
    name: ObjectName
    if_exists: bool
    force: bool = False
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Describe:
    domain: str
    name: ObjectName
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """IN …: `domain` is account, database, schema or another domain; no name: the session's."""

    domain: str
    name: ObjectName | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """`kind` in words: SERVICES, COMPUTE POOLS, SERVICE CONTAINERS, …"""

    kind: str
    terse: bool = False
    like: str | None = None
    scope: Scope | None = None
    starts_with: str | None = None
    limit: int | None = None
    from_name: str | None = None
    # JOB SERVICES, EXCLUDE JOBS.
    flags: frozenset[str] = frozenset()


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


@dataclass(frozen=True, slots=True)
class Use:
    """`what`: role, database, schema, warehouse, secondary_roles, or empty for USE name."""

    what: str
    name: ObjectName


@dataclass(frozen=True, slots=True)
class SetParameters:
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnsetParameters:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShowParameters:
    like: str | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class SystemCall:
    """SELECT or CALL of one of our SYSTEM$ functions. `column` names the result."""

    function: str
    arguments: tuple[Literal, ...]
    column: str


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """CALL service!SPCS_…(…)."""

    service: ObjectName
    function: str
    arguments: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class PutFiles:
    """`local` is what stands after file://; the client expands what stars are in it."""

    local: str
    stage: StagePath
    options: Options


@dataclass(frozen=True, slots=True)
class GetFiles:
    stage: StagePath
    local: str
    options: Options


@dataclass(frozen=True, slots=True)
class ListFiles:
    stage: StagePath
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    stage: StagePath
    pattern: str = ""


Statement = (
    Create
    | CreateService
    | ExecuteJob
    | CreateFunction
    | Alter
    | Drop
    | Describe
    | Show
    | GrantPrivileges
    | GrantRole
    | GrantServiceRole
    | ShowGrants
    | Use
    | SetParameters
    | UnsetParameters
    | ShowParameters
    | PutFiles
    | GetFiles
    | ListFiles
    | RemoveFiles
    | SystemCall
    | ServiceCall
)
