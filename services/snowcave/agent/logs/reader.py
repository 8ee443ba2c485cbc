"""Reads one container's log from a place on, over rotations, each record once."""

import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from snowcave.agent.logs.files import LogFiles
from snowcave.agent.logs.jsonfile import (
    WINDOW,
    Place,
    Record,
    Skipped,
    broken_at_end,
    inode_of,
    is_in,
    is_of,
    parse,
)

# What is passed over at once; less of it where a second ends.
_SKIPPED = (4 << 20, 256 << 10, 16 << 10)


class LogReader:
    """Keeps the file open that it is in. Blocking and quick; not for two threads at once.

    `held`: where rotated parts are held that are not read yet.
    """

    def __init__(self, path: Path, place: Place | None = None, held: Path | None = None) -> None:
        self._files = LogFiles(path, held)
        self._place = place
        # What is before it is not asked for again.
        self._released = place
        self._file: int | None = None
        # Files that were rotated away before they were read; and as it was at the place released last.
        self._passed = self._passed_at_release = 0
        # Lines that were no record.
        self.unreadable = 0

    @property
    def place(self) -> Place | None:
        return self._place

    @property
    def lost_files(self) -> int:
        return self._passed + self._files.lost

    def rewind(self, place: Place | None) -> None:
        """Go back to a place that was reached before: the one released last."""
        if self._place is None or place is None or place.inode != self._place.inode:
            self.close()
        self._place, self._passed = place, self._passed_at_release

    def read(self, records: int) -> list[Record]:
        """Up to so many of the records that are there now; none: nothing new."""
        found: list[Record] = []
        while len(found) < records and self._open():
            before = self._place
            found.extend(self._read_here(records - len(found)))
            if self._place == before and not self._next_file():
                break
        return found

    def skip(self, second: str) -> Skipped | None:
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
            if is_of(data, second, -1):
                break
        whole = is_of(data, second, -1) and is_of(data, second, 0)
        if not data or self._place.offset == 0 or not whole:
            return None
        self._place = replace(self._place, offset=self._place.offset + len(data))
        return Skipped(data.count(b"\n"), len(data), broken_at_end(data), self._place)

    def hold(self, room: int) -> int:
        """Keep the rotated parts that are still needed: at most `room` bytes. Returns how many it took."""
        needed, here = (one.inode if one else None for one in (self._released, self._place))
        return self._files.hold(needed, here, room)

    def release(self, reached: Place) -> None:
        """What was read until there is not asked for again: give up the held parts before it."""
        self._released, self._passed_at_release = reached, self._passed
        self._files.release(reached)

    def held_bytes(self) -> int:
        return self._files.held_bytes()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # ------------------------------------------------------------ within a file

    def _read_here(self, records: int) -> Iterator[Record]:
        assert self._file is not None
        assert self._place is not None
        data = os.pread(self._file, WINDOW, self._place.offset)
        whole_lines = data[: data.rfind(b"\n") + 1]
        if not whole_lines and len(data) == WINDOW:
            # No record is as long: what a crash of the machine has left there.
            self.unreadable += 1
            self._place = replace(self._place, offset=self._place.offset + len(data))
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

    def _has_line(self) -> bool:
        assert self._file is not None
        assert self._place is not None
        data = os.pread(self._file, WINDOW, self._place.offset)
        return b"\n" in data or len(data) == WINDOW

    # ------------------------------------------------------------ from file to file

    def _open(self) -> bool:
        """The file of the current place, or the oldest where there is no place yet."""
        if self._file is not None:
            return True
        if self._place is None:
            # By its inode: a rotation since the look may have given its name to a younger one.
            inodes = self._files.inodes()
            return bool(inodes) and self._enter(inodes[0], 0)
        is_another = False
        for part in self._files.in_order():
            try:
                file = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # rotated meanwhile
            is_another |= os.fstat(file).st_ino == self._place.inode
            if is_in(file, self._place):
                self._file = file
                return True
            os.close(file)
        return self._skip_lost(is_another)

    def _skip_lost(self, is_another: bool) -> bool:
        """Our file was rotated away unread: go on with the oldest that there is.

        Unless it was only renamed while we looked. `is_another`: its inode is another file's by now.
        """
        assert self._place is not None
        inodes = self._files.inodes()
        if not inodes:
            return False
        if self._place.inode in inodes and not is_another:
            return False
        self._passed += 1
        return self._enter(inodes[0], self._place.generation + 1)

    def _next_file(self) -> bool:
        """Whether the current file is at its end for good and a newer one has been entered."""
        assert self._file is not None
        assert self._place is not None
        if inode_of(self._files.path) in (None, self._place.inode):
            return False
        inodes = self._files.inodes()
        # Rotation came after the last read: what was written until then has to be read first.
        if os.fstat(self._file).st_size > self._place.offset and self._has_line():
            return True
        here = self._place.inode
        following = inodes[inodes.index(here) + 1 :] if here in inodes else inodes
        if not following:
            return False
        self._passed += here not in inodes
        return self._enter(following[0], self._place.generation + 1)

    def _enter(self, inode: int, generation: int) -> bool:
        self.close()
        self._files.begin(inode)
        self._place = Place(generation, inode, 0)
        for part in self._files.in_order():
            try:
                file = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            if os.fstat(file).st_ino == inode:
                self._file = file
                return True
            os.close(file)
        return False  # rotated meanwhile; found by inode the next time
