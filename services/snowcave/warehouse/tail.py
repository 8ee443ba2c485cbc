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

# Many small pieces take longer to read than one copy takes to make.
_MOST_CHUNKS = 32


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
        # What the last look brought: segment → its frames so far. One look at a time adds to it.
        self._known: dict[int, _Piece] = {}
        self._looking = asyncio.Lock()

    async def now(self) -> Moment:
        try:
            async with asyncio.timeout(self._timeout), self._looking:
                files = await self._look()
        except (grpc.aio.AioRpcError, TimeoutError, pa.ArrowInvalid) as error:
            log.warning("event_tail_missing", reason=type(error).__name__)
            return Moment(await asyncio.to_thread(event_table.rolled, self._folder), None)
        tables = [piece.table for _, piece in sorted(self._known.items())]
        found = [self._folder / name for name in files]
        return Moment(found, pa.concat_tables(tables) if tables else None)

    async def _look(self) -> list[str]:
        """Bring what is known up to date; returns the names of the finished files of the same moment."""
        known = {segment: piece.frames for segment, piece in self._known.items()}
        request = events_pb2.ScanRequest(tail_only=True, known=known)
        files: list[str] = []
        held: dict[int, int] = {}
        new: dict[int, pa.Table] = {}
        async for reply in self._stub.Scan(request):
            if reply.has_rolled_files:
                files, held = list(reply.rolled_files), dict(reply.held)
            if reply.segment:
                new[reply.segment] = event_table.conform(columns.from_stream(reply.arrow_stream))
        # All of it or nothing: an answer that broke off leaves what was known before.
        self._known = {
            segment: _grown(self._known.get(segment), new.get(segment), frames)
            for segment, frames in held.items()
            if segment in new or segment in self._known
        }
        return files


@dataclass(frozen=True, slots=True)
class _Piece:
    """Of one segment what is known, and how many frames that is."""

    frames: int
    table: pa.Table


def _grown(before: _Piece | None, new: pa.Table | None, frames: int) -> _Piece:
    tables = [table for table in (before.table if before else None, new) if table is not None]
    table = pa.concat_tables(tables)
    if table.column(0).num_chunks > _MOST_CHUNKS:
        table = table.combine_chunks()
    return _Piece(frames, table)
