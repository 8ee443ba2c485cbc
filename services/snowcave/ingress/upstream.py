"""One connection to one instance: a request at a time, and its answer as it comes."""

import asyncio
from typing import Protocol, cast

import httptools

from snowcave.ingress.headers import Header
from snowcave.ingress.heads import AnswerHead, KnownAnswers, read_answer
from snowcave.ingress.routes import Address

_END = b"\r\n\r\n"
# Bytes of heads, or of trailers, that an instance may send before something comes of them.
_LONGEST = 64 << 10


class Receiver(Protocol):
    """Who made the request: told of the answer as it comes."""

    def response_whole(self, head: AnswerHead, body: bytes) -> None:
        """All of it at once."""
        ...

    def response_head(self, head: AnswerHead) -> None: ...

    def response_upgraded(self, head: AnswerHead) -> None:
        """101: from now on `response_body` carries raw bytes."""
        ...

    def response_body(self, data: bytes) -> None: ...

    def response_complete(self) -> None: ...

    def upstream_lost(self, *, reused: bool) -> None:
        """Before the answer was whole. `reused`: a kept connection that may have been stale."""
        ...

    def upstream_paused(self, paused: bool) -> None: ...


class Home(Protocol):
    """Where a connection comes from and goes back to."""

    def keep(self, upstream: "Upstream") -> None: ...

    def forget(self, upstream: "Upstream") -> None: ...


class Upstream(asyncio.Protocol):
    def __init__(self, home: Home, address: Address, known: KnownAnswers) -> None:
        self.address = address
        self.kept_at = 0.0
        # Counts as work of its instance.
        self.busy = True
        self._home = home
        self._known = known
        self._receiver: Receiver | None = None
        self._reused = False
        self._tunnel = False
        self._sent = False
        self._paused = False
        # Nothing has come of the answer yet.
        self._fresh = True
        # Bytes that went into the parser and have not come out.
        self._unparsed = 0
        # Of a body whose length is known.
        self._left = 0
        self._head_only = False
        self._answer: AnswerHead | None = None
        self._over = False
        self._overrun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self, receiver: Receiver, head: bytes, *, answers_without_body: bool) -> None:
        """Send a request head. `answers_without_body`: to HEAD, a length announces no body."""
        self._receiver = receiver
        self._bodiless = answers_without_body
        self._answer = None
        self._fresh = True
        self._unparsed = 0
        self._left = 0
        self._over = self._overrun = False
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
        if self._transport.is_closing() or paused == self._paused:
            return
        self._paused = paused
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

    def take_again(self) -> None:
        self._reused = True

    # --- what the instance says

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            self._transport.abort()  # nobody asked
        elif self._tunnel:
            self._receiver.response_body(data)
        elif self._left:
            self._measured(data)
        elif self._fresh:
            self._begun(self._receiver, data)
        else:
            self._parse(data)

    def _begun(self, receiver: Receiver, data: bytes) -> None:
        """The first bytes of an answer: mostly its whole head, often all of it."""
        self._fresh = False
        end = data.find(_END) + len(_END)
        raw = data[:end] if end >= len(_END) else b""
        head = self._known.get(raw)
        if head is None:
            self._new_parser()
            head = self._read(raw) if raw else None
            if head is None:
                self._rest(data[end:] if raw else data)
                return
            if head.length is not None:
                self._known.learn(raw, head)
        self._answer = head
        self._go_on(receiver, head, data[end:])

    def _read(self, raw: bytes) -> AnswerHead | None:
        """A head that says how long the answer is; of others the parser goes on to the end."""
        self._head_only = True
        self._parse(raw)
        self._head_only = False
        head, receiver = self._answer, self._receiver
        if receiver is None or self._tunnel or head is None:
            return None
        if head.length is not None or self._bodiless:
            return head
        receiver.response_head(head)
        return None

    def _rest(self, data: bytes) -> None:
        if not data or self._receiver is None:
            return
        if self._tunnel:
            self._receiver.response_body(data)
        else:
            self._parse(data)

    def _go_on(self, receiver: Receiver, head: AnswerHead, body: bytes) -> None:
        """With a length there is nothing left to parse, only to count."""
        length = 0 if self._bodiless else head.length or 0
        self._overrun = len(body) > length
        if len(body) >= length:
            self._receiver = None
            self._end_or_keep()
            receiver.response_whole(head, body[:length])
            return
        receiver.response_head(head)
        self._left = length
        if body and self._receiver is not None:
            self._measured(body)

    def _measured(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        if len(data) < self._left:
            self._left -= len(data)
            receiver.response_body(data)
            return
        self._overrun = len(data) > self._left
        data, self._left = data[: self._left], 0
        receiver.response_body(data)
        if self._receiver is not None:
            self._receiver = None
            self._end_or_keep()
            receiver.response_complete()

    def _end_or_keep(self) -> None:
        """Nothing may follow here that belongs to another conversation: half a request, half an answer."""
        head = self._answer
        whole = self._sent and not self._overrun and not self._transport.get_write_buffer_size()
        if whole and head is not None and head.ends and head.keep_alive:
            self.pause(False)
            self._home.keep(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._home.forget(self)
        receiver, self._receiver = self._receiver, None
        if receiver is None:
            return
        ended = self._answer is not None and not self._answer.ends and exc is None
        if self._tunnel or ended:
            receiver.response_complete()
        else:
            receiver.upstream_lost(reused=self._reused and self._answer is None)

    def pause_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.upstream_paused(True)

    def resume_writing(self) -> None:
        if self._receiver is not None:
            self._receiver.upstream_paused(False)

    # --- where a parser is needed: heads not seen before, and bodies without a length

    def _new_parser(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[Header] = []
        self._reason = b""

    def _parse(self, data: bytes) -> None:
        self._unparsed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._lose()
        if self._over:
            self._over = False
            self._finish()
        elif self._unparsed > _LONGEST and not self._tunnel:
            self._lose()

    def _finish(self) -> None:
        receiver, self._receiver = self._receiver, None
        self._end_or_keep()
        if receiver is not None:
            receiver.response_complete()

    def _upgraded(self, rest: bytes) -> None:
        if self._receiver is None:
            return
        self._tunnel = True
        self._receiver.response_upgraded(self._read_head(101))
        # The receiver may have refused, and be gone.
        if rest and self._receiver is not None:  # pyright: ignore[reportUnnecessaryComparison]
            self._receiver.response_body(rest)

    def _lose(self) -> None:
        receiver, self._receiver = self._receiver, None
        self._transport.abort()
        if receiver is not None:
            receiver.upstream_lost(reused=self._reused and self._answer is None)

    def _read_head(self, status: int) -> AnswerHead:
        keep_alive = self._parser.should_keep_alive()
        return read_answer(status, self._reason, self._headers, keep_alive=keep_alive)

    def on_message_begin(self) -> None:
        if self._over:
            self._overrun = True  # an answer that nobody asked for

    def on_status(self, status: bytes) -> None:
        self._reason += status  # which may come in pieces

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is None:  # else a trailer's
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._over:
            return
        self._answer = self._read_head(status)
        if self._head_only:
            return
        if self._receiver is not None:
            self._receiver.response_head(self._answer)
        # The parser would wait for the body that a length speaks of.
        self._over = self._bodiless

    def on_body(self, data: bytes) -> None:
        self._unparsed = 0
        if self._receiver is not None and not self._over:
            self._receiver.response_body(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._over = not self._head_only
        elif status != 101:
            self._headers, self._reason = [], b""  # an interim answer; the real one follows
