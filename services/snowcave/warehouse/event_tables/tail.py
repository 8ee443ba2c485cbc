"""The event table as of now: the files that `events` has finished, and what it has not written to any yet."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pyarrow as pa
import structlog

from snowcave.model.errors import Unavailable
from snowcave.v1 import events_pb2, events_pb2_grpc
from snowcave.warehouse import columns
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.event_tables.table import Moment

log = structlog.get_logger()

# Many small pieces take longer to read than one copy takes to make.
_MOST_CHUNKS = 32


_Brought = tuple[pa.Table, dict[int, str]]
"""Rows of one message, and what their numbers of resources mean."""


class InNoFiles(Exception):
    """`events` keeps the table elsewhere: rows come by a scan alone."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Of one segment what is known, and how many frames that is."""

    frames: int
    table: pa.Table
    resources: Mapping[int, str]


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
        self._of_files: dict[Path, Mapping[int, str]] = {}
        # The same object as long as nothing was added: sessions keep it in a table.
        self._resources: dict[int, str] = {}

    async def now(self) -> Moment:
        """Raises InNoFiles, and Unavailable where nobody has said yet whether there are files."""
        tail: pa.Table | None = None
        async with self._looking:
            try:
                async with asyncio.timeout(self._timeout):
                    files = [self._folder / name for name in await self._look()]
                tables = [piece.table for _, piece in sorted(self._known.items())]
                tail = pa.concat_tables(tables) if tables else None
            except (grpc.aio.AioRpcError, TimeoutError, pa.ArrowInvalid) as error:
                log.warning("event_tail_missing", reason=type(error).__name__)
                if not await asyncio.to_thread(self._folder.exists):
                    raise Unavailable("The event table cannot be read now.") from error
                files = await asyncio.to_thread(event_table.rolled, self._folder)
            await asyncio.to_thread(self._learn, files)
            return Moment(files, tail, self._resources)

    async def _look(self) -> list[str]:
        """Bring what is known up to date; returns the names of the finished files of the same moment."""
        known = {segment: piece.frames for segment, piece in self._known.items()}
        # The limit is for a store without files; one with files does not look at it.
        request = events_pb2.ScanRequest(tail_only=True, known=known, limit=1)
        in_files = False
        files: list[str] = []
        held: dict[int, int] = {}
        new: dict[int, list[_Brought]] = {}
        async for reply in self._stub.Scan(request):
            if reply.has_rolled_files:
                in_files = True
                files, held = list(reply.rolled_files), dict(reply.held)
            if reply.segment:
                brought = event_table.conform(columns.from_stream(reply.arrow_stream))
                new.setdefault(reply.segment, []).append(brought)
        if not in_files:
            raise InNoFiles
        # All of it or nothing: an answer that broke off leaves what was known before.
        self._known = {
            segment: _grown(self._known.get(segment), new.get(segment, []), frames)
            for segment, frames in held.items()
            if segment in new or segment in self._known
        }
        return files

    def _learn(self, files: Sequence[Path]) -> None:
        """Blocking: what the numbers of these files and of the tail mean."""
        unread = [file for file in files if file not in self._of_files]
        self._of_files = {file: self._of_files[file] for file in files if file in self._of_files}
        for file in unread:
            self._of_files[file] = event_table.resources_of(file)
        meanings = [
            *(self._of_files[file] for file in unread),
            *(piece.resources for piece in self._known.values()),
        ]
        if any(number not in self._resources for texts in meanings for number in texts):
            self._resources = _together([*self._of_files.values(), *meanings])


def _together(meanings: Sequence[Mapping[int, str]]) -> dict[int, str]:
    return {number: text for texts in meanings for number, text in texts.items()}


def _grown(before: _Piece | None, new: Sequence[_Brought], frames: int) -> _Piece:
    pieces = [*([before] if before else []), *(_Piece(frames, *brought) for brought in new)]
    table = pa.concat_tables([piece.table for piece in pieces])
    if table.column(0).num_chunks > _MOST_CHUNKS:
        table = table.combine_chunks()
    return _Piece(frames, table, _together([piece.resources for piece in pieces]))
