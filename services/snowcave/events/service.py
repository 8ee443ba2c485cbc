"""EventService over gRPC: appends from agents, rows for readers."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import pyarrow as pa

from snowcave.events import rows
from snowcave.events.rows import STORED
from snowcave.events.store import EventStore, Lane, Scan, Tail
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc

_MESSAGE_ROWS = 50_000


class EventService(events_pb2_grpc.EventServiceServicer):
    def __init__(self, store: EventStore, ahead: int) -> None:
        self._store = store
        self._ahead = ahead

    async def Append(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.AppendRequest], context: Any
    ) -> AsyncIterator[v1.AppendReply]:
        """Acknowledged in the order in which they came, several on their way to the disk at one time."""
        lane = Lane()
        under_way: deque[tuple[int, asyncio.Task[None]]] = deque()
        taken: asyncio.Task[Any] | None = None
        ended = False
        try:
            while under_way or not ended:
                if taken is None and not ended and len(under_way) < self._ahead:
                    taken = asyncio.ensure_future(_next(request_iterator))
                waited = {task for task in (taken, under_way[0][1] if under_way else None) if task}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if taken is not None and taken.done():
                    request, taken = taken.result(), None
                    if request is None:
                        ended = True
                    else:
                        rows.check(request)
                        storing = asyncio.ensure_future(self._store.append(request, lane))
                        under_way.append((request.sequence, storing))
                while under_way and under_way[0][1].done():
                    sequence, storing = under_way.popleft()
                    await storing
                    yield v1.AppendReply(sequence=sequence)
        finally:
            left = [task for _, task in under_way] + ([taken] if taken else [])
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def Scan(  # noqa: N802
        self, request: v1.ScanRequest, context: Any
    ) -> AsyncIterator[v1.ScanReply]:
        """The first answer names the files that hold what `tail_only` leaves out."""
        if request.tail_only and (tail := await self._store.tail(request.known)) is not None:
            for reply in _tail_replies(tail):
                yield reply
            return
        empty = True
        async for batch in self._store.scan(_wish(request)):
            for start in range(0, batch.num_rows, _MESSAGE_ROWS):
                empty = False
                piece = batch.slice(start, _MESSAGE_ROWS)
                yield v1.ScanReply(arrow_stream=_stream([piece]))
        if empty:
            yield v1.ScanReply(arrow_stream=_stream([]))


async def _next(requests: AsyncIterator[v1.AppendRequest]) -> v1.AppendRequest | None:
    async for request in requests:
        return request
    return None


def _tail_replies(tail: Tail) -> list[v1.ScanReply]:
    first = v1.ScanReply(rolled_files=tail.files, has_rolled_files=True, held=dict(tail.held))
    pieces = [
        v1.ScanReply(segment=segment, arrow_stream=_stream(list(batches)))
        for segment, batches in tail.pieces.items()
    ]
    return [first, *pieces]


def _stream(batches: list[pa.RecordBatch]) -> bytes:
    """One message of IPC. A stream has one dictionary a column, so batches are brought to common ones."""
    table = pa.Table.from_batches(batches, schema=STORED).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, STORED) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _wish(request: v1.ScanRequest) -> Scan:
    return Scan(
        since=request.since.ToDatetime(UTC) if request.HasField("since") else None,
        until=request.until.ToDatetime(UTC) if request.HasField("until") else None,
        service=request.service,
        record_type=request.record_type,
        newest_first=request.newest_first,
        limit=request.limit,
    )
