"""A client's connection: parses requests, answers them in order, keeps every deadline."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from snowcave.ingress import metrics
from snowcave.ingress.exchange import Exchange
from snowcave.ingress.headers import Header
from snowcave.ingress.heads import Head, learnable, read_block
from snowcave.ingress.pages import page
from snowcave.ingress.parties import Means
from snowcave.ingress.visits import Visitor

# Seconds in which a refused client may go on sending into the void.
_LINGER = 1.0


class ClientConnection(asyncio.Protocol):
    """Stands in `clients` while it is open; `freed` is called once when it is over."""

    def __init__(
        self, means: Means, clients: "set[ClientConnection]", freed: Callable[[], None]
    ) -> None:
        self._means = means
        self._settings = means.settings
        self._clients = clients
        self._freed = freed
        self._parser = httptools.HttpRequestParser(self)
        # The first one is being answered, the others wait behind it.
        self._exchanges: deque[Exchange] = deque()
        self._target = b""
        self._headers: list[Header] = []
        self._head_size = 0
        # What the next request may be remembered by.
        self._raw = b""
        # Bytes of a head or of trailers that have begun, not counting the read that they began in.
        self._unparsed = 0
        self._reading_head = False
        self._refusing = False
        self._tunnel = False
        self._held: set[str] = set()
        self._writing_paused = False
        self._all_said = False

    # --- connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._visitor: Visitor | None = None
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._head_began = self._heard
        self._timer = self._loop.call_later(self._settings.deadlines.head, self._tick)
        self._clients.add(self)
        metrics.CONNECTIONS.inc()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._clients.discard(self)
        metrics.CONNECTIONS.dec()
        for exchange in self._exchanges:
            exchange.end()
        self._exchanges.clear()
        self._freed()

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if self._refusing or self._transport.is_closing():
            return
        if self._tunnel:
            self._exchanges[0].tunnel(data)
            return
        if not self._exchanges and not self._reading_head:
            head = self._means.requests.read(data)
            if head is not None:
                self._take(head)
                return
            self._raw = learnable(data)
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        if not self._exchanges:
            self._begin_head()  # blank lines before a request count too
        self._unparsed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._after_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(
                400, "Bad request", "That is no HTTP/1.1 request this gateway understands."
            )
        self._raw = b""
        if self._unparsed > self._settings.limits.head:
            self._refuse(431, "Headers too large", "The request's headers are too large.")

    def _begin_head(self) -> None:
        if not self._reading_head:
            self._reading_head = True
            self._head_began = self._heard
            self._unparsed = 0

    def eof_received(self) -> bool:
        """A client that has said all may still read its answer; TLS knows no half-closed connection."""
        self._all_said = True
        whole = bool(self._exchanges) and self._exchanges[-1].body_complete
        going_on = not self._tunnel and not self._refusing
        return whole and going_on and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._writing_paused = True
        if self._exchanges:
            self._exchanges[0].client_paused(True)

    def resume_writing(self) -> None:
        self._writing_paused = False
        if not self._exchanges:
            return
        if self._exchanges[0].started:
            self._exchanges[0].client_paused(False)
        else:
            self._exchanges[0].start(self._loop.time())

    # --- httptools callbacks

    def on_message_begin(self) -> None:
        if len(self._exchanges) >= self._settings.limits.pipelined_burst:
            raise httptools.HttpParserError("too many requests at once")
        self._target, self._headers, self._head_size = b"", [], 0
        self._begin_head()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._reading_head:
            return  # a trailer's: nobody looks at them, so nobody may be told anything by them
        self._head_size += len(name) + len(value)
        limits = self._settings.limits
        if len(self._headers) >= limits.headers or self._head_size > limits.head:
            raise httptools.HttpParserError("too many headers")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        try:
            block = read_block(self._headers)
        except ValueError as error:
            raise httptools.HttpParserError(str(error)) from error
        head = Head(parser.get_method(), self._target, block, parser.get_http_version())
        head.keep_alive = parser.should_keep_alive()
        if head.version == "1.0" and block.has_body and block.length is None:
            raise httptools.HttpParserError("chunks are of HTTP/1.1")
        if parser.should_upgrade():
            # The parser does not go on behind an offer to switch protocols, taken or not.
            head.keep_alive = False
            # Behind another protocol (h2c) there would be requests that nobody has looked at.
            head.upgrade = block.upgrade.lower() == b"websocket"
        elif head.keep_alive and head.version == "1.1" and not block.has_body:
            head.raw = self._raw
        self._take(head)

    def _take(self, head: Head) -> None:
        self._reading_head = False
        self._unparsed = 0
        metrics.REQUESTS.count += 1
        exchange = Exchange(self, head, self._means)
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            if not self._writing_paused:
                exchange.start(self._heard)
        elif len(self._exchanges) >= self._settings.limits.pipelined:
            self._hold("pipeline", True)

    def on_body(self, data: bytes) -> None:
        self._unparsed = 0
        if self._exchanges:
            self._exchanges[-1].body(data)

    def on_message_complete(self) -> None:
        if self._exchanges and not self._refusing:
            self._exchanges[-1].complete_body()

    def _after_upgrade(self, rest: bytes) -> None:
        """The parser has stopped: what follows is either the tunnel's or nobody's."""
        if rest and self._exchanges:
            # Before the instance has agreed, nothing but the request may be sent.
            self._refuse(400, "Bad request", "Data before the protocol was switched.")

    # --- what an exchange asks of us

    @property
    def visitor(self) -> Visitor:
        if self._visitor is None:
            peer = self._transport.get_extra_info("peername")
            secure = self._transport.get_extra_info("ssl_object") is not None
            self._visitor = Visitor(str(peer[0]) if peer else "", secure)
        return self._visitor

    def send(self, data: bytes) -> None:
        self._heard = self._loop.time()
        if not self._transport.is_closing():
            self._transport.write(data)

    def hold(self, held: bool) -> None:
        if held or self._held:
            self._hold("body", held)

    def finished(self, *, keep: bool) -> None:
        exchange = self._exchanges.popleft()
        self._heard = self._loop.time()
        if not keep or (self._all_said and not self._exchanges):
            self._close(unread=not exchange.body_complete)
            return
        if self._held:
            self._held.discard("body")
            self._hold("pipeline", len(self._exchanges) >= self._settings.limits.pipelined)
        # While the client does not take this answer there is no room for the next one.
        if self._exchanges and not self._writing_paused:
            self._exchanges[0].start(self._heard)

    def tunnelled(self) -> None:
        self._tunnel = True

    def cut(self) -> None:
        self._transport.abort()

    def _hold(self, reason: str, held: bool) -> None:
        (self._held.add if held else self._held.discard)(reason)
        if self._transport.is_closing():
            return
        if self._held:
            self._transport.pause_reading()
        else:
            self._head_began = self._loop.time()  # it could not go on while we did not read
            self._transport.resume_reading()

    # --- ends

    def _refuse(self, status: int, title: str, text: str) -> None:
        """No further request of this connection is taken, and none that waits is answered."""
        if self._refusing:
            return
        self._refusing = True
        answered = any(exchange.answering for exchange in self._exchanges)
        for exchange in self._exchanges:
            exchange.end()
        self._exchanges.clear()
        if answered:
            self._transport.abort()  # half an answer is out: another one would be read as its rest
            return
        self.send(page(status, title, text, close=True).encode())
        self._close(unread=True)

    def _close(self, *, unread: bool) -> None:
        """Closing over unread bytes resets the connection, and the client never sees our answer."""
        if not unread or self._transport.is_closing():
            self._transport.close()
            return
        self._refusing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._held.clear()
        self._transport.resume_reading()
        self._loop.call_later(_LINGER, self._transport.close)

    def _tick(self) -> None:
        """One timer a connection, however many requests it carries."""
        deadlines, now = self._settings.deadlines, self._loop.time()
        slow_head = self._reading_head and not self._held
        self._timer = self._loop.call_later(min(deadlines.head, 5.0), self._tick)
        if slow_head and now - self._head_began >= deadlines.head:
            self._refuse(408, "Too slow", "The request's headers did not come in time.")
        elif now - self._heard >= deadlines.idle:
            if self._transport.is_closing():
                self._transport.abort()  # it does not take the end of its answer
            elif self._exchanges and self._exchanges[0].started:
                self._exchanges[0].timed_out()
            else:
                self._transport.close()

    def drain(self) -> None:
        """Finish what is being answered, take nothing new."""
        if self._exchanges:
            self._exchanges[0].be_last()
        else:
            self._transport.close()
