"""Credentials that the registry makes itself: sealed texts with an end, checked without a store.

A text is `<payload>.<HMAC-SHA-256>`, both base64url. The key is a file of the registry's folder, so
a token outlives a restart and dies with the installation.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from snowcave.kit.clock import Clock
from snowcave.registry.errors import Unauthorized

_KEY_BYTES = 32
_LONGEST = 8192


def read_key(path: Path) -> bytes:
    """The key in this file, made on first use, readable by its owner alone."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(made, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        # A crash between creating and writing: nothing was sealed with it yet.
        path.unlink()
        return read_key(path)
    return key


@dataclass(frozen=True, slots=True)
class UserToken:
    """Stands for a user who has logged in; what they may do is looked up on every use."""

    user: int
    session: int
    # uid of the only role that counts, where what they logged in with says so; 0: any.
    role: int = 0


@dataclass(frozen=True, slots=True)
class NodeToken:
    """Lets a node pull from one repository, until `ends` (seconds since 1970)."""

    repository: str
    ends: float


class Sealer:
    """Makes and opens tokens."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def for_user(self, user: int, session: int, seconds: float, role: int = 0) -> str:
        return self._dated({"u": user, "s": session, "o": role}, seconds)

    def for_node(self, repository: str, seconds: float) -> str:
        return self._dated({"r": repository}, seconds)

    def seconds_left(self, ends: float) -> float:
        return max(0.0, ends - self._clock.now().timestamp())

    def open(self, text: str) -> UserToken | NodeToken:
        """Raises Unauthorized where it is not ours or has ended."""
        fields = self.unseal("token", text)
        if fields is None:
            raise Unauthorized("the token is not one of this registry")
        if float(fields["e"]) <= self._clock.now().timestamp():
            raise Unauthorized("the token has expired")
        if "r" in fields:
            return NodeToken(str(fields["r"]), float(fields["e"]))
        return UserToken(int(fields["u"]), int(fields["s"]), int(fields.get("o", 0)))

    def seal(self, purpose: str, fields: dict[str, Any]) -> str:
        """A text that only `unseal` with the same purpose opens."""
        payload = _encode(orjson.dumps(fields))
        return f"{payload}.{_encode(self._mac(purpose, payload))}"

    def unseal(self, purpose: str, text: str) -> dict[str, Any] | None:
        """None where the text is not one of ours."""
        payload, _, mac = text.partition(".")
        if len(text) > _LONGEST or not hmac.compare_digest(
            _decode(mac), self._mac(purpose, payload)
        ):
            return None
        return orjson.loads(_decode(payload))

    def _dated(self, fields: dict[str, Any], seconds: float) -> str:
        ends = self._clock.now().timestamp() + seconds
        return self.seal("token", {**fields, "e": ends})

    def _mac(self, purpose: str, payload: str) -> bytes:
        return hmac.new(self._key, f"{purpose}\0{payload}".encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
