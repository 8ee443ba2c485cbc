"""What is secret at rest: sealed with the installation's key, which is a file of the home and nowhere else.

AES-256-GCM. Each sealed value is bound to the object that it belongs to, so a value that somebody with
access to the store puts into another object does not open there. Replicas of api share the key as they share
the authority's certificate.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snowcave.model.errors import SealBroken

KEY_FILE = "secrets.key"  # the file's name, not a key
_KEY_BYTES = 32
_NONCE_BYTES = 12


def read_key(home: Path) -> bytes:
    """The key, made on first use, readable by its owner alone. Whole, or not there: never half of one."""
    path = home / KEY_FILE
    if not path.exists():
        unnamed = home / f".{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
        with open(unnamed, "wb", opener=_private) as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Of two that make one at once, the first one's counts.
            with suppress(FileExistsError):
                path.hardlink_to(unnamed)
        finally:
            unnamed.unlink()
    return path.read_bytes()


class Sealer:
    """`seal` and `unseal` bytes for one object, by its uid."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, uid: int, content: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, _bound_to(uid))

    def unseal(self, uid: int, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, _bound_to(uid))
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"object {uid}") from error


def _bound_to(uid: int) -> bytes:
    return f"snowcave object {uid}".encode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
