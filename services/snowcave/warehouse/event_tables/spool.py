"""Rows of an event table that stands in no files, brought to this machine for one statement.

Blocking. What is here is as large as what a statement can need, on disk and not in memory.
"""

import contextlib
import itertools
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from snowcave.model.errors import Exhausted
from snowcave.warehouse import columns
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.event_tables.table import Moment


class _Files(list[Path]):
    """Can be referred to weakly: the files go with the last moment that names them."""


class EventSpool:
    """A folder of files, each for the statements of one moment."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._numbers = itertools.count()
        # Of a process before this one.
        for left in folder.glob("scan-*.parquet"):
            left.unlink()

    def begin(self) -> "Spooling":
        # A name is never used twice: DuckDB remembers what it has read of files.
        name = f"scan-{next(self._numbers)}.parquet"
        return Spooling(self._folder / name, self._most_bytes)


class Spooling:
    """May be given up by another thread than the one that adds."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._writer = pq.ParquetWriter(path, event_table.FILED, compression="lz4")
        self._resources: dict[int, str] = {}
        # Arrow's writer must not be closed while it writes.
        self._one_at_a_time = threading.Lock()

    def add(self, arrow_stream: bytes) -> None:
        """Raises Exhausted."""
        table, resources = event_table.conform(columns.from_stream(arrow_stream))
        with self._one_at_a_time:
            if not self._writer.is_open:  # given up meanwhile
                return
            self._resources |= resources
            self._writer.write_table(table)
            size = self._path.stat().st_size
        if size > self._most_bytes:
            raise Exhausted(
                "The statement may need more of the event table than fits "
                "(warehouse.scan_bytes): narrow it by TIMESTAMP or RESOURCE_ATTRIBUTES."
            )

    def finish(self) -> Moment:
        with self._one_at_a_time:
            self._writer.close()
        files = _Files([self._path])
        weakref.finalize(files, _delete, [self._path])
        return Moment(files, None, self._resources)

    def give_up(self) -> None:
        with self._one_at_a_time, contextlib.suppress(OSError):
            self._writer.close()
        _delete([self._path])


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
