"""Is it the password: the work of hashing, bounded, and spared for passwords that were right before."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from snowcave.model.errors import Exhausted

# Hashing a password takes tens of milliseconds and 64 MiB; no more than this at once.
_HASHING_AT_ONCE = 4
# Nor do more than this wait for it: a few seconds of work.
_WAITING = 128
_REMEMBERED = 256

# Verified against where there is no such user, so that the answer takes as long.
_NOBODY = PasswordHasher().hash(secrets.token_hex(8))


class Passwords:
    """Of all users together. Remembers keyed digests of those that were right, and nothing else."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(_HASHING_AT_ONCE)
        self._waiting = 0
        # Of (user, stored hash, password): docker sends Basic each time.
        self._salt = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def match(self, user: str, stored: str, password: str) -> bool:
        """Whether `stored` is a hash of it; never where that is empty, after the same work.

        Raises Exhausted where too many wait.
        """
        parts = [user.encode(), stored.encode(), password.encode()]
        known = hashlib.blake2b(b"\0".join(parts), key=self._salt).digest()
        if known in self._right:
            self._right.move_to_end(known)
            return True
        right = await self._in_turn(stored or _NOBODY, password)
        if not right or not stored:
            return False
        self._right[known] = None
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        return True

    async def _in_turn(self, stored: str, password: str) -> bool:
        if self._waiting >= _WAITING:
            raise Exhausted("Too many logins at once. Try again later.")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(self._verify, stored, password)
        finally:
            self._waiting -= 1

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False
