"""Watches: who hears of what, and how much may wait for one that is slow.

A watch that begins in the past reads the keyspace's history itself until it has caught up; from then on
the hub hands it every committed change of its range. What waits for it is bounded: a watch that falls too
far behind is cut, and its client begins again where it stopped.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from snowcave.statestore.mvcc import KeyRange, Keyspace
from snowcave.statestore.settings import Limits
from snowcave.store.etcdpb import kv_pb2 as kv
from snowcave.store.etcdpb import rpc_pb2 as pb

# Revisions that a watch that catches up reads at a time, so that others have their turn.
_CHUNK = 500
SLOW = "too slow: more waits for this watch than the store keeps for one"


@dataclass(eq=False, slots=True)
class Watcher:
    """`revision` is the next one it has not been given."""

    id: int
    within: KeyRange
    revision: int
    wake: Callable[[], None]
    without: frozenset[int] = frozenset()
    prev_kv: bool = False
    fragment: bool = False
    progress: bool = False
    # Handed changes by the hub, rather than reading history itself.
    live: bool = False
    cut: bool = False
    waiting: deque[kv.Event] = field(default_factory=deque[kv.Event])
    waiting_size: int = 0

    def wants(self, event: kv.Event) -> bool:
        return event.kv.mod_revision >= self.revision and event.type not in self.without


class Hub:
    """Knows every live watch by its range: many daemons follow the same prefixes."""

    def __init__(self, keys: Keyspace, limits: Limits) -> None:
        self._keys = keys
        self._limits = limits
        self._single: dict[bytes, set[Watcher]] = {}
        self._ranges: dict[KeyRange, set[Watcher]] = {}

    def publish(self, before: int, head: int) -> None:
        """Revisions after `before` up to `head` have been committed."""
        if not (self._single or self._ranges):
            return
        for revision in range(before + 1, head + 1):
            for version in self._keys.past(revision):
                watchers = self._concerned(version.key)
                if watchers:
                    event = version.event()
                    for watcher in watchers:
                        self._hand(watcher, event)

    def _concerned(self, key: bytes) -> list[Watcher]:
        found = list(self._single.get(key, ()))
        for within, watchers in self._ranges.items():
            if within.covers(key):
                found.extend(watchers)
        return found

    def _hand(self, watcher: Watcher, event: kv.Event) -> None:
        if watcher.cut or not watcher.wants(event):
            return
        watcher.waiting.append(event)
        watcher.waiting_size += len(event.kv.value)
        if (
            len(watcher.waiting) > self._limits.waiting_changes
            or watcher.waiting_size > self._limits.waiting_size
        ):
            watcher.waiting.clear()
            watcher.cut = True
        watcher.wake()

    def join(self, watcher: Watcher) -> None:
        watcher.live = True
        self._group(watcher).add(watcher)

    def leave(self, watcher: Watcher) -> None:
        if not watcher.live:
            return
        group = self._group(watcher)
        group.discard(watcher)
        if not group:
            self._ranges.pop(watcher.within, None)
            if not watcher.within.end:
                self._single.pop(watcher.within.key, None)

    def _group(self, watcher: Watcher) -> set[Watcher]:
        if watcher.within.end:
            return self._ranges.setdefault(watcher.within, set())
        return self._single.setdefault(watcher.within.key, set())

    def take(self, watcher: Watcher) -> list[kv.Event]:
        """What has come for it, whole revisions; joins it where it has caught up."""
        if watcher.live:
            events = list(watcher.waiting)
            watcher.waiting.clear()
            watcher.waiting_size = 0
            if events:
                watcher.revision = events[-1].kv.mod_revision + 1
            return self._dressed(watcher, events)
        last = min(self._keys.committed, watcher.revision + _CHUNK - 1)
        events = [
            event
            for revision in range(watcher.revision, last + 1)
            for version in self._keys.past(revision)
            if watcher.within.covers(version.key) and watcher.wants(event := version.event())
        ]
        watcher.revision = max(watcher.revision, last + 1)
        if last >= self._keys.committed:
            self.join(watcher)
        return self._dressed(watcher, events)

    def lost(self, watcher: Watcher) -> bool:
        """Whether what it should read next has been compacted."""
        return not watcher.live and watcher.revision <= self._keys.compacted

    def _dressed(self, watcher: Watcher, events: list[kv.Event]) -> list[kv.Event]:
        if not watcher.prev_kv:
            return events
        return [
            kv.Event(
                type=event.type,
                kv=event.kv,
                prev_kv=before.message() if before else None,
            )
            for event in events
            for before in (self._keys.at(event.kv.key, event.kv.mod_revision - 1),)
        ]


def responses(
    header: pb.ResponseHeader, watcher: Watcher, events: Iterable[kv.Event], size: int
) -> Iterable[pb.WatchResponse]:
    """Messages of about `size` bytes that never part a revision, but as marked fragments."""
    response = pb.WatchResponse(header=header, watch_id=watcher.id)
    filled, revision = 0, 0
    for event in events:
        if filled >= size:
            whole = event.kv.mod_revision != revision
            if whole or watcher.fragment:
                response.fragment = not whole
                yield response
                response = pb.WatchResponse(header=header, watch_id=watcher.id)
                filled = 0
        response.events.append(event)
        revision = event.kv.mod_revision
        filled += len(event.kv.value) + len(event.kv.key)
    if response.events:
        yield response
