"""Programmatic access tokens of users."""

from dataclasses import dataclass, field
from enum import Enum, auto

from snowcave.api.sql.options import Options


class TokenAction(Enum):
    ADD = auto()
    ROTATE = auto()
    REMOVE = auto()
    SET = auto()
    UNSET = auto()
    RENAME = auto()


@dataclass(frozen=True, slots=True)
class AlterToken:
    """ALTER USER … ADD, ROTATE, REMOVE and MODIFY PROGRAMMATIC ACCESS TOKEN. No user: the session's."""

    user: str | None
    action: TokenAction
    token: str
    user_if_exists: bool = False
    # ADD … IF NOT EXISTS; of the others, IF EXISTS.
    lenient: bool = False
    options: Options = field(default_factory=Options)
    unset: tuple[str, ...] = ()
    new_name: str = ""


@dataclass(frozen=True, slots=True)
class ShowTokens:
    """SHOW USER PROGRAMMATIC ACCESS TOKENS. No user: the session's."""

    user: str | None = None
