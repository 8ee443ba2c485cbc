"""A Store in memory: same promises as the real one, no I/O, time from the event loop.

    backend = MemoryBackend()
    api, scheduler = MemoryStore(Role.API, backend), MemoryStore(Role.SCHEDULER, backend)

Every store of a backend sees one state. `backend.available = False` takes the store away from all,
`store.reachable = False` cuts off one, `store.losing_answers = True` lets its writes happen and
raise Unavailable; `backend.compact()` forgets history, so that watchers which are
behind (cut off meanwhile, for instance) have to list again. `backend.latency` gives each call its delay.
"""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Conflict, Unavailable, ValueInvalid
from snowcave.model.keys import Role
from snowcave.store import guard
from snowcave.store.api import (
    Change,
    CompactedError,
    Compare,
    Delete,
    KeyValue,
    LeaseId,
    Listing,
    Put,
    Revision,
    TxnResult,
    WatchBatch,
    Write,
)
from snowcave.store.lease import KeptLease, kept


@dataclass
class _Lease:
    ttl: float
    timer: asyncio.TimerHandle


class MemoryBackend:
    """The state that stores share. `progress`: seconds between signs of life on an idle watch."""

    def __init__(
        self, *, latency: Callable[[], float] = lambda: 0.0, progress: float = 5.0
    ) -> None:
        self.revision: Revision = 1
        self.compacted: Revision = 0
        self.latency = latency
        self.progress = progress
        self._available = True
        self._items: dict[str, KeyValue] = {}
        self._history: list[tuple[Revision, tuple[Change, ...]]] = []
        self._leases: dict[LeaseId, _Lease] = {}
        self._granted = 0
        self._observers: list[Callable[[Revision, Sequence[Change]], None]] = []
        # By prefix: who watches it waits for this.
        self._news: dict[str, asyncio.Event] = {}

    @property
    def available(self) -> bool:
        return self._available

    @available.setter
    def available(self, value: bool) -> None:
        self._available = value
        self.wake()

    def wake(self, changes: Sequence[Change] | None = None) -> None:
        """Let the watches look again that these changes are for, or all."""
        for prefix in list(self._news):
            if changes is None or any(change.key.startswith(prefix) for change in changes):
                self._news.pop(prefix).set()

    async def wait_news(self, prefix: str) -> bool:
        """Whether there may be some; False where nothing has happened for long."""
        news = self._news.setdefault(prefix, asyncio.Event())
        try:
            async with asyncio.timeout(self.progress):
                await news.wait()
        except TimeoutError:
            return False
        return True

    def observe(
        self, observer: Callable[[Revision, Sequence[Change]], None]
    ) -> Callable[[], None]:
        """Called with every revision at the moment in which it is made."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    @property
    def leases(self) -> frozenset[LeaseId]:
        """Those that live."""
        return frozenset(self._leases)

    def get(self, key: str) -> KeyValue | None:
        return self._items.get(key)

    def listing(self, prefix: str) -> Listing:
        items = [item for key, item in sorted(self._items.items()) if key.startswith(prefix)]
        return Listing(self.revision, tuple(items))

    def apply(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        if not all(self._holds(compare) for compare in compares):
            return TxnResult(succeeded=False, revision=self.revision)
        _refuse_twice(writes)
        for write in writes:
            if isinstance(write, Put) and write.lease and write.lease not in self._leases:
                raise Conflict("The lease is gone.")
        revision = self.revision + 1
        changes = tuple(change for write in writes for change in self._written(write, revision))
        if changes:
            self.revision = revision
            self._history.append((revision, changes))
            for observer in self._observers:
                observer(revision, changes)
            self.wake(changes)
        return TxnResult(succeeded=True, revision=self.revision)

    def _holds(self, compare: Compare) -> bool:
        item = self._items.get(compare.key)
        modified = item.mod_revision if item else 0
        created = item.create_revision if item else 0
        return compare.mod_revision in (None, modified) and compare.create_revision in (
            None,
            created,
        )

    def _written(self, write: Write, revision: Revision) -> list[Change]:
        if isinstance(write, Delete):
            found = [k for k in sorted(self._items) if _covers(write, k)]
            for key in found:
                del self._items[key]
            return [Change(key, None, revision) for key in found]
        old = self._items.get(write.key)
        created = old.create_revision if old else revision
        version = old.version + 1 if old else 1
        self._items[write.key] = KeyValue(
            write.key, write.value, created, revision, version, write.lease
        )
        return [Change(write.key, write.value, revision, created, write.lease)]

    def changes_since(self, revision: Revision, prefix: str) -> WatchBatch:
        """What a watch from `revision` has to tell by now."""
        if revision <= self.compacted:
            raise CompactedError(self.compacted)
        start = bisect_left(self._history, revision, key=lambda entry: entry[0])
        found = [
            change
            for _, changes in self._history[start:]
            for change in changes
            if change.key.startswith(prefix)
        ]
        return WatchBatch(self.revision, tuple(found))

    def compact(self, revision: Revision | None = None) -> None:
        """Forget the history up to `revision` (by default all of it)."""
        self.compacted = self.revision if revision is None else revision
        self._history = [entry for entry in self._history if entry[0] > self.compacted]

    def grant(self, ttl: float) -> LeaseId:
        self._granted += 1
        self._leases[self._granted] = _Lease(ttl, self._timer(self._granted, ttl))
        return self._granted

    def keep_alive(self, lease_id: LeaseId) -> float:
        lease = self._leases.get(lease_id)
        if lease is None:
            return 0.0
        lease.timer.cancel()
        lease.timer = self._timer(lease_id, lease.ttl)
        return lease.ttl

    def revoke(self, lease_id: LeaseId) -> None:
        """Also what happens when it expires: its keys go, all in one revision."""
        lease = self._leases.pop(lease_id, None)
        if lease is not None:
            lease.timer.cancel()
            held = [key for key, item in sorted(self._items.items()) if item.lease == lease_id]
            self.apply((), [Delete(key) for key in held])

    def _timer(self, lease_id: LeaseId, ttl: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ttl, self.revoke, lease_id)


def _covers(delete: Delete, key: str) -> bool:
    return key.startswith(delete.key) if delete.prefix else key == delete.key


def _refuse_twice(writes: Sequence[Write]) -> None:
    put = [write.key for write in writes if isinstance(write, Put)]
    deleted = [write for write in writes if isinstance(write, Delete)]
    if len(put) > len(set(put)) or any(_covers(d, key) for d in deleted for key in put):
        raise ValueInvalid("The state store refuses the request: duplicate key")


class MemoryStore:
    """A Store of `role` over a shared backend."""

    def __init__(self, role: Role, backend: MemoryBackend | None = None) -> None:
        self._role = role
        self._clock = LoopClock()
        self.backend = backend or MemoryBackend()
        self._reachable = True
        self.losing_answers = False

    @property
    def role(self) -> Role:
        return self._role

    @property
    def reachable(self) -> bool:
        """Whether this one store's calls get through."""
        return self._reachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self._reachable = value
        self.backend.wake()

    @property
    def _connected(self) -> bool:
        return self._reachable and self.backend.available

    async def _call(self) -> None:
        """The way to the store; raises Unavailable."""
        await asyncio.sleep(self.backend.latency())
        if not self._connected:
            raise Unavailable("The state store does not answer.")

    async def _answer(self) -> None:
        """The way back."""
        await asyncio.sleep(self.backend.latency())
        if self.losing_answers:
            raise Unavailable("The state store does not answer.")

    async def get(self, key: str) -> KeyValue | None:
        await self._call()
        return self.backend.get(key)

    async def get_many(self, keys: Sequence[str]) -> list[KeyValue | None]:
        await self._call()
        return [self.backend.get(key) for key in keys]

    async def list(self, prefix: str, *, keys_only: bool = False) -> Listing:
        await self._call()
        listing = self.backend.listing(prefix)
        if keys_only:
            bare = tuple(replace(item, value=b"") for item in listing.items)
            return Listing(listing.revision, bare)
        return listing

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        guard.demand(self._role, [write.key for write in writes])
        await self._call()
        result = self.backend.apply(compares, writes)
        await self._answer()
        return result

    async def put(self, key: str, value: bytes, *, lease: LeaseId = 0) -> Revision:
        return (await self.txn((), [Put(key, value, lease)])).revision

    async def delete(self, key: str) -> bool:
        guard.demand(self._role, [key])
        await self._call()
        before = self.backend.get(key)
        self.backend.apply((), [Delete(key)])
        await self._answer()
        return before is not None

    async def watch(self, prefix: str, from_revision: Revision) -> AsyncGenerator[WatchBatch]:
        revision, silent = from_revision or self.backend.revision + 1, True
        while True:
            if self._connected and (silent or self.backend.revision >= revision):
                batch = self.backend.changes_since(revision, prefix)
                revision = max(revision, batch.revision + 1)
                if batch.changes or silent:
                    silent = False
                    await asyncio.sleep(self.backend.latency())
                    yield batch
                    continue
            silent = not await self.backend.wait_news(prefix)

    @asynccontextmanager
    async def lease(self, ttl: float) -> AsyncGenerator[KeptLease]:
        sent = self._clock.monotonic()
        await self._call()
        lease = KeptLease(self.backend.grant(ttl), ttl, sent, self._clock)
        async with kept(lease, self._refresh, self._revoke, patience=5.0):
            yield lease

    async def _refresh(self, lease_id: LeaseId) -> float:
        await self._call()
        return self.backend.keep_alive(lease_id)

    async def _revoke(self, lease_id: LeaseId) -> None:
        await self._call()
        self.backend.revoke(lease_id)
