"""Rows that wait for their statement: a bounded part in memory, the rest in a file that nobody else sees."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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

    The file that holds them has no name, so it is gone with these rows or with the process.
    """

    def __init__(
        self,
        schema: pa.Schema,
        rows: int,
        batches: Sequence[pa.RecordBatch],
        file: IO[bytes] | None,
    ) -> None:
        self.schema = schema
        self.num_rows = rows
        self._batches = batches
        self._file = file

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self._file is None:
            yield from self._batches
            return
        # Opened anew, with a position of its own; read, not mapped: what was mapped would count as memory.
        with (
            pa.OSFile(f"/proc/{os.getpid()}/fd/{self._file.fileno()}") as source,
            pa.ipc.open_stream(source) as reader,
        ):
            yield from reader

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """DuckDB and pyarrow take this for rows."""
        return as_stream(self.schema, self.batches(), requested_schema)


class Kept:
    """Takes batches of one schema, in the order of their arrival. One task adds."""

    def __init__(self, schema: pa.Schema, keeper: Keeper) -> None:
        self.rows = 0
        self._schema = schema
        self._keeper = keeper
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None

    async def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self._bytes += batch.nbytes
        self._batches.append(batch)
        if self._bytes > self._keeper.most:
            batches, self._batches, self._bytes = self._batches, [], 0
            await asyncio.to_thread(self._write, batches)

    async def taken(self) -> Rows:
        """All of it; nothing may be added any more."""
        if self._file is not None:
            await asyncio.to_thread(self._end)
        file, self._file = self._file, None
        return Rows(self._schema, self.rows, self._batches, file)

    def close(self) -> None:
        """What was not taken is gone."""
        if self._file is not None:
            self._file.close()

    def _write(self, batches: Sequence[pa.RecordBatch]) -> None:
        if self._writer is None:
            self._file = tempfile.TemporaryFile(dir=self._keeper.folder)  # noqa: SIM115 - see Rows
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), self._schema)
        for batch in batches:
            self._writer.write_batch(batch)

    def _end(self) -> None:
        assert self._file is not None
        assert self._writer is not None
        self._write(self._batches)
        self._batches = []
        self._writer.close()
        self._file.flush()


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
