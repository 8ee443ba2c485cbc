"""EventService over gRPC: appends from agents, rows for readers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC
from typing import Any

from snowcave.events import intake, messages
from snowcave.events.store import EventStore, Lane, Scan
from snowcave.kit.room import Room
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc


class EventService(events_pb2_grpc.EventServiceServicer):
    """`assign` says of the rows of an append which event table is theirs.

    `ahead`: appends of one stream on their way at one time; `waiting_bytes`: of all streams together.
    """

    def __init__(
        self,
        store: EventStore,
        assign: Callable[[v1.AppendRequest], None],
        ahead: int,
        waiting_bytes: int,
    ) -> None:
        self._store = store
        self._assign = assign
        self._ahead = ahead
        self._room = Room(waiting_bytes)

    async def Append(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.AppendRequest], context: Any
    ) -> AsyncIterator[v1.AppendReply]:
        """Acknowledged in the order in which they came, several on their way to the disk at one time."""
        under_way = _UnderWay(self._ahead)
        taking = asyncio.ensure_future(self._take(request_iterator, under_way))
        taking.add_done_callback(under_way.end)
        try:
            while (one := await under_way.oldest()) is not None:
                sequence, storing = one
                await storing
                yield v1.AppendReply(sequence=sequence)
                under_way.leave()
            await taking
        finally:
            left = [taking, *under_way.left()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _take(
        self, requests: AsyncIterator[v1.AppendRequest], under_way: "_UnderWay"
    ) -> None:
        lane = Lane()
        await under_way.enter()
        async for request in requests:
            self._assign(request)
            found, size = intake.read(request), intake.size(request)
            await self._room.take(size)
            storing = asyncio.ensure_future(self._store.append(found, lane))
            storing.add_done_callback(lambda _, size=size: self._room.give(size))
            under_way.add(request.sequence, storing)
            await under_way.enter()

    async def Scan(  # noqa: N802
        self, request: v1.ScanRequest, context: Any
    ) -> AsyncIterator[v1.ScanReply]:
        """The first answer names the files that hold what `tail_only` leaves out."""
        if request.tail_only and (tail := await self._store.tail(request.known)) is not None:
            for reply in messages.tail_replies(tail):
                yield reply
            return
        empty = True
        async for batch in self._store.scan(_wish(request)):
            for stream in messages.streams([batch]):
                empty = False
                yield v1.ScanReply(arrow_stream=stream)
        if empty:
            yield v1.ScanReply(arrow_stream=messages.stream([]))


class _UnderWay:
    """A stream's appends that are being stored, in order, so many at one time."""

    def __init__(self, most: int) -> None:
        self._slots = asyncio.Semaphore(most)
        self._queue: asyncio.Queue[tuple[int, asyncio.Task[None]] | None] = asyncio.Queue()

    async def enter(self) -> None:
        """Once there is a place for another one, which `leave` gives back."""
        await self._slots.acquire()

    def leave(self) -> None:
        self._slots.release()

    def add(self, sequence: int, storing: asyncio.Task[None]) -> None:
        self._queue.put_nowait((sequence, storing))

    def end(self, _: object) -> None:
        """No other will be added."""
        self._queue.put_nowait(None)

    async def oldest(self) -> tuple[int, asyncio.Task[None]] | None:
        """With the sequence of its request; None after the last one."""
        return await self._queue.get()

    def left(self) -> list[asyncio.Task[None]]:
        waiting = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        return [one[1] for one in waiting if one is not None]


def _wish(request: v1.ScanRequest) -> Scan:
    return Scan(
        since=request.since.ToDatetime(UTC) if request.HasField("since") else None,
        until=request.until.ToDatetime(UTC) if request.HasField("until") else None,
        service=request.service,
        record_type=request.record_type,
        newest_first=request.newest_first,
        limit=request.limit,
        attributes=dict(request.attributes),
    )
