"""One request and its answer: admitted, sent to an instance, streamed both ways with backpressure."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from snowcave.ingress import headers as rules
from snowcave.ingress.gateway import Passage
from snowcave.ingress.heads import AnswerHead, Head
from snowcave.ingress.pages import Answer, Refused, page
from snowcave.ingress.parties import Client, Means
from snowcave.ingress.upstream import Upstream
from snowcave.ingress.waiting_body import WaitingBody

log = structlog.get_logger()

_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    __slots__ = (
        "_chunked",
        "_client",
        "_done",
        "_keep",
        "_means",
        "_passage",
        "_task",
        "_upstream",
        "_waiting",
        "answering",
        "head",
        "started",
    )

    def __init__(self, client: Client, head: Head, means: Means) -> None:
        self.head = head
        self.answering = False
        self.started = False
        self._client = client
        self._means = means
        self._waiting = WaitingBody(means.settings, is_whole=not head.block.has_body)
        self._upstream: Upstream | None = None
        self._passage: Passage | None = None
        self._chunked = False
        self._keep = head.keep_alive
        self._done = False
        self._task: asyncio.Task[None] | None = None

    @property
    def body_complete(self) -> bool:
        """The request has come in whole."""
        return self._waiting.is_whole

    def start(self, now: float) -> None:
        """At once where the caller is known and a connection is there: no task for the most usual request."""
        self.started = True
        if not self.head.block.expects_continue:
            passage = self._means.gateway.admit_now(self.head, now)
            if passage is not None:
                pool = self._means.pool
                upstream = pool.take(pool.least_loaded(passage.addresses))
                if upstream is not None:
                    self._passage = passage
                    self._means.requests.learn(self.head)
                    self._send_on(upstream)
                    return
        self._work(self._run)

    def _work(self, work: Callable[[], Awaitable[None]]) -> None:
        """The client owns the exchange and with it this task."""
        self._task = asyncio.create_task(self._answered(work))

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
        gateway = self._means.gateway
        if gateway.is_own(self.head):
            form = await self._waiting.form(self.head.block.length or 0)
            self._answer(await gateway.own_answer(self.head, form, self._client.visitor))
            return
        self._passage = await gateway.admit(self.head)
        self._means.requests.learn(self.head)
        if self.head.block.expects_continue and not self.body_complete:
            self._client.send(_CONTINUE)
        self._send_on(await self._way())

    async def _way(self, *, kept: bool = True) -> Upstream:
        """To the least loaded instance, or to another: who refused the connection has seen nothing of it."""
        pool = self._means.pool
        while True:
            assert self._passage is not None
            address = pool.least_loaded(self._passage.addresses)
            try:
                found = pool.take(address) if kept else None
                return found or await pool.connect(address)
            except (OSError, TimeoutError) as error:
                self._passage = self._passage.without(address)
                if self._passage is None:
                    text = "The service's instance does not take connections."
                    answer = page(502, "No answer from the service", text, retry=2)
                    raise Refused(answer) from error

    async def _again(self) -> None:
        """Other kept connections may have been closed as well."""
        self._send_on(await self._way(kept=False))

    def _send_on(self, upstream: Upstream) -> None:
        self._upstream = upstream
        head = self.head
        upstream.begin(self, self._head_bytes(), answers_without_body=head.method == b"HEAD")
        if not head.block.has_body:
            upstream.request_sent()
            return
        # Before we write: an instance that is slow to read holds it again.
        self._client.hold(False)
        for data in self._waiting.take():
            upstream.write(self._framed(data))
        if self.body_complete:
            self._end_body()

    def _head_bytes(self) -> bytes:
        assert self._passage is not None
        head, block = self.head, self.head.block
        framing = (
            b"Transfer-Encoding: chunked\r\n" if block.has_body and block.length is None else b""
        )
        if head.upgrade:
            framing += b"Connection: Upgrade\r\nUpgrade: %s\r\n" % block.upgrade
        lines = (head.method, head.target, block.sent, self._passage.added, framing)
        return b"%s %s HTTP/1.1\r\n%s%s%s\r\n" % lines

    # --- the request's body, from the client

    def body(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.write(self._framed(data))
        elif self._waiting.add(data):
            self._client.hold(True)

    def complete_body(self) -> None:
        self._waiting.complete()
        if self._upstream is not None:
            self._end_body()

    def tunnel(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.write(data)

    def client_paused(self, paused: bool) -> None:
        if self._upstream is not None:
            self._upstream.pause(paused)

    def _framed(self, data: bytes) -> bytes:
        return data if self.head.block.length is not None else b"%x\r\n%s\r\n" % (len(data), data)

    def _end_body(self) -> None:
        if self._upstream is None:
            return
        if self.head.block.has_body and self.head.block.length is None:
            self._upstream.write(b"0\r\n\r\n")
        self._upstream.request_sent()

    # --- the answer, from the instance

    def response_whole(self, head: AnswerHead, body: bytes) -> None:
        if self._done:
            return
        self._upstream = None
        if head.executable:
            self._refuse_program()
            return
        if not self.body_complete:
            self._keep = False  # the rest of the request would be taken for the next one
        self._client.send(self._answer_head(head) + body)
        self._finish(keep=self._keep)

    def response_head(self, head: AnswerHead) -> None:
        if self._done:
            return
        if head.executable:
            self._refuse_program()
            return
        self.answering = True
        if not self.body_complete:
            self._keep = False
        bodiless = self.head.method == b"HEAD" or head.status in rules.BODILESS
        framing = b""
        if head.length is None and not bodiless:
            if self.head.version == "1.1":
                self._chunked = True
                framing = b"Transfer-Encoding: chunked\r\n"
            else:
                self._keep = False
        self._client.send(self._answer_head(head, framing))

    def _answer_head(self, head: AnswerHead, framing: bytes = b"") -> bytes:
        assert self._passage is not None
        last = b"Connection: keep-alive\r\n\r\n" if self._keep else b"Connection: close\r\n\r\n"
        return b"".join((head.lines, framing, self._route_lines(), last))

    def _route_lines(self) -> bytes:
        """What the endpoint adds to its answers."""
        if self._passage is None:
            return b""
        route, origin = self._passage.route, self.head.block.origin
        return route.added + rules.lines(route.cors_headers(origin)) if origin else route.added

    def _refuse_program(self) -> None:
        text = "The service's answer is of a type that is not handed out."
        self._break_off(page(403, "Answer refused", text, close=True))

    def response_upgraded(self, head: AnswerHead) -> None:
        if self._done:
            return
        if not self.head.upgrade:
            text = "The service's instance switched to a protocol that nobody asked for."
            self._break_off(page(502, "No answer from the service", text, close=True))
            return
        self.answering = True
        switch = b"Connection: Upgrade\r\nUpgrade: %s\r\n\r\n" % (head.upgrade or b"websocket")
        self._client.send(b"".join((head.lines, self._route_lines(), switch)))
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
        elif reused and self.head.method in _REPEATABLE and not self.head.block.has_body:
            # It had been closed while it was kept: most likely nobody has seen this request yet.
            self._work(self._again)
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
        keep = self._keep and not answer.close and self.body_complete
        if not keep and not answer.close:
            answer = replace(answer, close=True)
        if not self.head.accepts_html:
            answer = answer.for_programs()
        if self._passage is not None:
            answer.headers.extend(self._passage.route.cors_headers(self.head.block.origin))
        self._client.send(answer.encode(head_only=self.head.method == b"HEAD"))
        self._finish(keep=keep)

    def _finish(self, *, keep: bool) -> None:
        self._done = True
        self._client.finished(keep=keep)
