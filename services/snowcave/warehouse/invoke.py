"""The warehouse's side of FunctionService.Invoke."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio
import pyarrow as pa

from snowcave.model.errors import Kind, RemoteError
from snowcave.runtime.grpc import translated
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import functions_pb2_grpc, warehouse_pb2
from snowcave.warehouse import columns, wire
from snowcave.warehouse.engine import Context

_PEER = "The functions daemon"


class Invoker:
    def __init__(self, channel: grpc.aio.Channel, window: int) -> None:
        self._stub: Any = functions_pb2_grpc.FunctionServiceStub(channel)
        self._window = window

    def open(
        self,
        function: warehouse_pb2.FunctionBinding,
        context: Context,
        query_id: str,
        call: int,
    ) -> "Invocation":
        return Invocation(
            self._stub, header(function, context, query_id, call), function, self._window
        )


class Invocation:
    """One call of a function. Enter, send argument rows, finish; leaving early ends it at once."""

    def __init__(
        self,
        stub: Any,
        head: pb.InvokeHeader,
        function: warehouse_pb2.FunctionBinding,
        window: int,
    ) -> None:
        self._stub = stub
        self._header = head
        self._schema = argument_schema(function)
        # gRPC's flow control holds the sender back; this bounds what waits in front of it.
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(window)
        self._answers: list[pa.Array] = []
        self._sent = 0
        self._collecting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Invocation":
        self._collecting = asyncio.ensure_future(self._collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._collecting is not None and not self._collecting.done():
            self._collecting.cancel()
            await asyncio.wait([self._collecting])

    async def send(self, arguments: Sequence[pa.Array], rows: int) -> None:
        """Raises what the call raised so far."""
        if rows == 0:
            return
        texts = [array.cast(pa.string()) for array in arguments]
        batch = pa.RecordBatch.from_arrays(
            texts or [pa.nulls(rows, pa.string())], schema=self._schema
        )
        self._sent += rows
        await self._put(columns.to_stream(pa.Table.from_batches([batch])))

    async def finish(self) -> pa.Array:
        """All answers, in the order of the rows. Raises what the call raised."""
        assert self._collecting is not None
        await self._put(None)
        await self._collecting
        answers = pa.concat_arrays(self._answers) if self._answers else pa.array([], pa.string())
        if len(answers) != self._sent:
            raise RemoteError(
                Kind.INTERNAL,
                370001,
                "XX000",
                f"{_PEER} answered {len(answers)} of {self._sent} rows.",
            )
        return answers

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
                    self._answers.extend(table.column(0).cast(pa.string()).chunks)

    async def _requests(self) -> AsyncIterator[pb.InvokeRequest]:
        yield pb.InvokeRequest(header=self._header)
        while (item := await self._queue.get()) is not None:
            yield pb.InvokeRequest(arrow_stream=item)


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
