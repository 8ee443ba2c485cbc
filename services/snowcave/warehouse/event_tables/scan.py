"""The event table as of now, wherever `events` keeps it: in files beside the warehouse, or on a server."""

import asyncio
from typing import Any, Protocol

import grpc.aio
import pyarrow as pa
import structlog

from snowcave.model.errors import Unavailable
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2_grpc
from snowcave.warehouse.event_tables.bounds import EventBounds
from snowcave.warehouse.event_tables.spool import EventSpool
from snowcave.warehouse.event_tables.table import Moment
from snowcave.warehouse.event_tables.tail import EventTail, InNoFiles

log = structlog.get_logger()


class EventSource(Protocol):
    async def now(self, bounds: EventBounds) -> Moment:
        """With at least the rows within the bounds. Raises Unavailable, Exhausted."""
        ...


class _InFiles(Exception):
    pass


class Events:
    """Follows the files as long as there are any; else has the rows that a statement can need sent."""

    def __init__(
        self, channel: grpc.aio.Channel, tail: EventTail, spool: EventSpool, timeout: float
    ) -> None:
        self._stub: Any = events_pb2_grpc.EventServiceStub(channel)
        self._tail = tail
        self._spool = spool
        self._timeout = timeout
        self._is_elsewhere = False

    async def now(self, bounds: EventBounds) -> Moment:
        if self._is_elsewhere:
            try:
                return await self._scanned(bounds)
            except _InFiles:
                self._is_elsewhere = False
        try:
            return await self._tail.now()
        except InNoFiles:
            self._is_elsewhere = True
            return await self._scanned(bounds)

    async def _scanned(self, bounds: EventBounds) -> Moment:
        spooling = await asyncio.to_thread(self._spool.begin)
        try:
            with translated("events"):
                call = self._stub.Scan(bounds.request(), timeout=self._timeout)
                async for reply in call:
                    if reply.has_rolled_files:
                        raise _InFiles
                    await asyncio.to_thread(spooling.add, reply.arrow_stream)
            return await asyncio.to_thread(spooling.finish)
        except pa.ArrowInvalid as error:
            await asyncio.to_thread(spooling.give_up)
            raise Unavailable("The event table cannot be read now.") from error
        except BaseException:
            spooling.give_up()
            raise
