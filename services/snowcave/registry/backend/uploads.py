"""Uploads on disk: bytes go to a file while their hash is taken beside the event loop.

An upload outlives the daemon: what is in its file is found again, and hashed again, when the client
goes on with it.
"""

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from snowcave.registry.backend.api import Body
from snowcave.registry.errors import (
    PartUnavailable,
    RangeInvalid,
    TooLarge,
    UploadInvalid,
    UploadUnknown,
)
from snowcave.registry.repositories import Image

# A client that comes back may be faster than the news that its old connection is gone.
_TURN = 5.0
_READ = 4 << 20

T = TypeVar("T")


class Upload:
    """One upload's file and hash. Used by one request at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received = 0
        self._hash = hashlib.sha256()
        self._turn = asyncio.Lock()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Waits a little for another request on the same upload to end. Raises UploadInvalid."""
        try:
            async with asyncio.timeout(_TURN):
                await self._turn.acquire()
        except TimeoutError as error:
            raise UploadInvalid("another request is writing to this upload") from error
        try:
            yield
        finally:
            self._turn.release()

    def rehash(self) -> None:
        """After a restart: as far as the file goes. Blocks."""
        with self.data.open("rb") as file:
            while piece := file.read(_READ):
                self._hash.update(piece)
                self.received += len(piece)

    def take(self, handle: int, pieces: Sequence[bytes]) -> None:
        """Append and hash; all of it or nothing. Blocks."""
        try:
            for piece in pieces:
                _write_all(handle, piece)
        except OSError as error:
            os.ftruncate(handle, self.received)
            raise _translated(error) from error
        # The count follows the file, so that a resumed hash and this one agree at every moment.
        for piece in pieces:
            self._hash.update(piece)
            self.received += len(piece)


class Uploads:
    """All uploads of the disk backend."""

    def __init__(self, root: Path, pool: Executor, *, chunk: int, largest: int) -> None:
        self._root = root
        self._pool = pool
        self._chunk = chunk
        self._largest = largest
        self._open: dict[str, Upload] = {}

    async def start(self, image: Image) -> str:
        name = secrets.token_hex(16)
        await self._run(self._make, name, image)
        self._open[name] = Upload(self._root / name)
        return name

    async def find(self, image: Image, name: str) -> Upload:
        """Raises UploadUnknown; an upload belongs to the image it was started for."""
        folder = self._root / name
        if await self._run(_owner, folder) != _signature(image):
            self._open.pop(name, None)
            raise UploadUnknown
        known = self._open.get(name)
        if known is None:
            fresh = Upload(folder)
            await self._run(fresh.rehash)
            # Another request may have found it meanwhile: there is one object an upload.
            known = self._open.setdefault(name, fresh)
        return known

    async def receive(self, upload: Upload, at: int | None, body: Body) -> None:
        """Call within `upload.turn()`. Whole chunks that arrived before a failure are kept."""
        if at is not None and at != upload.received:
            raise RangeInvalid(
                f"the upload stands at {upload.received}", range_headers(upload.received)
            )
        handle = await self._run(os.open, upload.data, os.O_WRONLY | os.O_APPEND)
        writing: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        try:
            async for pieces in gathered(body, self._chunk):
                if writing is not None:
                    await asyncio.shield(writing)
                if upload.received + sum(map(len, pieces)) > self._largest:
                    raise TooLarge(f"a blob may have {self._largest} bytes")
                writing = loop.run_in_executor(self._pool, upload.take, handle, pieces)
            if writing is not None:
                await asyncio.shield(writing)
        finally:
            # Cancelled or not, the thread ends within one write, and until then it needs the file.
            if writing is not None:
                await asyncio.wait([writing])
                writing.exception()
            os.close(handle)

    async def forget(self, name: str) -> None:
        """Its bytes too."""
        self._open.pop(name, None)
        await self._run(lambda: shutil.rmtree(self._root / name, ignore_errors=True))

    def drop(self, name: str) -> None:
        """From memory, where the files have been removed already."""
        self._open.pop(name, None)

    def _make(self, name: str, image: Image) -> None:
        # Not synced: an upload that a power cut takes is started again.
        folder = self._root / name
        folder.mkdir(parents=True)
        (folder / "image").write_text(_signature(image))
        (folder / "data").touch()

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)


async def gathered(body: Body, size: int) -> AsyncGenerator[list[bytes]]:
    """The pieces in lists of at least `size` bytes, but for the last."""
    pieces: list[bytes] = []
    held = 0
    async for piece in body:
        pieces.append(piece)
        held += len(piece)
        if held >= size:
            yield pieces
            pieces, held = [], 0
    if pieces:
        yield pieces


def range_headers(received: int) -> dict[str, str]:
    """`Range` as the specification has it: both ends inclusive, 0-0 also for nothing."""
    return {"Range": f"0-{max(received - 1, 0)}"}


def _signature(image: Image) -> str:
    return f"{image.repository.uid} {image.name}"


def _owner(folder: Path) -> str:
    try:
        return (folder / "image").read_text()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _write_all(handle: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(handle, view) :]


def _translated(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PartUnavailable("the registry's disk is full")
    return error
