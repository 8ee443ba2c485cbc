"""What the rest of Snowcave knows of the state store. `open_store` makes one; tests may make another.

Everything raises `Unavailable` where the store does not answer within its deadline, and
`Conflict` where a lease is gone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from snowcave.model.keys import Role

Revision = int
LeaseId = int


@dataclass(frozen=True, slots=True)
class KeyValue:
    key: str
    value: bytes
    create_revision: Revision
    mod_revision: Revision
    version: int
    lease: LeaseId = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """All keys under a prefix as of `revision`."""

    revision: Revision
    items: tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """Holds when the key's revision equals the given one; 0 says that the key must not exist."""

    key: str
    mod_revision: Revision | None = None
    create_revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Put:
    key: str
    value: bytes
    lease: LeaseId = 0


@dataclass(frozen=True, slots=True)
class Delete:
    key: str
    # All keys with this prefix.
    prefix: bool = False


Write = Put | Delete


@dataclass(frozen=True, slots=True)
class TxnResult:
    succeeded: bool
    revision: Revision


@dataclass(frozen=True, slots=True)
class Change:
    """`value` None: deleted at `mod_revision`."""

    key: str
    value: bytes | None
    mod_revision: Revision
    create_revision: Revision = 0
    lease: LeaseId = 0


@dataclass(frozen=True, slots=True)
class WatchBatch:
    """Changes of one or more whole revisions, in order; never a part of a transaction."""

    revision: Revision
    changes: tuple[Change, ...] = field(default=())


class CompactedError(Exception):
    """The revision to watch from is gone: list again. Mirrors do this by themselves."""

    def __init__(self, oldest: Revision) -> None:
        super().__init__(f"compacted up to {oldest}")
        self.oldest = oldest


class StoreLease(Protocol):
    """Kept alive in the background while its context is open, revoked when it is left."""

    @property
    def id(self) -> LeaseId: ...

    @property
    def lost(self) -> bool:
        """True once the store has let it expire: a new one is needed."""
        ...

    async def wait_lost(self) -> None: ...


class Store(Protocol):
    @property
    def role(self) -> Role: ...

    async def get(self, key: str) -> KeyValue | None: ...

    async def get_many(self, keys: Sequence[str]) -> list[KeyValue | None]:
        """At one revision, in this order; at most 128."""
        ...

    async def list(self, prefix: str, *, keys_only: bool = False) -> Listing:
        """Pages internally, at one revision."""
        ...

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        """All writes, or none where a compare does not hold. A key of another role raises NotAuthorized."""
        ...

    async def put(self, key: str, value: bytes, *, lease: LeaseId = 0) -> Revision: ...

    async def delete(self, key: str) -> bool:
        """Whether it was there."""
        ...

    def watch(self, prefix: str, from_revision: Revision) -> AsyncIterator[WatchBatch]:
        """Endless; reconnects by itself without losing or doubling a change. Raises CompactedError.

        Yields an empty batch as a sign of life now and then, so that staleness can be told.
        """
        ...

    def lease(self, ttl: float) -> AbstractAsyncContextManager[StoreLease]:
        """ttl in seconds."""
        ...
