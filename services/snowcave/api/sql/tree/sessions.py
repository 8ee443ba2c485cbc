"""What changes a session."""

from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class Use:
    """`what`: role, database, schema, warehouse, secondary_roles, or empty for USE name."""

    what: str
    name: ObjectName


@dataclass(frozen=True, slots=True)
class SetParameters:
    """Of the session, or of the account."""

    values: Mapping[str, str]
    account: bool = False


@dataclass(frozen=True, slots=True)
class UnsetParameters:
    names: tuple[str, ...]
    account: bool = False
