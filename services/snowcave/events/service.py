"""EventService over gRPC: appends from agents, the live tail for readers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from snowcave.events.rows import STORED, compute, is_storable
from snowcave.events.segments import Snapshot
from snowcave.events.writer import Writer
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc

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
            if not all(is_storable(row) for row in request.rows):
                raise ValueInvalid("A row has a timestamp that no calendar has.")
            await self._writer.append(request)
            yield v1.AppendReply(sequence=request.sequence)

    async def Scan(  # noqa: N802
        self, request: v1.ScanRequest, context: Any
    ) -> AsyncIterator[v1.ScanReply]:
        """The first answer names the files that hold what `tail_only` leaves out."""
        snapshot = await self._writer.snapshot()
        table = await asyncio.to_thread(_select, snapshot, request)
        pieces = table.to_batches(max_chunksize=_MESSAGE_ROWS)
        first = v1.ScanReply(rolled_files=snapshot.relative_files(), has_rolled_files=True)
        for piece in pieces or [pa.RecordBatch.from_pylist([], schema=STORED)]:
            first.arrow_stream = _stream(piece)
            yield first
            first = v1.ScanReply()


def _select(snapshot: Snapshot, request: v1.ScanRequest) -> pa.Table:
    tables = [_filtered(pa.Table.from_batches(snapshot.tail, schema=STORED), request)]
    if not request.tail_only:
        tables += [
            _filtered(pq.read_table(path, schema=STORED), request) for path in snapshot.files
        ]
    table = pa.concat_tables(tables).unify_dictionaries()
    if request.newest_first:
        table = table.sort_by([("timestamp", "descending")])
    return table.slice(0, request.limit) if request.limit else table


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, STORED) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


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
    return table


def _scalar(moment: Any) -> pa.Scalar:
    return pa.scalar(moment.seconds * 1_000_000 + moment.nanos // 1000, pa.timestamp("us"))
