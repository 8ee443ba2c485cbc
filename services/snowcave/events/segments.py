"""The event table's files: the open segment of the log, segments on their way, Parquet by the hour.

    <home>/events/wal/<segment>.log            not yet rolled; a restart reads it again
    <home>/events/parquet/<hour>/<segment>.parquet
    <home>/events/marks.json                   how far each container run is stored, and when it last moved

A segment's name is its number; it is unique, so a roll that was interrupted is simply done again.
Everything here blocks: the writer calls it in its one thread.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.events import frames, rows
from snowcave.events.rows import Marks

_ROW_GROUP = 20_000


@dataclass(slots=True)
class Segment:
    """Rows that are on disk in the log and kept in memory until their Parquet files stand."""

    name: str
    path: Path
    opened: float
    batches: list[pa.RecordBatch] = field(default_factory=list[pa.RecordBatch])
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The event table as of one moment."""

    tail: list[pa.RecordBatch]
    files: list[Path]
    folder: Path

    def relative_files(self) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in self.files]


class Segments:
    """All files of one event table. `now` is a monotonic time given by the caller, `today` a day number."""

    def __init__(self, folder: Path, now: float, today: int = 0) -> None:
        self._log = folder / "wal"
        self._parquet = folder / "parquet"
        self._marks_file = folder / "marks.json"
        for path in (self._log, self._parquet):
            path.mkdir(parents=True, exist_ok=True)
        self.marks: Marks = {}
        # Day on which each run's mark was last moved.
        self._moved_on: dict[str, int] = {}
        self.sealed: list[Segment] = []
        self._read_marks()
        self._recover(now, today)
        self._next = 1 + max((int(one.name) for one in self.sealed), default=self._last_rolled())
        self.open = self._new_segment(now)

    def append(self, appended: list[frames.Frame], moved: Marks, today: int = 0) -> None:
        """On disk when it returns. Raises OSError (a full disk), after which nothing is kept of it."""
        position = self._file.tell()
        try:
            left = memoryview(b"".join(frames.encode(frame) for frame in appended))
            while left:
                left = left[self._file.write(left) :]
            os.fdatasync(self._file.fileno())
        except OSError:
            self._file.seek(position)
            self._file.truncate()
            raise
        for resources, logged in appended:
            self.open.batches.append(rows.stored(resources, logged))
            self.open.rows += logged.num_rows
        self._move(moved, today)

    def _move(self, moved: Marks, today: int) -> None:
        self.marks.update(moved)
        self._moved_on.update(dict.fromkeys(moved, today))

    def forget_runs(self, oldest_day: int) -> int:
        """Forget the marks that no row has moved since that day: those containers are long gone."""
        gone = [run for run, day in self._moved_on.items() if day < oldest_day]
        for run in gone:
            del self.marks[run], self._moved_on[run]
        if gone:
            self._write_marks()
        return len(gone)

    def seal(self, now: float) -> None:
        """Close the open segment and begin another."""
        if self.open.rows == 0:
            self.open.opened = now
            return
        self._file.close()
        self.sealed.append(self.open)
        self.open = self._new_segment(now)

    def roll(self, segment: Segment) -> None:
        """Parquet first, all of it durable. May run beside appends; `finish` may not."""
        for hour, table in rows.by_hour(rows.concat(segment.batches)).items():
            self._write_parquet(self._parquet / hour, segment.name, table)

    def finish(self, segment: Segment) -> None:
        """After `roll`: its rows count as those of the Parquet files."""
        self._write_marks()
        segment.path.unlink(missing_ok=True)
        self.sealed.remove(segment)

    def snapshot(self) -> Snapshot:
        """Every row once: those of the log, and the files that hold all others."""
        held = [*self.sealed, self.open]
        names = {segment.name for segment in held}
        files = sorted(self._parquet.glob("*/*.parquet"))
        return Snapshot(
            tail=[batch for segment in held for batch in segment.batches],
            # A segment whose roll is under way stands in both places; it counts once.
            files=[path for path in files if path.stem not in names],
            folder=self._parquet,
        )

    def expire(self, oldest_hour: str) -> list[str]:
        """Delete the hours before `oldest_hour`; returns them."""
        gone = [path for path in self._parquet.iterdir() if path.name < oldest_hour]
        for path in gone:
            shutil.rmtree(path)
        return [path.name for path in gone]

    def close(self) -> None:
        self._file.close()

    def _new_segment(self, now: float) -> Segment:
        name = f"{self._next:012d}"
        self._next += 1
        path = self._log / f"{name}.log"
        # Unbuffered: what a full disk refused must not be written by a later append.
        self._file = path.open("xb", buffering=0)
        _sync_folder(self._log)
        return Segment(name, path, now)

    def _recover(self, now: float, today: int) -> None:
        for path in sorted(self._log.glob("*.log")):
            whole, _ = frames.read(path)
            if not whole:
                path.unlink()
                continue
            segment = Segment(path.stem, path, now)
            for resources, logged in whole:
                segment.batches.append(rows.stored(resources, logged))
                segment.rows += logged.num_rows
                self._move(rows.marks_of(resources), today)
            self.sealed.append(segment)

    def _last_rolled(self) -> int:
        return max((int(path.stem) for path in self._parquet.glob("*/*.parquet")), default=0)

    def _write_parquet(self, folder: Path, name: str, table: pa.Table) -> None:
        if not folder.exists():
            folder.mkdir()
            _sync_folder(self._parquet)
        temporary = folder / f".{name}.tmp"
        pq.write_table(table, temporary, compression="zstd", row_group_size=_ROW_GROUP)
        _sync_file(temporary)
        temporary.replace(folder / f"{name}.parquet")
        _sync_folder(folder)

    def _read_marks(self) -> None:
        try:
            kept = orjson.loads(self._marks_file.read_bytes())
        except FileNotFoundError:
            return
        for run, (generation, offset, day) in kept.items():
            self._move({run: (generation, offset)}, day)

    def _write_marks(self) -> None:
        temporary = self._marks_file.with_suffix(".tmp")
        kept = {run: (*mark, self._moved_on[run]) for run, mark in self.marks.items()}
        temporary.write_bytes(orjson.dumps(kept))
        _sync_file(temporary)
        temporary.replace(self._marks_file)
        _sync_folder(self._marks_file.parent)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
