"""Which users are locked for too many wrong passwords. Kept by each daemon for itself."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from snowcave.model.names import fold


class LockoutSettings(Protocol):
    """A daemon's settings of its logins, as far as this goes."""

    @property
    def attempts(self) -> int:
        """Wrong passwords in a row before a user is locked."""
        ...

    @property
    def lock(self) -> float:
        """How long, in seconds."""
        ...

    @property
    def remembered(self) -> int:
        """Users whose wrong passwords are remembered."""
        ...


@dataclass(slots=True)
class _Failures:
    count: int = 0
    locked_until: float = 0.0


class Lockout:
    """Pure: time is an argument. Bounded by the number of remembered users."""

    def __init__(self, settings: LockoutSettings) -> None:
        self._settings = settings
        self._users: OrderedDict[str, _Failures] = OrderedDict()

    def locked(self, user: str, now: float) -> float:
        """Seconds until the user may try again; 0 where they may now."""
        known = self._users.get(_one(user))
        return max(0.0, known.locked_until - now) if known else 0.0

    def failed(self, user: str, now: float) -> None:
        name = _one(user)
        known = self._users.setdefault(name, _Failures())
        self._users.move_to_end(name)
        known.count += 1
        if known.count >= self._settings.attempts:
            known.count = 0
            known.locked_until = now + self._settings.lock
        while len(self._users) > self._settings.remembered:
            self._users.popitem(last=False)

    def succeeded(self, user: str) -> None:
        self._users.pop(_one(user), None)


def _one(user: str) -> str:
    """The same for every way to write a login name."""
    return fold(user).upper()
