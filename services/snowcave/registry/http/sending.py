"""Blobs on their way out: by sendfile on a plain connection, through memory on an encrypted one."""

import asyncio
import os
import select
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path

from aiohttp import web

from snowcave.registry import metrics
from snowcave.registry.backend.api import Content, FileContent
from snowcave.registry.names import Span

# One call moves at most this much, so that a thread is held for milliseconds.
_AT_ONCE = 8 << 20
_READ = 512 << 10
# Milliseconds.
_KEEPS_UP = 10
_STARTED = web.RequestKey("snowcave_started", web.StreamResponse)


async def send(
    request: web.BaseRequest,
    response: web.StreamResponse,
    content: Content,
    span: Span,
    pool: Executor,
    idle: float,
) -> None:
    """`response` has its headers, Content-Length included. Raises TimeoutError on an idle client."""
    if not isinstance(content, FileContent):
        await _begin(request, response)
        await _send_pieces(response, content.pieces, idle)
    elif request.transport is None or request.transport.get_extra_info("sslcontext"):
        await _begin(request, response)
        await _send_pieces(response, _read(content.path, span, pool), idle)
    else:
        await _send_file(request, response, content.path, span, pool, idle)
    await response.write_eof()


def started(request: web.BaseRequest) -> web.StreamResponse | None:
    """The response whose headers are out already."""
    found: web.StreamResponse | None = request.get(_STARTED)
    return found


async def _begin(request: web.BaseRequest, response: web.StreamResponse) -> None:
    await response.prepare(request)
    request[_STARTED] = response


async def _send_pieces(
    response: web.StreamResponse, pieces: AsyncIterator[bytes], idle: float
) -> None:
    async for piece in pieces:
        async with asyncio.timeout(idle):
            await response.write(piece)
        metrics.SENT.inc(len(piece))


async def _read(path: Path, span: Span, pool: Executor) -> AsyncIterator[bytes]:
    """One piece ahead: the disk works while the connection does."""
    loop = asyncio.get_running_loop()
    handle = await loop.run_in_executor(pool, os.open, path, os.O_RDONLY)
    ahead: asyncio.Future[bytes] | None = None
    try:
        at = span.start
        while at < span.stop:
            if ahead is None:
                ahead = _piece(loop, pool, handle, at, span.stop)
            # Cancelled or not, the thread needs the handle until it has read.
            piece = await asyncio.shield(ahead)
            if not piece:
                raise ConnectionResetError("the file ended early")
            at += len(piece)
            ahead = _piece(loop, pool, handle, at, span.stop) if at < span.stop else None
            yield piece
    finally:
        if ahead is not None:
            await asyncio.wait([ahead])
        os.close(handle)


def _piece(
    loop: asyncio.AbstractEventLoop, pool: Executor, handle: int, at: int, stop: int
) -> asyncio.Future[bytes]:
    return loop.run_in_executor(pool, os.pread, handle, min(_READ, stop - at), at)


async def _send_file(
    request: web.BaseRequest,
    response: web.StreamResponse,
    path: Path,
    span: Span,
    pool: Executor,
    idle: float,
) -> None:
    transport = request.transport
    assert transport is not None
    loop = asyncio.get_running_loop()
    source = await loop.run_in_executor(pool, os.open, path, os.O_RDONLY)
    # A handle of our own: the loop keeps watching the transport's, and closes it when it likes.
    socket = -1
    try:
        await _begin(request, response)
        await _flushed(transport, idle)
        socket = os.dup(transport.get_extra_info("socket").fileno())
        at = span.start
        while at < span.stop:
            sent = await loop.run_in_executor(
                pool, _some, socket, source, at, min(_AT_ONCE, span.stop - at)
            )
            at += sent
            metrics.SENT.inc(sent)
            if at < span.stop:
                async with asyncio.timeout(idle):
                    await _writable(loop, socket)
    finally:
        os.close(source)
        if socket >= 0:
            os.close(socket)


def _some(socket: int, source: int, at: int, count: int) -> int:
    """As much as the socket takes while its client keeps up. Blocks for milliseconds."""
    waiting = select.poll()
    waiting.register(socket, select.POLLOUT)
    sent = 0
    while sent < count:
        try:
            moved = os.sendfile(socket, source, at + sent, count - sent)
        except BlockingIOError:
            # A client that reads is soon ready for more; a slow one is waited for without a thread.
            if waiting.poll(_KEEPS_UP):
                continue
            break
        if moved == 0:
            raise ConnectionResetError("the file ended early")
        sent += moved
    return sent


async def _flushed(transport: asyncio.Transport, idle: float) -> None:
    """Until the headers are in the kernel: what sendfile writes comes after them."""
    async with asyncio.timeout(idle):
        while transport.get_write_buffer_size():
            # The buffer is a few hundred bytes; it stays only where the client's window is shut.
            await asyncio.sleep(0.001)


async def _writable(loop: asyncio.AbstractEventLoop, socket: int) -> None:
    ready = asyncio.Event()
    loop.add_writer(socket, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(socket)
