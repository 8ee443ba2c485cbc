"""The asking side of Converse: many statements at once over one stream to the warehouse.

What is asked while a message is being written goes in the next one. A stream that breaks fails all who wait
on it; the next question opens another.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from snowcave.kit.tasks import background
from snowcave.model.errors import (
    DeadlinePassed,
    Exhausted,
    Kind,
    RemoteError,
    SnowcaveError,
    Unavailable,
)
from snowcave.runtime.outcomes import from_rpc
from snowcave.v1 import warehouse_pb2 as v1
from snowcave.v1 import warehouse_pb2_grpc as stubs

_PEER = "The warehouse"
# Questions, and bytes of them, in one message.
_MOST = 64
_BYTES = 4 << 20
# One that is larger would end the stream, and with it what all others wait for.
_LARGEST = 32 << 20
_END: object = vars(grpc.aio)["EOF"]


class Conversation:
    """Made by `open_conversation`, which owns the task that speaks."""

    def __init__(self, stub: stubs.WarehouseServiceStub) -> None:
        self._stub: Any = stub
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[v1.Answer]] = {}
        self._unsaid: deque[v1.Question] = deque()
        self._news = asyncio.Event()
        self._is_over = False

    async def execute(self, request: v1.ExecuteRequest, within: float | None) -> v1.ExecuteReply:
        """Raises what the warehouse raised, Unavailable, DeadlinePassed, Exhausted."""
        return (await self._ask(v1.Question(execute=request), within)).executed

    async def keep(self, request: v1.KeepResultRequest, within: float) -> None:
        await self._ask(v1.Question(keep=request), within)

    async def _ask(self, question: v1.Question, within: float | None) -> v1.Answer:
        if self._is_over:
            raise Unavailable(f"{_PEER} was left.")
        if question.ByteSize() > _LARGEST:
            raise Exhausted(f"The statement with its values is larger than {_LARGEST} bytes.")
        self._numbers += 1
        number = question.number = self._numbers
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._say(question)
        try:
            async with asyncio.timeout(within):
                answer = await future
        except TimeoutError:
            raise DeadlinePassed(f"{_PEER} did not answer in time.") from None
        finally:
            del self._waiting[number]
            # Whoever stops waiting cancels the future; an answer or a failure has settled it.
            if future.cancelled() or not future.done():
                self._say(v1.Question(number=number, dropped=True))
        if answer.WhichOneof("told") == "refused":
            told = answer.refused
            raise RemoteError(Kind[told.kind], told.code, told.sqlstate, told.message)
        return answer

    def _say(self, question: v1.Question) -> None:
        self._unsaid.append(question)
        self._news.set()

    async def run(self) -> None:
        try:
            await self._converse()
        finally:
            self._is_over = True
            self._fail(Unavailable(f"{_PEER} was left."))

    async def _converse(self) -> None:
        while True:
            await self._news.wait()
            stream = self._stub.Converse()
            hearing = asyncio.ensure_future(self._hear(stream))
            try:
                await self._speak(stream, hearing)
            except grpc.aio.AioRpcError as error:
                self._fail(from_rpc(error, _PEER))
            except asyncio.InvalidStateError:  # it ended while it was written to
                self._fail(Unavailable(f"{_PEER} does not answer."))
            finally:
                stream.cancel()
                hearing.cancel()
                await asyncio.wait([hearing])
                if not hearing.cancelled():
                    hearing.exception()  # told already, where it says something of the stream

    async def _speak(self, stream: Any, hearing: asyncio.Future[None]) -> None:
        """Raises what ended the stream. `hearing` has ended when it has."""
        hearing.add_done_callback(lambda _: self._news.set())
        while True:
            await self._news.wait()
            self._news.clear()
            while said := self._next():
                await stream.write(v1.Questions(questions=said))
            if hearing.done():
                hearing.result()
                raise asyncio.InvalidStateError

    def _next(self) -> list[v1.Question]:
        said: list[v1.Question] = []
        size = 0
        while self._unsaid and len(said) < _MOST and size < _BYTES:
            question = self._unsaid.popleft()
            # One that nobody waits for has not been asked, or is called off.
            if question.dropped or question.number in self._waiting:
                said.append(question)
                size += question.ByteSize()
        return said

    async def _hear(self, stream: Any) -> None:
        while (heard := await stream.read()) is not _END:
            for answer in heard.answers:
                future = self._waiting.get(answer.number)
                if future is not None and not future.done():
                    future.set_result(answer)
        # Raises what the stream ended with.
        if (code := await stream.code()) is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                code,
                await stream.initial_metadata(),
                await stream.trailing_metadata(),
                await stream.details(),
                None,
            )

    def _fail(self, error: SnowcaveError) -> None:
        self._unsaid.clear()
        self._news.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)


@asynccontextmanager
async def open_conversation(stub: stubs.WarehouseServiceStub) -> AsyncGenerator[Conversation]:
    made = Conversation(stub)
    async with background(made.run()):
        yield made
