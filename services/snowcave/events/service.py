"""EventService over gRPC: appends from agents, the live tail for readers."""

from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa

from snowcave.events.rows import STORED, compute
from snowcave.events.writer import Writer
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc

# Names in a Scan answer's schema: readers leave these segments' Parquet files out.
SEGMENTS_KEY = b"snowcave.segments"
_MESSAGE_ROWS = 50_000


class EventService(events_pb2_grpc.EventServiceServicer):
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def Append(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.AppendRequest], context: Any
    ) -> AsyncIterator[v1.AppendReply]:
        async for request in request_iterator:
            if any(row.resource >= len(request.resources) for row in request.rows):
                raise ValueInvalid("A row names a resource that the append does not hold.")
            await self._writer.append(request)
            yield v1.AppendReply(sequence=request.sequence)

    async def Scan(  # noqa: N802
        self, request: v1.ScanRequest, context: Any
    ) -> AsyncIterator[v1.ScanReply]:
        """Rows that are not in Parquet yet. The first answer comes even where there are none."""
        segments = await self._writer.tail()
        names = ",".join(name for name, _ in segments)
        schema = STORED.with_metadata({SEGMENTS_KEY: names.encode()})
        batches = [batch for _, held in segments for batch in held]
        table = _filtered(pa.Table.from_batches(batches, schema=STORED), request)
        pieces = table.unify_dictionaries().to_batches(max_chunksize=_MESSAGE_ROWS)
        for piece in pieces or [pa.RecordBatch.from_pylist([], schema=STORED)]:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as stream:
                stream.write_batch(piece)
            yield v1.ScanReply(arrow_stream=sink.getvalue().to_pybytes())


def _filtered(table: pa.Table, request: v1.ScanRequest) -> pa.Table:
    stamp = table.column("timestamp")
    if request.HasField("since"):
        table = table.filter(compute.greater_equal(stamp, _scalar(request.since)))
    if request.HasField("until"):
        table = table.filter(compute.less(table.column("timestamp"), _scalar(request.until)))
    if request.service:
        table = table.filter(compute.equal(table.column("service"), request.service))
    if request.record_type:
        table = table.filter(compute.equal(table.column("record_type"), request.record_type))
    if request.newest_first:
        table = table.sort_by([("timestamp", "descending")])
    return table.slice(0, request.limit) if request.limit else table


def _scalar(moment: Any) -> pa.Scalar:
    return pa.scalar(moment.seconds * 1_000_000 + moment.nanos // 1000, pa.timestamp("us"))
