"""Connections to instances: one request at a time each, kept and used again."""

import asyncio
from collections import deque
from typing import Any, Protocol, cast

import httptools

from snowcave.ingress.headers import Header
from snowcave.ingress.settings import IngressSettings

Address = tuple[str, int]


class Receiver(Protocol):
    """Who made the request: told of the answer as it comes."""

    def response_head(
        self, status: int, reason: bytes, headers: list[Header], *, ends: bool
    ) -> None:
        """`ends`: there is a length or chunking; otherwise the body ends with the connection."""
        ...

    def response_upgraded(self, status: int, headers: list[Header]) -> None:
        """101: from now on `response_body` carries raw bytes."""
        ...

    def response_body(self, data: bytes) -> None: ...

    def response_complete(self) -> None: ...

    def upstream_lost(self, *, reused: bool) -> None:
        """Before the answer was whole. `reused`: a kept connection that may have been stale."""
        ...

    def upstream_paused(self, paused: bool) -> None: ...


class Upstream(asyncio.Protocol):
    """One connection to one instance."""

    def __init__(self, pool: "Pool", address: Address) -> None:
        self.address = address
        self.kept_at = 0.0
        self._pool = pool
        self._receiver: Receiver | None = None
        self._reused = False
        self._tunnel = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, receiver: Receiver, head: bytes, *, answers_without_body: bool) -> None:
        """Send a request head. `answers_without_body`: to HEAD, a length announces no body."""
        self._receiver = receiver
        self._bodiless = answers_without_body
        self._begin_response()
        self._answered = False
        self._transport.write(head)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause(self, paused: bool) -> None:
        """Stop reading the answer while the client does not take it."""
        if self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abandon(self) -> None:
        """The client is gone: so is this conversation."""
        self._receiver = None
        self._transport.abort()

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    # --- what the instance says

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self._transport.abort()  # nobody asked
            return
        if self._tunnel:
            self._receiver.response_body(data)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._lose()

    def _upgraded(self, rest: bytes) -> None:
        if self._receiver is None:
            return
        self._tunnel = True
        self._receiver.response_upgraded(101, self._headers)
        if rest:
            self._receiver.response_body(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        if self._receiver is None:
            return
        if self._tunnel or (self._answered and not self._ends and exc is None):
            self._finish()
        else:
            self._lose()

    def pause_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.upstream_paused(True)

    def resume_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.upstream_paused(False)

    def _lose(self) -> None:
        receiver, self._receiver = self._receiver, None
        self._transport.abort()
        if receiver is not None:
            receiver.upstream_lost(reused=self._reused and not self._answered)

    def _finish(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.response_complete()

    # --- httptools callbacks

    def _begin_response(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[Header] = []
        self._reason = b""
        self._ends = False

    def on_status(self, status: bytes) -> None:
        self._reason = status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        lowered = name.lower()
        if lowered == b"content-length" or (
            lowered == b"transfer-encoding" and value.lower().endswith(b"chunked")
        ):
            self._ends = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._answered = True
        if status in (204, 304):
            self._ends = True
        if self._receiver is not None:
            self._receiver.response_head(status, self._reason, self._headers, ends=self._ends)
        if self._bodiless:
            # The parser would wait for the body that the length speaks of.
            self._finish()
            self._transport.abort()

    def on_body(self, data: bytes) -> None:
        if self._receiver is not None:
            self._receiver.response_body(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            if status != 101:
                self._headers = []  # an interim answer; the real one follows
            return
        keep = self._parser.should_keep_alive() and self._ends
        self._finish()
        if keep:
            self._pool.keep(self)
        else:
            self._transport.close()

    def taken_again(self) -> None:
        self._reused = True


class Pool:
    """Kept connections by instance. Bounded in number and in age."""

    def __init__(self, settings: IngressSettings) -> None:
        self._limit = settings.limits.kept
        self._age = settings.deadlines.kept
        self._connect = settings.deadlines.connect
        self._idle: dict[Address, deque[Upstream]] = {}
        self._all: set[Upstream] = set()

    def take(self, address: Address) -> Upstream | None:
        """A kept connection that is fresh enough, the youngest first."""
        idle = self._idle.get(address)
        now = asyncio.get_running_loop().time()
        while idle:
            upstream = idle.pop()
            if upstream.usable and now - upstream.kept_at < self._age:
                upstream.taken_again()
                return upstream
            upstream.abandon()
        return None

    async def connect(self, address: Address) -> Upstream:
        """Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect):
            _, protocol = await loop.create_connection(lambda: Upstream(self, address), *address)
        upstream = cast(Upstream, cast(Any, protocol))
        self._all.add(upstream)
        return upstream

    def keep(self, upstream: Upstream) -> None:
        idle = self._idle.setdefault(upstream.address, deque())
        if len(idle) >= self._limit or not upstream.usable:
            upstream.abandon()
            return
        upstream.kept_at = asyncio.get_running_loop().time()
        idle.append(upstream)

    def forget(self, upstream: Upstream) -> None:
        self._all.discard(upstream)
        idle = self._idle.get(upstream.address)
        if idle is not None and upstream in idle:
            idle.remove(upstream)
            if not idle:
                del self._idle[upstream.address]

    def close(self) -> None:
        for upstream in list(self._all):
            upstream.abandon()
