"""The event table's log: the open segment, those on their way to Parquet, how far sources are stored.

    <home>/events/wal/<segment>.log            not yet rolled; a restart reads it again
    <home>/events/parquet/<hour>/…             see `parquet`
    <home>/events/marks.json                   how far each source is stored, and when it last moved

A segment's number is never used twice, so a roll that was interrupted is simply done again.
Everything here blocks: the store calls it in its one thread.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import structlog

from snowcave.events import durable, frames, rows, sorting
from snowcave.events.compaction import Policy, plan
from snowcave.events.parquet import ParquetFiles
from snowcave.events.rows import Frame, Marks
from snowcave.events.store import Tail
from snowcave.model.event_files import Span

log = structlog.get_logger()


@dataclass(slots=True)
class Segment:
    """Rows that are on disk in the log and kept in memory until their Parquet files stand."""

    number: int
    path: Path
    opened: float
    batches: list[pa.RecordBatch] = field(default_factory=list[pa.RecordBatch])
    rows: int = 0
    # Of memory.
    size: int = 0

    def add(self, frame: Frame) -> None:
        self.batches.append(rows.stored(frame))
        self.rows += frame.rows.num_rows
        self.size += frame.rows.nbytes


class Segments:
    """All files of one event table. `now` is a monotonic time given by the caller, `today` a day number."""

    def __init__(self, folder: Path, now: float, today: int = 0) -> None:
        self._log = folder / "wal"
        self._marks_file = folder / "marks.json"
        self._log.mkdir(parents=True, exist_ok=True)
        self.parquet = ParquetFiles(folder / "parquet")
        self.marks: Marks = {}
        # Day on which each source's mark was last moved.
        self._moved_on: dict[str, int] = {}
        self.sealed: list[Segment] = []
        # Hours before it are about to be deleted, and not shown any more.
        self.oldest_hour = ""
        self._read_marks()
        self._recover(now, today)
        self._next = 1 + max(
            [self.parquet.last_segment(), *(int(path.stem) for path in self._log.glob("*.*"))]
        )
        self.open = self._new_segment(now)

    # ------------------------------------------------------------ writing

    def append(self, frame: Frame, moved: Marks, today: int = 0) -> None:
        """On disk when it returns. Raises OSError (a full disk), after which nothing is kept of it."""
        position = self._file.tell()
        try:
            left = memoryview(frames.encode(frame))
            while left:
                left = left[self._file.write(left) :]
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.seek(position)
            self._file.truncate()
            raise
        self.open.add(frame)
        self._move(moved, today)

    def seal(self, now: float) -> None:
        """Close the open segment and begin another. Raises OSError, after which the open one goes on."""
        if self.open.rows == 0:
            self.open.opened = now
            return
        full, written = self.open, self._file
        self.open = self._new_segment(now)
        written.close()
        self.sealed.append(full)

    def roll(self, segment: Segment) -> None:
        """Parquet first, all of it durable. May run beside appends; `finish` may not."""
        span = Span(segment.number, segment.number)
        for hour, table in sorting.by_hour(sorting.concat(segment.batches)).items():
            self.parquet.write(hour, span, table)
            segment_hours = self._rolled_hours.setdefault(segment.number, set())
            segment_hours.add(hour)

    def finish(self, segment: Segment) -> None:
        """After `roll`: its rows count as those of the Parquet files."""
        self._write_marks()
        segment.path.unlink(missing_ok=True)
        self.sealed.remove(segment)
        for hour in self._rolled_hours.pop(segment.number, ()):
            self.parquet.count(hour)

    def close(self) -> None:
        self._file.close()

    # ------------------------------------------------------------ reading

    def tail(self, known: Mapping[int, int]) -> Tail:
        """Every row once: those of the log, and the files that hold all others."""
        held = [*self.sealed, self.open]
        pieces = {one.number: one.batches[known.get(one.number, 0) :] for one in held}
        return Tail(
            # A segment whose roll is under way stands in both places; it counts once.
            files=self.parquet.listed({one.number for one in held}, self.oldest_hour),
            held={one.number: len(one.batches) for one in held},
            pieces={number: new for number, new in pieces.items() if new},
        )

    # ------------------------------------------------------------ keeping it small

    def to_compact(self, policy: Policy, over_before: str) -> list[tuple[str, list[Span]]]:
        """Groups of files to merge. Hours before `over_before` get no more rows, or few."""
        below = min([*(one.number for one in self.sealed), self.open.number])
        return [
            (hour, group)
            for hour in self.parquet.hours()
            if hour >= self.oldest_hour
            for group in plan(self.parquet.found(hour, below), policy, is_over=hour < over_before)
        ]

    def forget_sources(self, oldest_day: int) -> int:
        """Forget the marks that no row has moved since that day: those containers are long gone."""
        gone = [source for source, day in self._moved_on.items() if day < oldest_day]
        for source in gone:
            del self.marks[source], self._moved_on[source]
        if gone:
            self._write_marks()
        return len(gone)

    # ------------------------------------------------------------ files

    def _move(self, moved: Marks, today: int) -> None:
        self.marks.update(moved)
        self._moved_on.update(dict.fromkeys(moved, today))

    def _new_segment(self, now: float) -> Segment:
        number = self._next
        path = self._log / f"{number:012d}.log"
        # Unbuffered: what a full disk refused must not be written by a later append.
        self._file = path.open("xb", buffering=0)
        self._next += 1
        durable.sync_folder(self._log)
        return Segment(number, path, now)

    def _recover(self, now: float, today: int) -> None:
        self._rolled_hours: dict[int, set[str]] = {}
        for path in sorted(self._log.glob("*.log")):
            whole, end = frames.read(path)
            if not whole:
                self._set_aside(path)
                continue
            if path.stat().st_size > end:
                log.warning(
                    "log_tail_cut", segment=path.stem, kept=end, cut=path.stat().st_size - end
                )
            segment = Segment(int(path.stem), path, now)
            for frame in whole:
                segment.add(frame)
                self._move(rows.marks_of(frame.resources), today)
            self.sealed.append(segment)

    def _set_aside(self, path: Path) -> None:
        """Not one frame: nothing was acknowledged, or another version wrote it, and somebody wants it."""
        with path.open("rb") as file:
            head = file.read(4)
        if head.strip(b"\0") and head != frames.MAGIC:
            path.rename(path.with_suffix(".unreadable"))
            log.error("log_unreadable", segment=path.stem)
        else:
            path.unlink()

    def _read_marks(self) -> None:
        try:
            kept = orjson.loads(self._marks_file.read_bytes())
        except FileNotFoundError:
            return
        for source, (generation, offset, day) in kept.items():
            self._move({source: (generation, offset)}, day)

    def _write_marks(self) -> None:
        kept = {source: (*mark, self._moved_on[source]) for source, mark in self.marks.items()}
        durable.replace(self._marks_file, orjson.dumps(kept))
