"""One container run's log on its way: what is read of it, what of that is collected, how far it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import prometheus_client

from snowcave.agent.logs.allowance import Allowance
from snowcave.agent.logs.jsonfile import SECOND, Place, Record, is_gone
from snowcave.agent.logs.ledger import Entry
from snowcave.agent.logs.reader import LogReader
from snowcave.agent.logs.rows import Line, Lost, is_wanted, rows

LOST_FILES = prometheus_client.Counter(
    "snowcave_agent_lost_log_files", "Gone before they were read."
)
DROPPED_LINES = prometheus_client.Counter(
    "snowcave_agent_dropped_lines", "Above the node's limit."
)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a reader had come with one batch, and how things stood there."""

    reader: LogReader
    place: Place
    # Streams that stood in the middle of a line.
    broken: frozenset[str]
    dropped_lines: int
    lost_files: int


@dataclass(slots=True)
class Source:
    """Used by one thread at a time. What was read counts once it is stored: see `remember`."""

    entry: Entry
    reader: LogReader
    broken: set[str] = field(default_factory=set[str])
    # Of the reader's lost files those that the event table knows of.
    told_files: int = 0
    # Inodes of copied files, old to new.
    moved: Mapping[int, int] = field(default_factory=dict[int, int])

    def read(self, most: int, allowance: Allowance) -> tuple[list[Line], Reached] | None:
        """Up to so many records, and what is to be collected of them; None: there is nothing new."""
        records = self.reader.read(most)
        if not records:
            return None
        lost_files = self.reader.lost_files
        lost = Lost(files=lost_files - self.told_files)
        lines = self._collected(records, allowance, lost)
        place = self.reader.place
        assert place is not None, "something was read"
        lines += lost.told(place, records[-1], self.entry.log_level)
        broken = frozenset(self.broken)
        return lines, Reached(self.reader, place, broken, lost.lines, lost_files)

    def _collected(self, records: list[Record], allowance: Allowance, lost: Lost) -> list[Line]:
        """Within the node's limit. Where that is used up, the rest of the same second is passed over."""
        level, broken = self.entry.log_level, self.broken
        lines: list[Line] = []
        for record in records:
            size = len(record.text)
            if not is_wanted(record.stream, level) or allowance.takes(record.time[:SECOND], size):
                lines += rows([record], level, broken)
            else:
                lost.add(1, size, {record.stream: not record.whole}, broken)
        second = records[-1].time[:SECOND]
        while lost.lines and level == "INFO" and allowance.is_used_up(second):
            skipped = self.reader.skip(second)
            if skipped is None:
                break
            lost.add(skipped.records, skipped.size, skipped.broken, broken)
        return lines

    def remember(self, reached: Reached) -> None:
        """All until there is stored."""
        place, is_same = reached.place, self.reader is reached.reader
        if not is_same:
            # It has read nothing yet: one batch is on its way at a time.
            place = replace(place, inode=self.moved.get(place.inode, place.inode))
            self.reader.rewind(place)
            self.broken = set(reached.broken)
        self.entry.acknowledged, self.entry.broken = place, set(reached.broken)
        self.reader.release(place)
        DROPPED_LINES.inc(reached.dropped_lines)
        if is_same:
            LOST_FILES.inc(max(0, reached.lost_files - self.told_files))
            self.told_files = reached.lost_files

    def rewind(self) -> None:
        """Back to what is stored."""
        self.reader.rewind(self.entry.acknowledged)
        self.broken = set(self.entry.broken)

    def restart(self, reader: LogReader, moved: Mapping[int, int]) -> None:
        """The files are elsewhere now; `moved`: their inodes, old to new, where they changed."""
        self.reader.close()
        self.reader, self.moved, self.told_files = reader, moved, 0
        self.broken = set(self.entry.broken)

    @property
    def is_over(self) -> bool:
        """Nothing will be added to it."""
        return self.entry.kept or is_gone(self.entry.path)
