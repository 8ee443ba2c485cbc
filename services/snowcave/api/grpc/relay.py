"""A client's call of a service function, handed on to the routers.

What a router has not answered when it goes away is asked of the next one, under the same batch ids. So a
client sees each answer once, in its place, whatever becomes of the routers.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import structlog

from snowcave.api.grpc.arguments import Arguments
from snowcave.api.settings import RelaySettings
from snowcave.kit.unanswered import Waiting
from snowcave.model.errors import Unavailable, ValueInvalid
from snowcave.runtime.outcomes import streaming
from snowcave.runtime.patience import Patience
from snowcave.runtime.replicas import Replicas
from snowcave.v1 import functions_pb2 as v1

log = structlog.get_logger()

_PEER = "The functions daemon"


class Relay:
    """One call."""

    def __init__(
        self,
        routers: Replicas,
        header: v1.InvokeHeader,
        arguments: Arguments,
        settings: RelaySettings,
    ) -> None:
        self._routers = routers
        self._header = header
        self._arguments = arguments
        self._settings = settings
        self._waiting = Waiting(settings.window, settings.window_bytes)
        self._patience = Patience(settings.patience, settings.losses)
        # Of each message that waits for its answers.
        self._rows: deque[int] = deque()
        # Answers that have been handed on.
        self._done = v1.InvokeProgress(batches=header.first_batch)

    async def run(
        self, requests: AsyncIterator[v1.InvokeRequest]
    ) -> AsyncGenerator[v1.InvokeReply]:
        """Raises SnowcaveError; Unavailable where routers are gone for good, see Patience."""
        reading = asyncio.ensure_future(self._read(requests))
        try:
            async with aclosing(self._replies()) as replies:
                async for reply in replies:
                    yield reply
            # What the client said wrong is told after the answers of what it said before.
            await reading
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self, requests: AsyncIterator[v1.InvokeRequest]) -> None:
        """One record batch to a message: answers are told to be whole for each of them."""
        try:
            async for request in requests:
                if request.WhichOneof("message") != "arrow_stream":
                    raise ValueInvalid("After the header, Invoke takes Arrow streams only.")
                for rows, message in self._arguments.record_batches(request.arrow_stream):
                    await self._waiting.room()
                    self._rows.append(rows)
                    self._waiting.add(message)
        finally:
            self._waiting.finish()

    async def _replies(self) -> AsyncGenerator[v1.InvokeReply]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with aclosing(self._ask(self._routers.next())) as replies:
                    async for reply in replies:
                        yield reply
                return
            except Unavailable:
                if self._patience.is_over(loop.time()):
                    raise
                log.warning("call_taken_elsewhere", query=self._header.query_id)
            await asyncio.sleep(self._settings.pause)

    async def _ask(self, router: Any) -> AsyncGenerator[v1.InvokeReply]:
        """One router, from the first unanswered message on; answers once those of a message are whole."""
        before = v1.InvokeProgress()
        before.CopyFrom(self._done)
        pieces: list[v1.InvokeReply] = []
        with (
            self._waiting.stream() as messages,
            streaming(_PEER, router.Invoke(self._requests(messages))) as call,
        ):
            async for reply in call:
                self._patience.taken_up()
                if reply.WhichOneof("message") == "progress":
                    yield v1.InvokeReply(progress=self._told(before, reply.progress))
                    continue
                pieces.append(reply)
                if reply.is_whole:
                    self._answered(reply.batches)
                    for piece in pieces:
                        yield piece
                    pieces.clear()

    def _answered(self, batches: int) -> None:
        self._waiting.answer()
        self._patience.answered()
        self._done.rows += self._rows.popleft()
        self._done.batches = self._header.first_batch = batches

    def _told(self, before: v1.InvokeProgress, said: v1.InvokeProgress) -> v1.InvokeProgress:
        """What an earlier router said beyond its answers that came was lost with it, but not its attempts."""
        self._done.retries = before.retries + said.retries
        self._done.hedges = before.hedges + said.hedges
        return v1.InvokeProgress(
            rows=before.rows + said.rows,
            batches=before.batches + said.batches,
            retries=self._done.retries,
            hedges=self._done.hedges,
        )

    async def _requests(self, messages: AsyncIterator[bytes]) -> AsyncIterator[v1.InvokeRequest]:
        header = v1.InvokeHeader()
        header.CopyFrom(self._header)
        yield v1.InvokeRequest(header=header)
        async for message in messages:
            yield v1.InvokeRequest(arrow_stream=message)
