"""All keys with their past, in memory. No I/O: the journal makes it last, the server makes it heard.

`head` is the newest revision, `committed` the newest that is on disk. Writes see the head; whoever reads
from outside sees what is committed.
"""

import bisect
from collections.abc import Iterator, Sequence
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


@dataclass(slots=True)
class Version:
    """A key as one revision made it, never changed afterwards; a deletion where `version` is 0.

    Fields are etcd's. Messages are made of it only where somebody reads it: most versions nobody does.
    """

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int

    @property
    def weight(self) -> int:
        return len(self.key) + len(self.value) + _OVERHEAD

    def message(self) -> kv.KeyValue:
        return kv.KeyValue(
            key=self.key,
            value=self.value,
            create_revision=self.create_revision,
            mod_revision=self.mod_revision,
            version=self.version,
            lease=self.lease,
        )

    def event(self) -> kv.Event:
        if self.version:
            return kv.Event(type=kv.Event.PUT, kv=self.message())
        gone = kv.KeyValue(key=self.key, mod_revision=self.mod_revision)
        return kv.Event(type=kv.Event.DELETE, kv=gone)


class Keyspace:
    """Empty at revision 1, as etcd's is."""

    def __init__(self) -> None:
        self.head = 1
        self.committed = 1
        self.compacted = 0
        # Bytes of all versions that are kept.
        self.size = 0
        self._chains: dict[bytes, list[Version]] = {}
        self._order: list[bytes] = []
        # Revision r is at r - self._first.
        self._log: list[list[Version]] = []
        self._first = 2
        self._log_size = 0

    # ------------------------------------------------------------ reading

    def at(self, key: bytes, revision: int) -> Version | None:
        """The key as it was at a revision; None where it did not exist."""
        for version in reversed(self._chains.get(key, ())):
            if version.mod_revision <= revision:
                return version if version.version else None
        return None

    def scan(self, within: KeyRange, revision: int) -> Iterator[Version]:
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

    def past(self, revision: int) -> Sequence[Version]:
        """What a revision after `compacted` did, in order."""
        return self._log[revision - self._first]

    def size_of(self, revision: int) -> int:
        """Bytes that a revision after `compacted` wrote."""
        return sum(version.weight for version in self.past(revision))

    @property
    def history(self) -> tuple[int, int]:
        """Revisions and bytes that a compaction could forget."""
        return len(self._log), self._log_size

    # ------------------------------------------------------------ writing

    def put(self, revision: int, key: bytes, value: bytes, lease: int) -> Version:
        old = self.at(key, revision)
        created, count = (old.create_revision, old.version + 1) if old else (revision, 1)
        version = Version(key, value, created, revision, count, lease)
        self._append(version)
        return version

    def delete(self, revision: int, key: bytes) -> Version:
        version = Version(key, b"", 0, revision, 0, 0)
        self._append(version)
        return version

    def _append(self, version: Version) -> None:
        chain = self._chains.get(version.key)
        if chain is None:
            chain = self._chains[version.key] = []
            bisect.insort(self._order, version.key)
        chain.append(version)
        self.size += version.weight

    def close(self, revision: int, versions: list[Version]) -> None:
        """The revision is whole: it becomes the head."""
        self._log.append(versions)
        self._log_size += sum([version.weight for version in versions])
        self.head = revision

    def restore(self, compacted: int, versions: Iterator[Version]) -> None:
        """Fill an empty keyspace from the versions on disk, in the order they were made."""
        self.compacted = compacted
        self._first = max(compacted + 1, 2)
        self.head = self._first - 1
        batch: list[Version] = []
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

    def compact(self, revision: int) -> list[Version]:
        """Forget what was before `revision` and is not any more at it; gives the forgotten versions."""
        past = self._log[: revision - self._first + 1]
        del self._log[: len(past)]
        self._log_size -= sum(version.weight for versions in past for version in versions)
        touched = dict.fromkeys(version.key for versions in past for version in versions)
        self.compacted, self._first = revision, revision + 1
        forgotten = [version for key in touched for version in self._prune(key, revision)]
        self.size -= sum(version.weight for version in forgotten)
        for key in touched:
            if key not in self._chains:
                del self._order[bisect.bisect_left(self._order, key)]
        return forgotten

    def _prune(self, key: bytes, revision: int) -> list[Version]:
        chain = self._chains[key]
        later = next((i for i, v in enumerate(chain) if v.mod_revision > revision), len(chain))
        # The newest version that is not later is what the key still is, unless it is a deletion.
        keep = later - 1 if later and chain[later - 1].version else later
        self._chains[key] = chain[keep:]
        if not self._chains[key]:
            del self._chains[key]
        return chain[:keep]
