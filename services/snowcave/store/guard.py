"""Which role may write what. The client refuses before it sends, the embedded store before it applies."""

from collections.abc import Iterable

from snowcave.model import keys
from snowcave.model.errors import NotAuthorized
from snowcave.model.keys import Role


def may_write(role: Role, key: str) -> bool:
    """Whether `key` (or every key that begins with it) is one that `role` writes."""
    return role is not Role.ADMIN and keys.writer_of(key) is role


def demand(role: Role, touched: Iterable[str]) -> None:
    """Raises NotAuthorized on the first key that another role writes."""
    for key in touched:
        if not may_write(role, key):
            raise NotAuthorized(f"key '{key}' of the state store as {role}")
