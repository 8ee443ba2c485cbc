"""HTTP/1.1 to the instances of services: connections that stay open, each with one request at a time.

An exchange gives a whole answer or raises. One that is cancelled closes its connection at once, which is how
the service learns of it; so a connection that waits for its next request never has another answer under way.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

import httptools

from snowcave.functions.settings import HttpSettings
from snowcave.kit.tasks import background

# Seconds: a peer that is gone without a word is noticed after all of them, whatever it owes.
_SILENCE, _PROBE, _PROBES = 10, 5, 3
_NO_BODY = (204, 304)
# Bytes that go over the wire for one of the body, where a service sends it in the smallest chunks.
_CHUNK = 16


class Reply(NamedTuple):
    status: int
    body: bytes
    md5: str | None = None
    # Content-Encoding, where there is one.
    encoding: str = ""


class ConnectionFailed(Exception):
    """The connection did not carry a whole answer."""


class TooLarge(Exception):
    """The answer is over the limit."""


class Connections:
    """Shared by all calls. Their number is bounded by the batches under way."""

    def __init__(self, settings: HttpSettings, most_bytes: int) -> None:
        self._settings = settings
        self._most_bytes = most_bytes
        # Asking for it costs a system call each time.
        self._loop = asyncio.get_running_loop()
        # By address and port; who answered last is asked next, so that those too many grow old.
        self._idle: dict[tuple[str, int], list[tuple[_Connection, float]]] = {}
        self._busy: set[_Connection] = set()

    async def exchange(self, address: str, port: int, head: bytes, body: bytes) -> Reply:
        """Raises ConnectionFailed and TooLarge."""
        connection = self._waiting(address, port) or await self._connect(address, port)
        self._busy.add(connection)
        try:
            reply = await connection.exchange(head, body)
        finally:
            self._busy.discard(connection)
            if connection.is_reusable:
                waiting = self._idle.setdefault((address, port), [])
                waiting.append((connection, self._loop.time()))
            else:
                connection.close()
        return reply

    async def close_old(self) -> None:
        """Endless."""
        while True:
            await asyncio.sleep(self._settings.keep_alive / 4)
            oldest = self._loop.time() - self._settings.keep_alive
            for place, waiting in list(self._idle.items()):
                kept = [(c, since) for c, since in waiting if since > oldest and c.is_reusable]
                for connection in {c for c, _ in waiting} - {c for c, _ in kept}:
                    connection.close()
                self._idle[place] = kept
                if not kept:
                    del self._idle[place]

    def close(self) -> None:
        for waiting in self._idle.values():
            for connection, _ in waiting:
                connection.close()
        self._idle.clear()
        for connection in self._busy:
            connection.close()

    def _waiting(self, address: str, port: int) -> "_Connection | None":
        waiting = self._idle.get((address, port))
        while waiting:
            connection, _ = waiting.pop()
            if connection.is_reusable:
                return connection
        return None

    def _connection(self) -> "_Connection":
        return _Connection(self._loop, self._most_bytes, self._settings.head_bytes)

    async def _connect(self, address: str, port: int) -> "_Connection":
        limit = self._settings.connect_timeout
        try:
            async with asyncio.timeout(limit):
                _, connection = await self._loop.create_connection(self._connection, address, port)
        except TimeoutError as error:
            raise ConnectionFailed(f"no connection to the service within {limit:g} s") from error
        except OSError as error:
            raise ConnectionFailed(f"no connection to the service ({error})") from error
        return connection


@asynccontextmanager
async def open_connections(settings: HttpSettings, most_bytes: int) -> AsyncGenerator[Connections]:
    connections = Connections(settings, most_bytes)
    async with background(connections.close_old()):
        try:
            yield connections
        finally:
            connections.close()


class _Connection(asyncio.Protocol):
    """One connection; the methods below `exchange` are called by the loop and by the parser."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int, most_head: int) -> None:
        self._loop = loop
        self._most_bytes = most_bytes
        self._most_head = most_head
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._is_open = False
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        # Of the answer's body, and of all that came.
        self._bytes = self._received = 0
        self._md5: str | None = None
        self._encoding = ""
        # Whether the answer says itself where it ends, and whether its head has been read.
        self._is_bounded = self._has_head = False

    @property
    def is_reusable(self) -> bool:
        return self._is_open and self._answer is None

    async def exchange(self, head: bytes, body: bytes) -> Reply:
        assert self._transport is not None
        if not self._is_open:
            raise ConnectionFailed("the service closed the connection")
        self._begin()
        self._answer = self._loop.create_future()
        self._transport.writelines((head, body) if body else (head,))
        # Whoever is cancelled here leaves `_answer` set, and so a connection that is not used again.
        reply = await self._answer
        self._answer = None
        return reply

    def close(self) -> None:
        self._is_open = False
        if self._transport is not None:
            self._transport.abort()

    # --- the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._is_open = True
        raw: Any = transport.get_extra_info("socket")
        for level, option, value in (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENCE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, (_SILENCE + _PROBE * _PROBES) * 1000),
        ):
            raw.setsockopt(level, option, value)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionFailed(f"the answer of the service is not HTTP/1.1 ({error})"))
            return
        self._received += len(data)
        if self._received > self._most_head + _CHUNK * self._bytes:
            self._fail(
                TooLarge(f"the head of the response is larger than {self._most_head} bytes")
            )

    def eof_received(self) -> bool:
        if self._has_head and not self._is_bounded:
            self._is_open = False
            self._done()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False
        reason = f": {exc}" if exc else ""
        self._fail(ConnectionFailed(f"the service closed the connection{reason}"))

    # --- the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length":
                self._is_bounded = True
            case b"transfer-encoding":
                self._is_bounded = self._is_bounded or b"chunked" in value.lower()
            case b"content-md5":
                self._md5 = value.decode("latin-1").strip()
            case b"content-encoding":
                self._encoding = value.decode("latin-1").strip()
            case _:
                pass

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._is_bounded = self._is_bounded or status in _NO_BODY
        self._has_head = status >= 200

    def on_body(self, body: bytes) -> None:
        self._bytes += len(body)
        if self._bytes > self._most_bytes:
            self._pieces.clear()
            self._fail(TooLarge(f"the response is larger than {self._most_bytes} bytes"))
            return
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if not self._has_head:  # 100 Continue and the like come before the answer
            self._md5, self._encoding, self._is_bounded = None, "", False
            return
        if not self._parser.should_keep_alive():
            self._is_open = False
        self._done()

    def _done(self) -> None:
        assert self._transport is not None
        if self._transport.get_write_buffer_size():
            self._is_open = False  # answered before it has read what it was asked
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            body = b"".join(self._pieces)
            self._answer.set_result(Reply(status, body, self._md5, self._encoding))

    def _fail(self, error: Exception) -> None:
        self._is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        if self._transport is not None:
            self._transport.abort()
