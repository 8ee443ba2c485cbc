"""Many small values in a few files, appended and read back by place: one write each, nothing to rename.

A file that nothing living stands in any more goes as a whole. A value that a crash cut off at a file's end is
as if it had never been written. Not safe from two threads at once.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Length and checksum of what follows the name, flags, moment of writing, length of the name.
_HEAD = struct.Struct(">IIBdB")
_SUFFIX = ".segment"


@dataclass(frozen=True, slots=True)
class Place:
    segment: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Found:
    name: str
    flags: int
    written: float
    place: Place


class Segments:
    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        self._living: dict[int, int] = {}
        # What an earlier process wrote is only read: its last file may end in the middle of a value.
        self._current = 1 + max((int(path.stem) for path in folder.glob("*" + _SUFFIX)), default=0)
        self._file: int | None = None
        self._size = 0

    def append(self, name: str, flags: int, written: float, value: bytes) -> Place:
        if self._file is not None and self._size >= self._largest:
            self._begin_another()
        if self._file is None:
            flag = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file, self._size = os.open(self._path(self._current), flag, 0o600), 0
        label = name.encode()
        head = _HEAD.pack(len(value), zlib.crc32(value), flags, written, len(label))
        record = head + label + value
        if (done := os.write(self._file, record)) != len(record):
            # The disk is full: whatever comes next must not follow half a value.
            self._size += done
            self._begin_another()
            raise OSError(28, "No space left on device")
        place = Place(self._current, self._size + len(head) + len(label), len(value))
        self._size += len(record)
        self._living[self._current] = self._living.get(self._current, 0) + 1
        return place

    def read(self, place: Place) -> bytes:
        """Raises OSError where the file is gone."""
        file = os.open(self._path(place.segment), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(file, place.length, place.offset)
        finally:
            os.close(file)

    def forget(self, place: Place) -> None:
        self._living[place.segment] -= 1
        if self._living[place.segment]:
            return
        if place.segment == self._current and self._file is not None:
            self._begin_another()
        else:
            self._remove(place.segment)

    def find(self) -> Iterator[Found]:
        """What earlier processes left, oldest first; each is living from now on."""
        for path in sorted(self._folder.glob("*" + _SUFFIX), key=lambda path: int(path.stem)):
            segment = int(path.stem)
            self._living.setdefault(segment, 0)
            for found in _values(path.read_bytes(), segment):
                self._living[segment] += 1
                yield found
            if not self._living[segment]:
                self._remove(segment)

    def _begin_another(self) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None
        full, self._current = self._current, self._current + 1
        if not self._living.get(full):
            self._remove(full)

    def _remove(self, segment: int) -> None:
        self._living.pop(segment, None)
        self._path(segment).unlink(missing_ok=True)

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment}{_SUFFIX}"


def _values(content: bytes, segment: int) -> Iterator[Found]:
    at = 0
    while at + _HEAD.size <= len(content):
        length, checksum, flags, written, label = _HEAD.unpack_from(content, at)
        start = at + _HEAD.size + label
        value = content[start : start + length]
        if len(value) != length or zlib.crc32(value) != checksum:
            return
        name = content[at + _HEAD.size : start].decode(errors="replace")
        yield Found(name, flags, written, Place(segment, start, length))
        at = start + length
