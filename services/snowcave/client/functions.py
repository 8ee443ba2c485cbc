"""A service function called on rows, without SQL: rows stream out, answers stream back in their order."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
)
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from grpc.aio import Channel

from snowcave.client import rows
from snowcave.client.answers import typed
from snowcave.client.rows import Row
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.outcomes import streaming
from snowcave.v1 import functions_pb2 as v1
from snowcave.v1 import functions_pb2_grpc

_RETURNS = "snowcave-returns"
Batches = AsyncIterable[pa.RecordBatch]


@dataclass(slots=True)
class Progress:
    """How far a call has come: rows and batches that are answered, and attempts that were made again.

    Hedges are batches that a second instance was asked for while the first had not answered.
    """

    rows: int = 0
    batches: int = 0
    retries: int = 0
    hedges: int = 0


@dataclass(slots=True)
class _Told:
    """What the function returns, once api has said so."""

    returns: str = ""

    async def hear(self, call: Any) -> None:
        if not self.returns:
            self.returns = dict(await call.initial_metadata()).get(_RETURNS, "VARCHAR")


class Functions:
    """The service functions that a session may call. `Session.functions` makes it."""

    def __init__(self, channel: Channel, token: str) -> None:
        self._stub: Any = functions_pb2_grpc.FunctionServiceStub(channel)
        self._token = token

    async def call(
        self, name: str, arguments: pa.Table, progress: Progress | None = None
    ) -> pa.ChunkedArray:
        """The answers for a table whose columns are the arguments. See `stream`."""
        told = _Told()
        stream = self._stream(name, arguments.to_batches(), progress, told)
        found = [part async for part in stream]
        return pa.chunked_array(found or [typed(pa.array([], pa.string()), told.returns)])

    async def map(
        self, name: str, arguments: Iterable[Row], progress: Progress | None = None
    ) -> AsyncGenerator[Any]:
        """One answer for each row of arguments, as Python values. See `stream`.

        A row is a list or tuple of values, `[n]` for one. What a column has among a few thousand rows is of
        one type, and dicts have one set of keys there: those that one of them has not are null in it.
        """
        async with aclosing(self.stream(name, rows.batches(arguments), progress)) as parts:
            async for part in parts:
                for value in part.to_pylist():
                    yield value

    async def stream(
        self,
        name: str,
        arguments: Iterable[pa.RecordBatch] | Batches,
        progress: Progress | None = None,
    ) -> AsyncGenerator[pa.Array]:
        """Answers in the order of the arguments, while these are still being read.

        `name` is as in SQL (f, s.f, d.s.f); where several functions have it, their types tell them apart:
        `f(NUMBER)`. Values go out as they are, without casts to the declared types. Raises SnowcaveError, as
        soon as a batch has failed for good; leaving the iteration ends the call.
        """
        async with aclosing(self._stream(name, arguments, progress, _Told())) as parts:
            async for part in parts:
                yield part

    async def _stream(
        self,
        name: str,
        arguments: Iterable[pa.RecordBatch] | Batches,
        progress: Progress | None,
        told: _Told,
    ) -> AsyncGenerator[pa.Array]:
        broken: list[Exception] = []
        requests = self._requests(name, arguments, broken)
        with _unless(broken), streaming("The api", self._stub.Invoke(requests)) as call:
            async for reply in call:
                await told.hear(call)
                if reply.WhichOneof("message") == "progress":
                    _note(progress, reply.progress)
                    continue
                with pa.ipc.open_stream(reply.arrow_stream) as reader:
                    for batch in reader:
                        yield typed(batch.column(0), told.returns)
            await told.hear(call)

    async def _requests(
        self,
        name: str,
        arguments: Iterable[pa.RecordBatch] | Batches,
        broken: list[Exception],
    ) -> AsyncIterator[v1.InvokeRequest]:
        """`broken` takes what the arguments raised: gRPC knows only that there is an end to the call."""
        yield v1.InvokeRequest(header=v1.InvokeHeader(token=self._token, name=name))
        try:
            async for batch in _each(arguments):
                for message in rows.messages(batch):
                    yield v1.InvokeRequest(arrow_stream=message)
        except Exception as error:
            broken.append(error)
            raise


@contextmanager
def _unless(broken: list[Exception]) -> Generator[None]:
    """What the caller's own arguments raised goes before what became of the call by that."""
    try:
        yield
    except (SnowcaveError, asyncio.CancelledError):
        task = asyncio.current_task()
        # gRPC cancels a call whose requests fail, and whoever waits for its replies with it.
        if broken and not (task and task.cancelling()):
            raise broken[0] from None
        raise


def _note(progress: Progress | None, said: v1.InvokeProgress) -> None:
    if progress is not None:
        progress.rows, progress.batches = said.rows, said.batches
        progress.retries, progress.hedges = said.retries, said.hedges


async def _each(arguments: Iterable[pa.RecordBatch] | Batches) -> AsyncIterator[pa.RecordBatch]:
    if isinstance(arguments, AsyncIterable):
        async for batch in arguments:
            yield batch
    else:
        for batch in arguments:
            yield batch
