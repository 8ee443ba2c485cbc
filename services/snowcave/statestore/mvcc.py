"""All keys with their past, in memory. No I/O: the journal makes it last, the server makes it heard.

`head` is the newest revision, `committed` the newest that is on disk. Writes see the head; whoever reads
from outside sees what is committed. A version is an etcd KeyValue, a deletion one whose `version` is 0.
"""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from snowcave.store.etcdpb import kv_pb2 as kv

# Every key from `key` on; etcd writes it as a range end of one zero byte.
_TO_THE_END = b"\0"
# What a version weighs beside its key and value, roughly.
_OVERHEAD = 100


@dataclass(frozen=True, slots=True)
class KeyRange:
    """`key` alone where `end` is empty, else all from `key` up to, not including, `end`."""

    key: bytes
    end: bytes = b""

    def covers(self, key: bytes) -> bool:
        if not self.end:
            return key == self.key
        return self.key <= key and (self.end == _TO_THE_END or key < self.end)


@dataclass(frozen=True, slots=True)
class Past:
    """What one revision did, in order."""

    events: tuple[kv.Event, ...]
    size: int


class Keyspace:
    """Empty at revision 1, as etcd's is."""

    def __init__(self) -> None:
        self.head = 1
        self.committed = 1
        self.compacted = 0
        # Bytes of all versions that are kept.
        self.size = 0
        self._chains: dict[bytes, list[kv.KeyValue]] = {}
        self._order: list[bytes] = []
        # Revision r is at r - self._first.
        self._log: list[Past] = []
        self._first = 2
        self._log_size = 0

    # ------------------------------------------------------------ reading

    def at(self, key: bytes, revision: int) -> kv.KeyValue | None:
        """The key as it was at a revision; None where it did not exist."""
        for version in reversed(self._chains.get(key, ())):
            if version.mod_revision <= revision:
                return version if version.version else None
        return None

    def scan(self, within: KeyRange, revision: int) -> Iterator[kv.KeyValue]:
        """The keys of the range as of a revision, in order."""
        for key in self.keys(within):
            if found := self.at(key, revision):
                yield found

    def keys(self, within: KeyRange) -> list[bytes]:
        """Every key of the range that has any version left."""
        if not within.end:
            return [within.key] if within.key in self._chains else []
        start = bisect.bisect_left(self._order, within.key)
        if within.end == _TO_THE_END:
            return self._order[start:]
        return self._order[start : bisect.bisect_left(self._order, within.end)]

    def past(self, revision: int) -> Past:
        """What a revision after `compacted` did."""
        return self._log[revision - self._first]

    def size_of(self, revision: int) -> int:
        """Bytes that a revision after `compacted` wrote."""
        return self.past(revision).size

    @property
    def history(self) -> tuple[int, int]:
        """Revisions and bytes that a compaction could forget."""
        return len(self._log), self._log_size

    # ------------------------------------------------------------ writing

    def put(self, revision: int, key: bytes, value: bytes, lease: int) -> kv.KeyValue:
        old = self.at(key, revision)
        version = kv.KeyValue(
            key=key,
            value=value,
            create_revision=old.create_revision if old else revision,
            mod_revision=revision,
            version=old.version + 1 if old else 1,
            lease=lease,
        )
        self._append(version)
        return version

    def delete(self, revision: int, key: bytes) -> kv.KeyValue:
        version = kv.KeyValue(key=key, mod_revision=revision)
        self._append(version)
        return version

    def _append(self, version: kv.KeyValue) -> None:
        chain = self._chains.get(version.key)
        if chain is None:
            chain = self._chains[version.key] = []
            bisect.insort(self._order, version.key)
        chain.append(version)
        self.size += _weight(version)

    def close(self, revision: int, versions: list[kv.KeyValue]) -> None:
        """The revision is whole: it becomes the head."""
        events = tuple(_event(version) for version in versions)
        size = sum(_weight(version) for version in versions)
        self._log.append(Past(events, size))
        self._log_size += size
        self.head = revision

    def restore(self, compacted: int, versions: Iterator[kv.KeyValue]) -> None:
        """Fill an empty keyspace from the versions on disk, in the order they were made."""
        self.compacted = compacted
        self._first = max(compacted + 1, 2)
        self.head = self._first - 1
        batch: list[kv.KeyValue] = []
        for version in versions:
            self._append(version)
            if version.mod_revision <= compacted:
                continue
            if batch and batch[0].mod_revision != version.mod_revision:
                self.close(batch[0].mod_revision, batch)
                batch = []
            batch.append(version)
        if batch:
            self.close(batch[0].mod_revision, batch)
        self.committed = self.head

    def compact(self, revision: int) -> list[kv.KeyValue]:
        """Forget what was before `revision` and is not any more at it; gives the forgotten versions."""
        touched = dict.fromkeys(
            event.kv.key
            for past in self._log[: revision - self._first + 1]
            for event in past.events
        )
        self._log_size -= sum(past.size for past in self._log[: revision - self._first + 1])
        del self._log[: revision - self._first + 1]
        self.compacted, self._first = revision, revision + 1
        forgotten = [version for key in touched for version in self._prune(key, revision)]
        self.size -= sum(_weight(version) for version in forgotten)
        if any(key not in self._chains for key in touched):
            self._order = [key for key in self._order if key in self._chains]
        return forgotten

    def _prune(self, key: bytes, revision: int) -> list[kv.KeyValue]:
        chain = self._chains[key]
        later = next((i for i, v in enumerate(chain) if v.mod_revision > revision), len(chain))
        # The newest version that is not later is what the key still is, unless it is a deletion.
        keep = later - 1 if later and chain[later - 1].version else later
        self._chains[key] = chain[keep:]
        if not self._chains[key]:
            del self._chains[key]
        return chain[:keep]


def _event(version: kv.KeyValue) -> kv.Event:
    kind = kv.Event.PUT if version.version else kv.Event.DELETE
    return kv.Event(type=kind, kv=version)


def _weight(version: kv.KeyValue) -> int:
    return len(version.key) + len(version.value) + _OVERHEAD
