"""What whoever keeps the event table promises: rows in, durable, once each; rows out by time or service."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from snowcave.events.intake import Incoming


@dataclass(frozen=True, slots=True)
class Scan:
    """Which rows. Nothing said: all of them. Times are UTC; `until` is not included."""

    since: datetime | None = None
    until: datetime | None = None
    service: int = 0
    record_type: str = ""
    # RESOURCE_ATTRIBUTES by name: rows are left out whose attribute is another text, or missing.
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    newest_first: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Tail:
    """The event table as of one moment, for readers of its files: they, and the rows in none of them yet."""

    # Relative to the folder that readers know.
    files: Sequence[str]
    # Segment → how many frames it has.
    held: Mapping[int, int]
    # Of each segment the frames that the reader does not know.
    pieces: Mapping[int, Sequence[pa.RecordBatch]] = field(
        default_factory=dict[int, Sequence[pa.RecordBatch]]
    )


@dataclass(slots=True)
class Lane:
    """Appends of one sender, one after the other. Once one of them has failed, so do those after it: a later
    row that was stored would make its forerunners, sent again, look as if they had been, too."""

    is_broken: bool = False


class EventStore(Protocol):
    """All rows have the columns of `rows.STORED`."""

    async def append(self, rows: Incoming, lane: Lane) -> None:
        """Returns once they are durable. Those are left out whose key (source, generation, offset) is not
        past what is stored of their source (`once.select_new`). Appends of a lane are stored in the order in
        which they were begun.

        Raises Exhausted on too many rows, Unavailable where it cannot be written now.
        """
        ...

    def scan(self, wish: Scan) -> AsyncIterator[pa.RecordBatch]:
        """Raises Unavailable."""
        ...

    async def tail(self, known: Mapping[int, int]) -> Tail | None:
        """`known`: of which segments the reader has how many frames. None where rows stand in no files at
        all: then they are to be had by `scan` alone."""
        ...
