"""Rows that wait for their statement: a bounded part in memory, the rest in a file that nobody else sees."""

import asyncio
import mmap
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where rows are kept beyond `most` bytes of one call."""

    folder: Path
    most: int

    def keep(self, schema: pa.Schema) -> "Kept":
        return Kept(schema, self)


class Kept:
    """Batches of one schema, in the order of their arrival. One task adds.

    The file has no name, so it is gone with the last reader of `table` or with the process.
    """

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

    async def table(self) -> pa.Table:
        """All of it; nothing may be added any more."""
        if self._file is None:
            return pa.Table.from_batches(self._batches, schema=self._schema)
        return await asyncio.to_thread(self._map)

    def close(self) -> None:
        """What `table` gave stays readable."""
        if self._file is not None:
            self._file.close()

    def _write(self, batches: Sequence[pa.RecordBatch]) -> None:
        if self._writer is None:
            self._file = tempfile.TemporaryFile(dir=self._keeper.folder)  # noqa: SIM115 - see close
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), self._schema)
        for batch in batches:
            self._writer.write_batch(batch)

    def _map(self) -> pa.Table:
        assert self._file is not None
        assert self._writer is not None
        self._write(self._batches)
        self._batches = []
        self._writer.close()
        self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        with pa.ipc.open_stream(pa.py_buffer(mapped)) as reader:
            return reader.read_all()
