"""Open files of a stage volume: read in pieces, and put on the stage when what was written is closed.

A stage holds whole files: there is no appending and no writing at random. A file that is being written shows
on the stage once it has been closed, and not before.
"""

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from snowcave.v1 import stages_pb2 as pb

_PIECE = 1 << 20
# What is fetched at once for one who reads on and on.
_AHEAD = 8 << 20


class Stage(Protocol):
    """The stage's files, by their paths within the volume."""

    async def put(self, path: str, content: AsyncIterator[bytes]) -> pb.StageFile: ...

    async def get(self, path: str, offset: int, length: int) -> tuple[pb.StageFile, bytes]: ...

    async def describe(self, path: str) -> pb.StageFile: ...

    async def files(self, prefix: str, limit: int) -> list[pb.StageFile]: ...

    async def remove(self, path: str) -> bool: ...


class Handle(Protocol):
    path: str

    @property
    def size(self) -> int: ...

    async def read(self, offset: int, length: int) -> bytes: ...

    async def write(self, offset: int, data: bytes) -> None: ...

    async def flush(self) -> None:
        """Of every close of a descriptor: the last moment at which a program hears of a failure."""
        ...

    async def close(self) -> None: ...


@dataclass
class Reading:
    """`about`: the file as it was when it was opened. One that is replaced meanwhile can be read no more."""

    stage: Stage
    path: str
    about: pb.StageFile
    _start: int = 0
    _piece: bytes = b""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def size(self) -> int:
        return self.about.size

    async def read(self, offset: int, length: int) -> bytes:
        async with self._turn:
            if not self._start <= offset < self._start + len(self._piece):
                await self._fetch(offset, length)
            begin = offset - self._start
            found = self._piece[begin : begin + length]
            if len(found) < min(length, self.size - offset):
                await self._fetch(offset, length)
                found = self._piece[:length]
            return found

    async def _fetch(self, offset: int, length: int) -> None:
        # Who goes on where the last piece ended will want more than this.
        goes_on = offset == self._start + len(self._piece)
        wanted = max(length, _AHEAD if goes_on else length)
        wanted = max(0, min(wanted, self.size - offset))
        if not wanted:
            self._start, self._piece = offset, b""
            return
        about, self._piece = await self.stage.get(self.path, offset, wanted)
        self._start = offset
        if about.md5 != self.about.md5:
            raise OSError(errno.ESTALE, "the file was replaced")

    async def write(self, offset: int, data: bytes) -> None:
        raise OSError(errno.EBADF, "opened for reading")

    async def flush(self) -> None:
        pass

    async def close(self) -> None:
        self._piece = b""


@dataclass
class Writing:
    """Kept on the node's disk until it is closed."""

    stage: Stage
    path: str
    folder: Path
    _size: int = 0
    _dirty: bool = True
    _spool: IO[bytes] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def size(self) -> int:
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        async with self._turn:
            return await asyncio.to_thread(os.pread, self._file().fileno(), length, offset)

    async def write(self, offset: int, data: bytes) -> None:
        async with self._turn:
            if offset != self._size:
                raise OSError(errno.EOPNOTSUPP, "a stage's files are written from their begin on")
            await asyncio.to_thread(_write_all, self._file().fileno(), data, offset)
            self._size += len(data)
            self._dirty = True

    async def truncate(self) -> None:
        async with self._turn:
            await asyncio.to_thread(os.truncate, self._file().fileno(), 0)
            self._size, self._dirty = 0, True

    async def flush(self) -> None:
        async with self._turn:
            if self._dirty:
                await self.stage.put(self.path, self._content())
                self._dirty = False

    async def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    async def _content(self) -> AsyncIterator[bytes]:
        offset = 0
        while offset < self._size:
            piece = await asyncio.to_thread(os.pread, self._file().fileno(), _PIECE, offset)
            if not piece:
                raise OSError(errno.EIO, "what was written is gone")
            offset += len(piece)
            yield piece

    def _file(self) -> IO[bytes]:
        if self._spool is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Nameless: gone with us, whatever happens.
            self._spool = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115
        return self._spool


def _write_all(file: int, data: bytes, offset: int) -> None:
    """A disk that is nearly full takes a part, and then says so."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
