"""One request and its answer: admitted, sent to an instance, streamed both ways with backpressure."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol

import structlog

from snowcave.ingress import headers as rules
from snowcave.ingress.gateway import Gateway, Head, Passage
from snowcave.ingress.headers import Header
from snowcave.ingress.pages import Answer, Refused, page
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.upstream import Pool, Upstream

log = structlog.get_logger()

_BODILESS = frozenset({204, 304})
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Client(Protocol):
    """The connection that the request came by."""

    def send(self, data: bytes) -> None: ...
    def hold(self, held: bool) -> None:
        """Read no more of the body, or go on."""
        ...

    def finished(self, *, keep: bool) -> None:
        """The answer is whole; the next request may be answered."""
        ...

    def tunnelled(self) -> None:
        """Whatever comes from now on goes to `tunnel`."""
        ...

    def cut(self) -> None:
        """The answer broke off: the client must see that."""
        ...


class Exchange:
    def __init__(
        self,
        client: Client,
        head: Head,
        gateway: Gateway,
        pool: Pool,
        settings: IngressSettings,
    ) -> None:
        self._client = client
        self.head = head
        self._gateway = gateway
        self._pool = pool
        self._limits = settings.limits
        self._form_deadline = settings.deadlines.head
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._body_complete = not head.has_body
        # Set as soon as it is whole, or larger than any form of ours.
        self._form_settled = asyncio.Event()
        self._upstream: Upstream | None = None
        self._passage: Passage | None = None
        self.answering = False
        self._chunked = False
        self._keep = head.keep_alive
        self._done = False
        self._task: asyncio.Task[None] | None = None
        if self._body_complete:
            self._form_settled.set()

    def start(self) -> None:
        """The client owns the exchange and with it this task."""
        self._task = asyncio.create_task(self._answered(self._run))

    @property
    def started(self) -> bool:
        return self._task is not None

    @property
    def body_complete(self) -> bool:
        """The request has come in whole."""
        return self._body_complete

    def be_last(self) -> None:
        """The connection ends with this answer."""
        self._keep = False

    def end(self) -> None:
        """The client is gone."""
        self._done = True
        self._stop_working()

    def _stop_working(self) -> None:
        if self._task is not None:
            self._task.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()

    async def _answered(self, work: Callable[[], Awaitable[None]]) -> None:
        """Whatever comes of the work, the client hears of it."""
        try:
            await work()
        except Refused as refused:
            self._answer(refused.answer)
        except Exception:
            log.exception("exchange_failed")
            text = "The gateway failed on this request."
            self._break_off(page(500, "Gateway error", text, close=True))

    async def _run(self) -> None:
        if self._gateway.is_own(self.head):
            self._answer(await self._gateway.own_answer(self.head, await self._form()))
            return
        self._passage = await self._gateway.admit(self.head)
        if rules.find(self.head.headers, b"expect") is not None and not self._body_complete:
            self._client.send(_CONTINUE)
        await self._send_on(self._pool.take(self._passage.address))

    async def _send_on(self, upstream: Upstream | None) -> None:
        if upstream is None:
            upstream = await self._connect()
        self._upstream = upstream
        upstream.begin(self, self._head_bytes(), answers_without_body=self.head.method == b"HEAD")
        self._client.hold(
            False
        )  # before we write: an instance that is slow to read holds it again
        waiting, self._waiting, self._waiting_size = self._waiting, [], 0
        for data in waiting:
            upstream.write(self._framed(data))
        if self._body_complete:
            self._end_body()

    async def _connect(self) -> Upstream:
        """To the chosen instance, or to another: whoever refused the connection has seen nothing of it."""
        while True:
            assert self._passage is not None
            try:
                return await self._pool.connect(self._passage.address)
            except (OSError, TimeoutError) as error:
                self._passage = self._gateway.elsewhere(self._passage)
                if self._passage is None:
                    text = "The service's instance does not take connections."
                    answer = page(502, "No answer from the service", text, retry=2)
                    raise Refused(answer) from error

    def _head_bytes(self) -> bytes:
        assert self._passage is not None
        head = self.head
        lines = [b"%s %s HTTP/1.1" % (head.method, head.target)]
        sent = rules.request_headers(head.headers, self._passage.user)
        lines += [name + b": " + value for name, value in sent]
        if head.has_body and head.length is None:
            lines.append(b"Transfer-Encoding: chunked")
        if head.upgrade:
            wanted = rules.find(head.headers, b"upgrade") or b""
            lines += [b"Connection: Upgrade", b"Upgrade: " + wanted]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # --- the request's body, from the client

    def body(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.write(self._framed(data))
            return
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size > self._limits.form:
            self._form_settled.set()
        if self._waiting_size > self._limits.buffered:
            self._client.hold(True)

    def complete_body(self) -> None:
        self._body_complete = True
        self._form_settled.set()
        if self._upstream is not None:
            self._end_body()

    def tunnel(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.write(data)

    def client_paused(self, paused: bool) -> None:
        if self._upstream is not None:
            self._upstream.pause(paused)

    def _framed(self, data: bytes) -> bytes:
        return data if self.head.length is not None else b"%x\r\n%s\r\n" % (len(data), data)

    def _end_body(self) -> None:
        if self._upstream is None:
            return
        if self.head.has_body and self.head.length is None:
            self._upstream.write(b"0\r\n\r\n")
        self._upstream.request_sent()

    async def _form(self) -> bytes:
        if (self.head.length or 0) <= self._limits.form:
            try:
                async with asyncio.timeout(self._form_deadline):
                    await self._form_settled.wait()
            except TimeoutError as error:
                text = "The form did not come in time."
                raise Refused(page(408, "Too slow", text, close=True)) from error
            if self._waiting_size <= self._limits.form:
                return b"".join(self._waiting)
        raise Refused(page(413, "Too large", "That form is too large.", close=True))

    # --- the answer, from the instance

    def response_head(
        self, status: int, reason: bytes, headers: list[Header], *, ends: bool
    ) -> None:
        if self._done:
            return
        if rules.is_executable(headers):
            text = "The service's answer is of a type that is not handed out."
            self._break_off(page(403, "Answer refused", text, close=True))
            return
        self.answering = True
        lines = [b"HTTP/1.1 %d %s" % (status, reason or _phrase(status))]
        lines += [name + b": " + value for name, value in rules.response_headers(headers)]
        has_length = rules.find(headers, b"content-length") is not None
        bodiless = self.head.method == b"HEAD" or status in _BODILESS
        if not has_length and not bodiless:
            if self.head.version == "1.1":
                self._chunked = True
                lines.append(b"Transfer-Encoding: chunked")
            else:
                self._keep = False
        if not self._body_complete:
            self._keep = False  # the rest of the request would be taken for the next one
        lines.append(b"Connection: " + (b"keep-alive" if self._keep else b"close"))
        self._client.send(b"\r\n".join(lines) + b"\r\n\r\n")

    def response_upgraded(self, headers: list[Header]) -> None:
        if self._done:
            return
        if not self.head.upgrade:
            text = "The service's instance switched to a protocol that nobody asked for."
            self._break_off(page(502, "No answer from the service", text, close=True))
            return
        self.answering = True
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade"]
        lines.append(b"Upgrade: " + (rules.find(headers, b"upgrade") or b"websocket"))
        lines += [name + b": " + value for name, value in rules.response_headers(headers)]
        self._client.send(b"\r\n".join(lines) + b"\r\n\r\n")
        self._keep = False
        self._client.tunnelled()

    def response_body(self, data: bytes) -> None:
        if self._done:
            return
        self._client.send(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def response_complete(self) -> None:
        if self._done:
            return
        if self._chunked:
            self._client.send(b"0\r\n\r\n")
        self._upstream = None
        self._finish(keep=self._keep)

    def upstream_lost(self, *, reused: bool) -> None:
        self._upstream = None
        if self._done:
            return
        if self.answering:
            self._break_off()
        elif reused and self.head.method in _REPEATABLE and not self.head.has_body:
            # It had been closed while it was kept: nobody has seen this request yet.
            self._task = asyncio.create_task(self._answered(lambda: self._send_on(None)))
        else:
            text = "The service's instance closed the connection without an answer."
            self._answer(page(502, "No answer from the service", text))

    def upstream_paused(self, paused: bool) -> None:
        self._client.hold(paused)

    # --- ends

    def timed_out(self) -> None:
        """Nothing in either direction for too long."""
        self._stop_working()
        text = "The service did not answer in time."
        self._break_off(page(504, "No answer from the service", text, close=True))

    def _break_off(self, answer: Answer | None = None) -> None:
        """With `answer`, unless another one is already on its way: the client then sees a cut."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abandon()
        if self.answering or answer is None:
            self._done = True
            self._client.cut()
        else:
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if self._done:
            return
        keep = self._keep and not answer.close and self._body_complete
        if not keep and not answer.close:
            answer = Answer(answer.status, answer.body, answer.kind, answer.headers, close=True)
        self._client.send(answer.encode(head_only=self.head.method == b"HEAD"))
        self._finish(keep=keep)

    def _finish(self, *, keep: bool) -> None:
        self._done = True
        self._client.finished(keep=keep)


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"
