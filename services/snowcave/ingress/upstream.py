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

    def response_upgraded(self, headers: list[Header]) -> None:
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
        self._sent = False
        self._answer_over = False
        self._overrun = False
        self._expiry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, receiver: Receiver, head: bytes, *, answers_without_body: bool) -> None:
        """Send a request head. `answers_without_body`: to HEAD, a length announces no body."""
        self._receiver = receiver
        self._bodiless = answers_without_body
        self._begin_response()
        self._answered = False
        self._sent = False
        self._transport.write(head)

    def request_sent(self) -> None:
        """The request is whole: only now may another one follow on this connection."""
        self._sent = True

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

    def keep_for(self, age: float) -> None:
        """Wait for another request, reading so that the instance's goodbye is noticed."""
        self._transport.resume_reading()
        self._expiry = asyncio.get_running_loop().call_later(age, self.abandon)

    def take_again(self) -> None:
        self._reused = True
        if self._expiry is not None:
            self._expiry.cancel()

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
        if self._answer_over:
            self._end_or_keep()

    def _end_or_keep(self) -> None:
        """Nothing may follow here that belongs to another conversation: half a request, half an answer."""
        self._answer_over = False
        whole = self._sent and not self._overrun and not self._transport.get_write_buffer_size()
        if whole and self._ends and self._parser.should_keep_alive():
            self._pool.keep(self)
        else:
            self._transport.close()

    def _upgraded(self, rest: bytes) -> None:
        if self._receiver is None:
            return
        self._tunnel = True
        self._receiver.response_upgraded(self._headers)
        # The receiver may have refused, and be gone.
        if rest and self._receiver is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self._receiver.response_body(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
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
        self._overrun = False

    def on_message_begin(self) -> None:
        if self._answer_over:
            self._overrun = True  # an answer that nobody asked for

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
        self._answer_over = True
        self._finish()


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
            if not idle:
                del self._idle[address]
            if upstream.usable and now - upstream.kept_at < self._age:
                upstream.take_again()
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
        kept = self._idle.get(upstream.address, ())
        if len(kept) >= self._limit or not upstream.usable:
            upstream.abandon()
            return
        upstream.kept_at = asyncio.get_running_loop().time()
        upstream.keep_for(self._age)
        self._idle.setdefault(upstream.address, deque()).append(upstream)

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
