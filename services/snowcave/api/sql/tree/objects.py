"""CREATE, ALTER, DROP and DESCRIBE of objects that are a name with properties."""

from dataclasses import dataclass, field
from enum import Enum, auto

from snowcave.api.sql.options import Options
from snowcave.api.sql.tree.specifications import SpecSource
from snowcave.model.names import ObjectName


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


class Action(Enum):
    SUSPEND = auto()
    RESUME = auto()
    SET = auto()
    UNSET = auto()
    FROM_SPECIFICATION = auto()
    STOP_ALL = auto()
    ABORT_ALL = auto()
    RENAME = auto()
    SET_TAG = auto()
    UNSET_TAG = auto()
    # ALLOWED_VALUES of a tag.
    ADD_VALUES = auto()
    DROP_VALUES = auto()
    # All rows of an event table.
    TRUNCATE = auto()
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
    # UNSET TAG; what SET TAG gave is in the options.
    unset_tags: tuple[ObjectName, ...] = ()
    # Base types of a function's arguments.
    arguments: tuple[str, ...] | None = None
    # STOP ALL OF TYPE …; none: all.
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    domain: str
    name: ObjectName
    if_exists: bool
    force: bool = False
    arguments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Undrop:
    domain: str
    name: ObjectName


@dataclass(frozen=True, slots=True)
class Describe:
    domain: str
    name: ObjectName
    arguments: tuple[str, ...] | None = None
