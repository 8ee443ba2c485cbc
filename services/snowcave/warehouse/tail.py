"""The part of the event table that `events` has not written to Parquet yet."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc.aio
import pyarrow as pa
import structlog

from snowcave.v1 import events_pb2, events_pb2_grpc
from snowcave.warehouse import columns, event_table

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Moment:
    """The event table as of one moment: finished files and what is not in them yet."""

    files: Sequence[Path]
    tail: pa.Table | None


class EventSource(Protocol):
    async def now(self) -> Moment: ...


class EventTail:
    """Asks `events` for both at once, so that a row rolled meanwhile is neither lost nor seen twice.

    Where `events` is away the finished files are answered alone: old rows stay readable.
    """

    def __init__(self, channel: grpc.aio.Channel, folder: Path, timeout: float) -> None:
        self._stub: Any = events_pb2_grpc.EventServiceStub(channel)
        self._folder = folder
        self._timeout = timeout

    async def now(self) -> Moment:
        tables: list[pa.Table] = []
        files: list[str] | None = None
        try:
            async with asyncio.timeout(self._timeout):
                async for reply in self._stub.Scan(events_pb2.ScanRequest(tail_only=True)):
                    if reply.has_rolled_files:
                        files = list(reply.rolled_files)
                    if reply.arrow_stream:
                        tables.append(event_table.conform(columns.from_stream(reply.arrow_stream)))
        except (grpc.aio.AioRpcError, TimeoutError, pa.ArrowInvalid) as error:
            log.warning("event_tail_missing", reason=type(error).__name__)
            tables = []
        found = [self._folder / f for f in files] if files is not None else None
        if found is None:
            found = await asyncio.to_thread(event_table.rolled, self._folder)
        return Moment(found, pa.concat_tables(tables) if tables else None)
