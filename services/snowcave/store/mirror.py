"""One prefix of the store, decoded and kept up to date.

It lists at R, watches from R+1, and lists again after compaction. A mirror goes on with what it has
while the store is away; `stale` says for how long that has been.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from google.protobuf.message import DecodeError, Message

from snowcave.kit.clock import Clock, LoopClock, backoff
from snowcave.kit.tasks import background
from snowcave.model.errors import Unavailable
from snowcave.model.keys import KeySpace
from snowcave.store.api import (
    Change,
    CompactedError,
    Delete,
    Listing,
    Revision,
    Store,
    WatchBatch,
    Write,
)

log = structlog.get_logger()

M = TypeVar("M", bound=Message)
Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry(Generic[M]):
    message: M
    mod_revision: Revision
    create_revision: Revision


class Mirror(Generic[M]):
    """Read it at any time. Its messages are shared: copy one before changing it."""

    def __init__(self, space: KeySpace[M], clock: Clock) -> None:
        self._space = space
        self._heard = clock.monotonic()
        self._clock = clock
        # By the first part, then by all of them: most readers ask for what is under one node or service.
        self._entries: dict[str, dict[Parts, Entry[M]]] = {}
        self._subscribers: dict[int, Callable[[Parts, M | None], None]] = {}
        self._subscriptions = 0
        self._changed = asyncio.Event()
        self._unreadable: dict[str, Revision] = {}
        self.revision: Revision = 0
        # The revision of the last write that was learned of its writer; 0: none since the last listing.
        self._learned: Revision = 0
        # Values seen so far that were no such message; they count as absent.
        self.undecodable = 0

    def get(self, *parts: object) -> M | None:
        found = self.entry(*parts)
        return found.message if found else None

    def entry(self, *parts: object) -> Entry[M] | None:
        names = tuple(map(str, parts))
        group = self._entries.get(names[0])
        return group.get(names) if group else None

    def items(self, *under: object) -> Iterator[tuple[Parts, M]]:
        """All whose key begins with the given parts, as of now."""
        names = tuple(str(part) for part in under)
        groups = [self._entries.get(names[0], {})] if names else list(self._entries.values())
        for parts, entry in [item for group in groups for item in group.items()]:
            if parts[: len(names)] == names:
                yield parts, entry.message

    def values(self) -> Iterator[M]:
        return (message for _, message in self.items())

    def __len__(self) -> int:
        return sum(len(group) for group in self._entries.values())

    def stale(self, clock: Clock) -> float:
        """Seconds since the store last spoke; a few seconds are usual where nothing happens."""
        return clock.monotonic() - self._heard

    def subscribe(self, callback: Callable[[Parts, M | None], None]) -> Callable[[], None]:
        """Called for every change from now on, once the whole batch it came with is applied."""
        self._subscriptions += 1
        number = self._subscriptions
        self._subscribers[number] = callback
        return lambda: self._subscribers.pop(number, None) and None

    async def wait(self, predicate: Callable[["Mirror[M]"], bool]) -> None:
        while not predicate(self):
            await self._changed.wait()

    def digest(self) -> dict[str, object]:
        """Equal for mirrors that hold the same."""
        entries = {parts: e for group in self._entries.values() for parts, e in group.items()}
        digest = hashlib.sha256()
        for parts, entry in sorted(entries.items()):
            digest.update(f"{parts}{entry.mod_revision}{entry.create_revision}".encode())
            digest.update(entry.message.SerializeToString(deterministic=True))
        return {
            "revision": self.revision,
            "keys": len(entries),
            "sha256": digest.hexdigest(),
        }

    def replace(self, listing: Listing, under: str) -> None:
        """Become what the listing of the prefix `under` says; subscribers hear of the differences."""
        present = {item.key for item in listing.items}
        gone = [key for key in self._keys() if key.startswith(under) and key not in present]
        changes = [Change(key, None, listing.revision) for key in gone]
        changes += [
            Change(item.key, item.value, item.mod_revision, item.create_revision)
            for item in listing.items
            if not self._has(item.key, item.mod_revision)
        ]
        self._learned = 0
        self._advance(changes, listing.revision)

    def apply(self, batch: WatchBatch) -> None:
        fresh = batch.changes
        if self._learned:
            fresh = tuple(one for one in fresh if one.mod_revision > self._learned)
        self._advance(fresh, max(self.revision, batch.revision))

    def learn(self, writes: Iterable[Write], revision: Revision) -> None:
        """Become at once what a transaction of our own has made at `revision`, ahead of the watch.

        Only for a prefix that nobody else writes, or what others wrote before might be missed.
        """
        self._learned = revision
        self._advance([self._made(write, revision) for write in writes], revision)

    def _made(self, write: Write, revision: Revision) -> Change:
        if isinstance(write, Delete):
            return Change(write.key, None, revision)
        before = self.entry(*self._space.split(write.key))
        created = before.create_revision if before else revision
        return Change(write.key, write.value, revision, created, write.lease)

    def _advance(self, changes: Iterable[Change], revision: Revision) -> None:
        applied = [parts for change in changes if (parts := self._applied(change)) is not None]
        self.revision = revision
        self._heard = self._clock.monotonic()
        for parts in applied:
            message = self.get(*parts)
            for callback in list(self._subscribers.values()):
                callback(parts, message)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _applied(self, change: Change) -> Parts | None:
        """The parts of the key, where the change made a difference to a reader."""
        parts = self._space.split(change.key)
        if change.value is not None:
            message = self._decoded(change, parts, change.value)
            if message is not None:
                entry = Entry(message, change.mod_revision, change.create_revision)
                self._entries.setdefault(parts[0], {})[parts] = entry
                return parts
        else:
            self._unreadable.pop(change.key, None)
        group = self._entries.get(parts[0], {})
        was_there = group.pop(parts, None) is not None
        if not group:
            self._entries.pop(parts[0], None)
        return parts if was_there else None

    def _decoded(self, change: Change, parts: Parts, value: bytes) -> M | None:
        try:
            if len(parts) == len(self._space.parts):
                return self._space.message.FromString(value)
            reason = f"want the parts {self._space.parts}"
        except DecodeError as error:
            reason = str(error)
        if self._unreadable.get(change.key) != change.mod_revision:
            self._unreadable[change.key] = change.mod_revision
            self.undecodable += 1
            log.error("value_not_decoded", key=change.key, reason=reason)
        return None

    def _has(self, key: str, mod_revision: Revision) -> bool:
        entry = self.entry(*self._space.split(key))
        return entry is not None and entry.mod_revision == mod_revision

    def _keys(self) -> list[str]:
        return [self._space.key(*parts) for parts, _ in self.items()]


@asynccontextmanager
async def follow(
    store: Store,
    space: KeySpace[M],
    *under: object,
    clock: Clock = LoopClock(),  # noqa: B008  # stateless
    rng: random.Random | None = None,
    patience: float = 60.0,
) -> AsyncGenerator[Mirror[M]]:
    """Entered once the prefix has been listed; raises Unavailable where that takes longer than `patience`."""
    following = _Following(
        store, space.under(*under), Mirror(space, clock), rng or random.Random()
    )
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(patience):
                start = await following.list()
        except TimeoutError as error:
            raise Unavailable(f"No listing of {space.prefix} within {patience:g} s.") from error
        await stack.enter_async_context(background(following.run(start)))
        yield following.mirror


@dataclass
class _Following(Generic[M]):
    """Keeps one mirror fed."""

    store: Store
    prefix: str
    mirror: Mirror[M]
    rng: random.Random

    async def run(self, revision: Revision) -> None:
        while True:
            try:
                await self._watch(revision + 1)
            except CompactedError as error:
                log.info("mirror_listing_again", prefix=self.prefix, oldest=error.oldest)
            revision = await self.list()

    async def _watch(self, revision: Revision) -> None:
        batches = self.store.watch(self.prefix, revision)
        try:
            async for batch in batches:
                self.mirror.apply(batch)
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()

    async def list(self) -> Revision:
        """Endless tries: a mirror outlives the store's absence."""
        delays = backoff(self.rng, base=0.1, cap=2.0)
        while True:
            try:
                listing = await self.store.list(self.prefix)
            except Unavailable as error:
                log.warning("mirror_not_listed", prefix=self.prefix, error=error.message)
                await asyncio.sleep(next(delays))
            else:
                self.mirror.replace(listing, self.prefix)
                return listing.revision
