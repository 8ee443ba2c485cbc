"""Rows that wait for their statement: a bounded part in memory, the rest in a file that nobody else sees."""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import IO, Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where rows are kept beyond `most` bytes of one call."""

    folder: Path
    most: int

    def keep(self, schema: pa.Schema) -> "Kept":
        return Kept(schema, self)


class Rows:
    """Batches in their order, read as often as wanted and never all at once into memory.

    Whoever reads them while some are still to come waits for those, on a thread. The file that holds them
    has no name, so it is gone with these rows or with the process.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.num_rows = 0
        self._changed = Condition()
        # Those in the file come first.
        self._file: IO[bytes] | None = None
        self._filed = 0
        self._batches: list[pa.RecordBatch] = []
        self._is_whole = False
        self._error: Exception | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        with self._changed:
            self.num_rows += batch.num_rows
            self._batches.append(batch)
            self._changed.notify_all()

    def move(self, file: IO[bytes], batches: int) -> None:
        """So many of those in memory, the first ones, are in the file now."""
        with self._changed:
            self._file = file
            self._filed += batches
            del self._batches[:batches]

    def end(self, error: Exception | None = None) -> None:
        """No more come, or not all of them because of `error`. The first word counts."""
        with self._changed:
            if error is None and self._error is None:
                self._is_whole = True
            elif not self._is_whole:
                self._error = self._error or error
            self._changed.notify_all()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Raises the error that they ended with."""
        with ExitStack() as stack:
            filed: _Filed | None = None
            for number in itertools.count():
                if not self._comes(number):
                    return
                if (batch := self._in_memory(number)) is None:
                    filed = filed or stack.enter_context(_Filed(self._file))
                    batch = filed.read(number)
                yield batch

    def _comes(self, number: int) -> bool:
        """Waits until that is known."""
        with self._changed:
            while number >= (there := self._filed + len(self._batches)):
                if self._is_whole or self._error is not None:
                    break
                self._changed.wait()
            if self._error is not None:
                raise self._error
            return number < there

    def _in_memory(self, number: int) -> pa.RecordBatch | None:
        with self._changed:
            place = number - self._filed
            return self._batches[place] if place >= 0 else None

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """DuckDB and pyarrow take this for rows."""
        return as_stream(self.schema, self.batches(), requested_schema)


class _Filed:
    """The batches of a file, each asked for after those before it."""

    def __init__(self, file: IO[bytes] | None) -> None:
        assert file is not None
        self._stack = ExitStack()
        # Opened anew, with a position of its own; read, not mapped: what was mapped would count as memory.
        source = self._stack.enter_context(pa.OSFile(f"/proc/{os.getpid()}/fd/{file.fileno()}"))
        self._reader = self._stack.enter_context(pa.ipc.open_stream(source))
        self._next = 0

    def __enter__(self) -> "_Filed":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, number: int) -> pa.RecordBatch:
        while True:
            batch = self._reader.read_next_batch()
            self._next += 1
            if self._next > number:
                return batch


class Kept:
    """Takes batches of one schema, in the order of their arrival. One task adds.

    `rows` may be read from the beginning on, by threads; `end` it when all are there.
    """

    def __init__(self, schema: pa.Schema, keeper: Keeper) -> None:
        self.rows = Rows(schema)
        self._keeper = keeper
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    async def add(self, batch: pa.RecordBatch) -> None:
        self.rows.add(batch)
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if self._bytes > self._keeper.most:
            batches, self._batches, self._bytes = self._batches, [], 0
            await asyncio.to_thread(self._write, batches)

    def end(self, error: Exception | None = None) -> None:
        """See Rows."""
        self.rows.end(error)

    def _write(self, batches: Sequence[pa.RecordBatch]) -> None:
        if self._writer is None:
            self._file = tempfile.TemporaryFile(dir=self._keeper.folder)  # noqa: SIM115 - see Rows
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), self.rows.schema)
        assert self._file is not None
        for batch in batches:
            self._writer.write_batch(batch)
        self._file.flush()
        self.rows.move(self._file, len(batches))


class Beside:
    """Columns of several rows of equal number, side by side. See Rows."""

    def __init__(self, sides: Sequence[Rows], names: Sequence[str]) -> None:
        """`names`: of all the columns."""
        self._sides = [side for side in sides if side.schema.names]
        types = [field.type for side in self._sides for field in side.schema]
        self.schema = pa.schema(list(zip(names, types, strict=True)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """As long as the shortest piece that is left of all sides."""
        sources = [side.batches() for side in self._sides]
        left: list[pa.RecordBatch | None] = [None] * len(sources)
        while True:
            for number, source in enumerate(sources):
                piece = left[number]
                while piece is None or not piece.num_rows:
                    piece = next(source, None)
                    if piece is None:
                        return
                left[number] = piece
            pieces = [piece for piece in left if piece is not None]
            rows = min(piece.num_rows for piece in pieces)
            columns = [column.slice(0, rows) for piece in pieces for column in piece.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
            left = [piece.slice(rows) for piece in pieces]

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return as_stream(self.schema, self.batches(), requested_schema)


def as_stream(schema: pa.Schema, batches: Iterator[pa.RecordBatch], requested_schema: Any) -> Any:
    reader: Any = pa.RecordBatchReader.from_batches(schema, batches)
    return reader.__arrow_c_stream__(requested_schema)
