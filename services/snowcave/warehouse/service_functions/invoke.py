"""The warehouse's side of FunctionService.Invoke."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import structlog

from snowcave.kit.clock import Clock
from snowcave.kit.fitting import fitting
from snowcave.kit.tasks import until_done
from snowcave.kit.unanswered import Waiting
from snowcave.model.errors import Kind, QueryCancelled, RemoteError, Unavailable
from snowcave.model.names import ObjectName
from snowcave.runtime.outcomes import streaming
from snowcave.runtime.patience import Patience
from snowcave.runtime.replicas import Replicas
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import warehouse_pb2
from snowcave.warehouse import columns
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.results.keeping import Keeper, Kept, Rows
from snowcave.warehouse.service_functions import context_values, wire
from snowcave.warehouse.service_functions.message_rows import MessageRows
from snowcave.warehouse.service_functions.tally import plus
from snowcave.warehouse.settings import CallSettings

log = structlog.get_logger()

_PEER = "The functions daemon"
# Bytes of one message of arguments.
_LARGEST = 8 << 20
_ANSWERS = pa.schema([pa.field("answer", pa.string())])


class Invoker:
    """Calls go to the replicas of the functions daemon in turn."""

    def __init__(
        self, replicas: Replicas, settings: CallSettings, keeper: Keeper, clock: Clock
    ) -> None:
        self._replicas = replicas
        self._settings = settings
        self._keeper = keeper
        self._clock = clock

    def open(
        self,
        function: warehouse_pb2.FunctionBinding,
        context: Context,
        query_id: str,
        call: int,
    ) -> "Invocation":
        head = header(function, context, query_id, call, self._clock.now())
        kept = self._keeper.keep(_ANSWERS)
        return Invocation(
            self._replicas.next, head, argument_schema(function), self._settings, kept
        )


class Invocation:
    """One call of a function. Enter, send argument rows, finish; leaving early ends it at once.

    Where a replica goes away, the next one is asked for what has not been answered, under the same batch ids.
    """

    def __init__(
        self,
        next_stub: Callable[[], Any],
        head: pb.InvokeHeader,
        schema: pa.Schema,
        settings: CallSettings,
        answers: Kept,
    ) -> None:
        self._next_stub = next_stub
        self._header = head
        self._schema = schema
        self._settings = settings
        self._answers = answers
        self._sent = 0
        self._waiting = Waiting(settings.window, settings.window_bytes)
        self._patience = Patience(settings.patience, settings.losses)
        self._message_rows = MessageRows(settings)
        self._collecting: asyncio.Task[None] | None = None
        self.progress = pb.InvokeProgress()

    async def __aenter__(self) -> "Invocation":
        self._collecting = asyncio.ensure_future(self._collect())
        # Whoever leaves early does not ask for it.
        self._collecting.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._collecting is not None:
                self._collecting.cancel()
                await until_done(self._collecting)
        finally:
            self.give_up(QueryCancelled())

    async def send(self, arguments: Sequence[pa.Array], rows: int) -> None:
        """Raises what the call raised so far."""
        if rows == 0:
            return
        texts = [array.cast(pa.string()) for array in arguments]
        batch = pa.RecordBatch.from_arrays(
            texts or [pa.nulls(rows, pa.string())], schema=self._schema
        )
        self._sent += rows
        while batch.num_rows:
            await self._room()
            most = self._message_rows.most
            for piece in fitting(batch.slice(0, most), _LARGEST):
                await self._room()
                self._waiting.add(columns.to_stream(pa.Table.from_batches([piece])))
            batch = batch.slice(most)

    @property
    def answers(self) -> Rows:
        """In the order of the rows; those that are still to come are waited for."""
        return self._answers.rows

    async def nearly_finished(self, seconds: float) -> None:
        """When all rows are sent: until the missing answers are expected within so many seconds.

        Raises what the call raised.
        """
        self._waiting.finish()
        await self._unless_over(self._waiting.nearly_answered(seconds))

    async def finish(self) -> Rows:
        """All answers are there, and no rows are sent any more. Raises what the call raised."""
        assert self._collecting is not None
        self._waiting.finish()
        await self._collecting
        if self.answers.num_rows != self._sent:
            raise self._unanswered()
        self._answers.end()
        return self.answers

    def give_up(self, error: Exception) -> None:
        """Whoever waits for an answer is told that none comes."""
        self._answers.end(error)

    async def _room(self) -> None:
        """Raises what the call raised."""
        await self._unless_over(self._waiting.room())
        assert self._collecting is not None
        if self._collecting.done():
            raise self._unanswered()

    def _unanswered(self) -> RemoteError:
        told = f"{_PEER} answered {self.answers.num_rows} of {self._sent} rows."
        return RemoteError(Kind.INTERNAL, 370001, "XX000", told)

    async def _unless_over(self, wait: Coroutine[Any, Any, None]) -> None:
        """Raises what the call raised."""
        assert self._collecting is not None
        waiting = asyncio.ensure_future(wait)
        try:
            await asyncio.wait({waiting, self._collecting}, return_when=asyncio.FIRST_COMPLETED)
            if self._collecting.done():
                self._collecting.result()
        finally:
            waiting.cancel()

    async def _collect(self) -> None:
        """Raises Unavailable where replicas are gone for good, see Patience."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._ask(self._next_stub())
            except Unavailable:
                if self._patience.is_over(loop.time()):
                    raise
                log.warning("call_taken_elsewhere", query=self._header.query_id)
                await asyncio.sleep(self._settings.pause)
            else:
                return

    async def _ask(self, stub: Any) -> None:
        """One replica, from the first unanswered message on."""
        # What another one said beyond the answers that came is lost with it.
        said = pb.InvokeProgress(
            rows=self.answers.num_rows,
            batches=self._header.first_batch,
            retries=self.progress.retries,
            hedges=self.progress.hedges,
        )
        pieces: list[pa.RecordBatch] = []
        with (
            self._waiting.stream() as messages,
            streaming(_PEER, stub.Invoke(self._requests(messages))) as call,
        ):
            async for reply in call:
                self._patience.taken_up()
                if reply.WhichOneof("message") == "progress":
                    self.progress = plus(said, reply.progress)
                    continue
                table = columns.from_stream(reply.arrow_stream)
                pieces += [
                    pa.RecordBatch.from_arrays([texts], schema=_ANSWERS)
                    for texts in table.column(0).cast(pa.string()).chunks
                ]
                if reply.is_whole:
                    self._message_rows.answered(
                        sum(piece.num_rows for piece in pieces),
                        sum(piece.nbytes for piece in pieces),
                    )
                    for piece in pieces:
                        await self._answers.add(piece)
                    pieces.clear()
                    self._header.first_batch = reply.batches
                    self._waiting.answer()
                    self._patience.answered()

    async def _requests(self, messages: AsyncIterator[bytes]) -> AsyncIterator[pb.InvokeRequest]:
        head = pb.InvokeHeader()
        head.CopyFrom(self._header)
        yield pb.InvokeRequest(header=head)
        async for message in messages:
            yield pb.InvokeRequest(arrow_stream=message)


def argument_schema(function: warehouse_pb2.FunctionBinding) -> pa.Schema:
    """Texts, with a note on those that are JSON already."""
    if not function.argument_types:
        return pa.schema([pa.field("none", pa.string(), metadata={"snowcave.wire": "absent"})])
    return pa.schema(
        [
            pa.field(
                f"a{number}",
                pa.string(),
                metadata={"snowcave.wire": "json" if wire.is_json(declared) else "text"},
            )
            for number, declared in enumerate(function.argument_types)
        ]
    )


def header(
    function: warehouse_pb2.FunctionBinding,
    context: Context,
    query_id: str,
    call: int,
    now: datetime,
) -> pb.InvokeHeader:
    return pb.InvokeHeader(
        function=function.function,
        revision=function.revision,
        query_id=query_id,
        user=context.user,
        role=context.role,
        account=context.account,
        context=context_values.of(context, now),
        call=call,
        name=str(ObjectName(function.name, function.schema, function.database)),
    )
