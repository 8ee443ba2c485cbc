"""One mounted file system: takes the kernel's requests from /dev/fuse and gives it the answers."""

import asyncio
import ctypes
import errno
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import structlog

from snowcave.agent.volumes.stages import wire
from snowcave.agent.volumes.stages.wire import Op, Request
from snowcave.model.errors import Exhausted, Kind, SnowcaveError, Unavailable
from snowcave.runtime.commands import run

log = structlog.get_logger()

_DEVICE = "/dev/fuse"
_NOSUID, _NODEV = 2, 4
# Requests that are worked on at one time; the kernel keeps the others.
_AT_ONCE = 64
_ERRNO = {
    Kind.NOT_FOUND: errno.ENOENT,
    Kind.DENIED: errno.EACCES,
    Kind.INVALID: errno.EINVAL,
    Kind.EXISTS: errno.EEXIST,
    Kind.EXHAUSTED: errno.EFBIG,
    Kind.TIMEOUT: errno.ETIMEDOUT,
}


class Handler(Protocol):
    """Answers requests. Raises OSError with its number, or SnowcaveError."""

    async def answer(self, request: Request) -> bytes: ...


class Connection:
    """Made by `open_connection`."""

    def __init__(self, device: int, handler: Handler, place: Path) -> None:
        self._device = device
        self._handler = handler
        self._place = place
        self._working: set[asyncio.Task[None]] = set()
        # Set once the kernel has taken the file system down, or we have closed it.
        self.ended = asyncio.Event()

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._device, self._readable)

    async def close(self) -> None:
        self._stop_listening()
        # A request that ends at this moment must not make us listen again.
        self.ended.set()
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        os.close(self._device)

    def _stop_listening(self) -> None:
        asyncio.get_running_loop().remove_reader(self._device)

    def _readable(self) -> None:
        try:
            data = os.read(self._device, wire.MAX_REQUEST)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            # ENOENT: that one request was interrupted. ENODEV: unmounted.
            if error.errno != errno.ENOENT:
                self._stop_listening()
                self.ended.set()
            return
        task = asyncio.get_running_loop().create_task(self._work(Request.parse(data)))
        self._working.add(task)
        task.add_done_callback(self._done)
        if len(self._working) >= _AT_ONCE:
            self._stop_listening()

    def _done(self, task: asyncio.Task[None]) -> None:
        was_full = len(self._working) >= _AT_ONCE
        self._working.discard(task)
        if was_full and not self.ended.is_set() and not task.cancelled():
            self.listen()

    async def _work(self, request: Request) -> None:
        answer = await self._answered(request)
        if request.opcode in wire.SILENT:
            return
        try:
            os.write(self._device, answer)
        except OSError as error:
            # The process that asked has given up, or the mount is gone.
            log.debug("fuse_reply_refused", place=str(self._place), error=error.strerror)

    async def _answered(self, request: Request) -> bytes:
        try:
            if request.opcode == Op.INIT:
                return wire.reply(request.unique, wire.init(request))
            return wire.reply(request.unique, await self._handler.answer(request))
        except OSError as error:
            return wire.failure(request.unique, error.errno or errno.EIO)
        except SnowcaveError as error:
            if isinstance(error, (Unavailable, Exhausted)):
                log.warning("stage_not_reached", place=str(self._place), error=error.message)
            return wire.failure(request.unique, _ERRNO.get(error.kind, errno.EIO))
        except Exception:
            # A bug must not leave a container's process waiting for ever.
            log.exception("stage_request_failed", place=str(self._place), opcode=request.opcode)
            return wire.failure(request.unique, errno.EIO)


@asynccontextmanager
async def open_connection(place: Path, handler: Handler) -> AsyncGenerator[Connection]:
    """Mounted when entered; the mount stays when it is left, without anybody to answer."""
    device = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    connection = Connection(device, handler, place)
    try:
        # Before it is mounted, the device has nothing to say but errors.
        await asyncio.to_thread(_mount, device, place)
        connection.listen()
        # What is mounted over it later has to show in containers that have it already.
        await run("mount", "--make-shared", str(place))
        yield connection
    finally:
        await connection.close()


def _mount(device: int, place: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    done = libc.mount(
        b"snowcave-stage",
        os.fsencode(place),
        b"fuse.snowcave",
        ctypes.c_ulong(_NOSUID | _NODEV),
        options.encode(),
    )
    if done != 0:
        number = ctypes.get_errno()
        raise Unavailable(f"The stage cannot be mounted: {os.strerror(number)}.")
