"""Docker's json-file logs: records, rotation, and places in them that outlive a restart.

A container's log is `x-json.log`, with older parts beside it as `.1`, `.2` and so on. A place in it
is (generation, inode, offset): the inode says which file, as rotation renames files, the generation
numbers them in order, so that a place is never used twice although inodes are.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

# The most that Docker puts into one record; a longer line comes in several.
RECORD_BYTES = 16_384
# More than the longest record in its most wasteful spelling.
_WINDOW = 512 * 1024
# What is passed over at once; less of it where a second ends.
_SKIPPED = (4 << 20, 256 << 10, 16 << 10)
_OLDER_PARTS = 9
# Of RFC 3339: to the second.
SECOND = len("2026-01-01T00:00:00")
_AT = b'","time":"'


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


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records that were passed over, their bytes in the file, and what is known of the streams now."""

    records: int
    size: int
    broken: dict[str, bool]
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
            found: Any = orjson.loads(line[start:])
            return str(found["log"]), str(found["stream"]), str(found["time"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


class LogReader:
    """Reads one container's log from a place on, keeping the file open that it is in.

    Blocking and quick; not for two threads at once.
    """

    def __init__(self, path: Path, place: Place | None = None, held: Path | None = None) -> None:
        self._path = path
        # Rotated parts that are ours to read, whatever the engine does to them: see `hold`.
        self._held = held
        self._place = place
        self._file: int | None = None
        # Inodes of parts that were seen and not begun yet.
        self._unread: set[int | None] = set()
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

    def skip(self, second: str) -> "Skipped | None":
        """Past all that was written in that second, as far as it is there, without a look at each record.

        None where what comes next is of another second, or only partly of this one.
        """
        if not self._open():
            return None
        assert self._file is not None
        assert self._place is not None
        data = b""
        for most in _SKIPPED:
            data = os.pread(self._file, most, self._place.offset)
            data = data[: data.rfind(b"\n") + 1]
            if _is_of(data, second, -1):
                break
        if (
            not data
            or self._place.offset == 0
            or not (_is_of(data, second, -1) and _is_of(data, second, 0))
        ):
            return None
        self._place = replace(self._place, offset=self._place.offset + len(data))
        return Skipped(data.count(b"\n"), len(data), _broken(data), self._place)

    def hold(self, room: int) -> int:
        """Link the rotated parts that are not read yet, so that they outlive the engine's own cleaning.

        At most `room` bytes of them: what came first is kept. Returns how many bytes it took.
        """
        if self._held is None:
            return 0
        files = self._files()
        inodes = [_inode(file) for file in files]
        here = self._place.inode if self._place else None
        unread = files[inodes.index(here) :] if here in inodes else files
        # The one that is written has a number of its own, which may have been another's until just now.
        self._count_lost({_inode(file) for file in files if file != self._path})
        rotated = {_inode(file) for file in unread if file != self._path}
        self._unread |= rotated - {None, here}
        taken, held = 0, {_inode(file) for file in self._held_files()}
        for part in unread:
            if part == self._path or _inode(part) in held:
                continue
            try:
                size = part.stat().st_size
                if taken + size > room:
                    break
                self._held.mkdir(exist_ok=True)
                os.link(part, self._held / f"{self._next_held():06d}")
            except OSError:  # rotated meanwhile, or another file system
                break
            taken += size
        return taken

    def _count_lost(self, there: set[int | None]) -> None:
        """Parts that were seen, not read, and are gone."""
        gone = self._unread - there
        self.lost_files += len(gone)
        self._unread -= gone

    def release(self, reached: Place) -> None:
        """Give up the held parts before that place."""
        order = [_inode(file) for file in self._files()]
        if reached.inode not in order:
            return
        read = set(order[: order.index(reached.inode)])
        for file in self._held_files():
            if _inode(file) in read:
                file.unlink(missing_ok=True)

    def held_bytes(self) -> int:
        return sum(file.stat().st_size for file in self._held_files())

    def _held_files(self) -> list[Path]:
        return sorted(self._held.glob("*")) if self._held and self._held.exists() else []

    def _next_held(self) -> int:
        held = self._held_files()
        return int(held[-1].name) + 1 if held else 0

    def _files(self) -> list[Path]:
        """Oldest first, each once: what is held and not the engine's any more is older than all that is."""
        there = parts(self._path)
        inodes = {_inode(part) for part in there}
        return [*(held for held in self._held_files() if _inode(held) not in inodes), *there]

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
        is_another = False
        for part in self._files():
            try:
                file = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # rotated meanwhile
            is_another |= self._place is not None and os.fstat(file).st_ino == self._place.inode
            if self._place is None or _is_in(file, self._place):
                self._file = file
                self._place = self._place or Place(0, os.fstat(file).st_ino, 0)
                return True
            os.close(file)
        return self._skip_lost(is_another)

    def _skip_lost(self, is_another: bool) -> bool:
        """Our file was rotated away unread: go on with the oldest that there is.

        Unless it was only renamed while we looked. `is_another`: its inode is another file's by now.
        """
        inodes = self._inodes()
        if self._place is None or not inodes:
            return False
        if self._place.inode in inodes and not is_another:
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
        self._unread.discard(inode)
        self._place = Place(generation, inode, 0)
        for part in self._files():
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
            found = [i for part in self._files() if (i := _inode(part)) is not None]
            if found == seen:
                return list(dict.fromkeys(found))
            seen = found


def _is_of(data: bytes, second: str, line: int) -> bool:
    """Whether the first (0) or last (-1) record was written then."""
    at = data.find(_AT) if line == 0 else data.rfind(_AT)
    start = at + len(_AT)
    return at >= 0 and data[start : start + SECOND] == second.encode()


def _broken(data: bytes) -> dict[str, bool]:
    """Stream → whether its last record here was no whole line."""
    found: dict[str, bool] = {}
    for stream in ("stdout", "stderr"):
        end = data.rfind(f'","stream":"{stream}"'.encode())
        if end >= 0:
            text = data[max(0, end - _WINDOW) : end]
            escapes = len(text[:-1]) - len(text[:-1].rstrip(b"\\"))
            found[stream] = not (text.endswith(b"\\n") and escapes % 2 == 1)
    return found


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
