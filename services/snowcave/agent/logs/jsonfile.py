"""Docker's json-file logs: records, rotation, and places in them that outlive a restart.

A container's log is `x-json.log`, with older parts beside it as `.1`, `.2` and so on. A place in it
is (generation, inode, offset): the inode says which file, as rotation renames files, the generation
numbers them in order, so that a place is never used twice although inodes are.
"""

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# The most that Docker puts into one record; a longer line comes in several.
RECORD_BYTES = 16_384
# More than the longest record in its most wasteful spelling.
_WINDOW = 512 * 1024
_OLDER_PARTS = 9


@dataclass(frozen=True, slots=True)
class Place:
    """Where to read on."""

    generation: int
    inode: int
    offset: int
    # CRC of the file's first line, once that has been read: inodes of deleted files are used again.
    head: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One piece of output. `whole` is false where the line goes on in the stream's next record."""

    text: str
    stream: str
    # RFC 3339 with nanoseconds, as Docker wrote it.
    time: str
    whole: bool
    # Where it stands and where the next one does.
    place: Place
    end: Place


def parts(path: Path) -> list[Path]:
    """The log's files, oldest first; those that are there."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(_OLDER_PARTS, 0, -1)]
    return [part for part in (*older, path) if part.exists()]


def parse(line: bytes) -> tuple[str, str, str] | None:
    """Text, stream and time of one line of the file; None where it is no record.

    An engine that was killed in the middle of a record goes on in the same line when it is back:
    then the last record in the line is the whole one.
    """
    for start in (0, line.rfind(b'{"log":')):
        if start < 0:
            return None
        try:
            found: Any = json.loads(line[start:])
            return str(found["log"]), str(found["stream"]), str(found["time"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


class LogReader:
    """Reads one container's log from a place on, keeping the file open that it is in.

    Blocking and quick; not for two threads at once.
    """

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self._path = path
        self._place = place
        self._file: int | None = None
        # Lines that were no record, and files that were rotated away before they were read.
        self.unreadable = 0
        self.lost_files = 0

    @property
    def place(self) -> Place | None:
        return self._place

    def rewind(self, place: Place | None) -> None:
        """Go back to a place that was reached before."""
        if self._place is None or place is None or place.inode != self._place.inode:
            self.close()
        self._place = place

    def read(self, records: int) -> list[Record]:
        """Up to so many of the records that are there now; none: nothing new."""
        found: list[Record] = []
        while len(found) < records and self._open():
            before = self._place
            found.extend(self._read_here(records - len(found)))
            if self._place == before and not self._next_file():
                break
        return found

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read_here(self, records: int) -> Iterator[Record]:
        assert self._file is not None
        assert self._place is not None
        data = os.pread(self._file, _WINDOW, self._place.offset)
        whole_lines = data[: data.rfind(b"\n") + 1]
        for line in whole_lines.splitlines(keepends=True):
            if records <= 0:
                return
            start = self._place
            head = start.head if start.offset else zlib.crc32(line)
            self._place = replace(start, offset=start.offset + len(line), head=head)
            if (parsed := parse(line)) is None:
                self.unreadable += 1
                continue
            text, stream, time = parsed
            records -= 1
            yield Record(
                text.removesuffix("\n"), stream, time, text.endswith("\n"), start, self._place
            )

    def _open(self) -> bool:
        """The file of the current place, or the oldest where there is no place yet."""
        if self._file is not None:
            return True
        for part in parts(self._path):
            try:
                file = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # rotated meanwhile
            if self._place is None or _is_in(file, self._place):
                self._file = file
                self._place = self._place or Place(0, os.fstat(file).st_ino, 0)
                return True
            os.close(file)
        return self._skip_lost()

    def _skip_lost(self) -> bool:
        """Our file was rotated away unread: go on with the oldest that there is."""
        inodes = self._inodes()
        if self._place is None or not inodes:
            return False
        self.lost_files += 1
        return self._enter(inodes[0], self._place.generation + 1)

    def _next_file(self) -> bool:
        """Whether the current file is at its end for good and a newer one has been entered."""
        assert self._file is not None
        assert self._place is not None
        if _inode(self._path) in (None, self._place.inode):
            return False
        inodes = self._inodes()
        # Rotation came after the last read: what was written until then has to be read first.
        if os.fstat(self._file).st_size > self._place.offset and self._has_line():
            return True
        here = self._place.inode
        self.lost_files += here not in inodes
        following = inodes[inodes.index(here) + 1 :] if here in inodes else inodes
        if not following:
            return False
        return self._enter(following[0], self._place.generation + 1)

    def _has_line(self) -> bool:
        assert self._file is not None
        assert self._place is not None
        return b"\n" in os.pread(self._file, _WINDOW, self._place.offset)

    def _enter(self, inode: int, generation: int) -> bool:
        self.close()
        self._place = Place(generation, inode, 0)
        for part in parts(self._path):
            try:
                file = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if os.fstat(file).st_ino == inode:
                self._file = file
                return True
            os.close(file)
        return False  # rotated meanwhile; found by inode the next time

    def _inodes(self) -> list[int]:
        """Oldest first; asked again until no rotation came between."""
        seen: list[int] = []
        while True:
            found = [i for part in parts(self._path) if (i := _inode(part)) is not None]
            if found == seen:
                return list(dict.fromkeys(found))
            seen = found


def _is_in(file: int, place: Place) -> bool:
    """Whether this open file is the one that the place is in."""
    if os.fstat(file).st_ino != place.inode:
        return False
    if not place.offset:
        return True
    first = os.pread(file, _WINDOW, 0)
    return zlib.crc32(first[: first.find(b"\n") + 1]) == place.head


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
