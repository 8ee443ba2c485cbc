"""The warehouse's side of FunctionService.Invoke."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc.aio
import pyarrow as pa

from snowcave.model.errors import Kind, RemoteError
from snowcave.runtime.grpc import translated
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import functions_pb2_grpc, warehouse_pb2
from snowcave.warehouse import columns, wire
from snowcave.warehouse.engine import Context
from snowcave.warehouse.keeping import Keeper, Kept, Rows

_PEER = "The functions daemon"
# Bytes of one message of arguments.
_LARGEST = 8 << 20
_ANSWERS = pa.schema([pa.field("answer", pa.string())])


class Invoker:
    def __init__(self, channel: grpc.aio.Channel, window: int, keeper: Keeper) -> None:
        self._stub: Any = functions_pb2_grpc.FunctionServiceStub(channel)
        self._window = window
        self._keeper = keeper

    def open(
        self,
        function: warehouse_pb2.FunctionBinding,
        context: Context,
        query_id: str,
        call: int,
    ) -> "Invocation":
        head = header(function, context, query_id, call)
        return Invocation(
            self._stub, head, argument_schema(function), self._window, self._keeper.keep(_ANSWERS)
        )


class Invocation:
    """One call of a function. Enter, send argument rows, finish; leaving early ends it at once."""

    def __init__(
        self,
        stub: Any,
        head: pb.InvokeHeader,
        schema: pa.Schema,
        window: int,
        answers: Kept,
    ) -> None:
        self._stub = stub
        self._header = head
        self._schema = schema
        # gRPC's flow control holds the sender back; this bounds what waits in front of it.
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(window)
        self._answers = answers
        self._sent = 0
        self._collecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Invocation":
        self._collecting = asyncio.ensure_future(self._collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._collecting is not None and not self._collecting.done():
            self._collecting.cancel()
            await asyncio.wait([self._collecting])
        self._answers.close()

    async def send(self, arguments: Sequence[pa.Array], rows: int) -> None:
        """Raises what the call raised so far."""
        if rows == 0:
            return
        texts = [array.cast(pa.string()) for array in arguments]
        batch = pa.RecordBatch.from_arrays(
            texts or [pa.nulls(rows, pa.string())], schema=self._schema
        )
        self._sent += rows
        for piece in _fitting(batch):
            await self._put(columns.to_stream(pa.Table.from_batches([piece])))

    async def finish(self) -> Rows:
        """All answers, in the order of the rows. Raises what the call raised."""
        assert self._collecting is not None
        await self._put(None)
        await self._collecting
        if self._answers.rows != self._sent:
            raise RemoteError(
                Kind.INTERNAL,
                370001,
                "XX000",
                f"{_PEER} answered {self._answers.rows} of {self._sent} rows.",
            )
        return await self._answers.taken()

    async def _put(self, item: bytes | None) -> None:
        assert self._collecting is not None
        putting = asyncio.ensure_future(self._queue.put(item))
        try:
            await asyncio.wait({putting, self._collecting}, return_when=asyncio.FIRST_COMPLETED)
            if self._collecting.done():
                self._collecting.result()
        finally:
            if not putting.done():
                putting.cancel()

    async def _collect(self) -> None:
        with translated(_PEER):
            async for reply in self._stub.Invoke(self._requests()):
                if reply.WhichOneof("message") == "arrow_stream":
                    table = columns.from_stream(reply.arrow_stream)
                    for texts in table.column(0).cast(pa.string()).chunks:
                        await self._answers.add(
                            pa.RecordBatch.from_arrays([texts], schema=_ANSWERS)
                        )

    async def _requests(self) -> AsyncIterator[pb.InvokeRequest]:
        yield pb.InvokeRequest(header=self._header)
        while (item := await self._queue.get()) is not None:
            yield pb.InvokeRequest(arrow_stream=item)


def _fitting(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces that a message may hold."""
    if batch.nbytes <= _LARGEST or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _fitting(batch.slice(0, half))
    yield from _fitting(batch.slice(half))


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
    function: warehouse_pb2.FunctionBinding, context: Context, query_id: str, call: int
) -> pb.InvokeHeader:
    return pb.InvokeHeader(
        function=function.function,
        query_id=query_id,
        user=context.user,
        role=context.role,
        account=context.account,
        context={
            "CURRENT_DATABASE": context.database,
            "CURRENT_SCHEMA": context.schema,
            "CURRENT_WAREHOUSE": context.warehouse,
            "CURRENT_SESSION": str(context.session),
            "CURRENT_CLIENT": f"{context.client_app} {context.client_version}".strip(),
            "LAST_QUERY_ID": context.last_query_id,
        },
        call=call,
    )
