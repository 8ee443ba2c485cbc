"""Rows of a query that are read while they come."""

from collections.abc import Callable

import pyarrow as pa


class ReadAhead:
    """The rows of a running query. Close it before the session does anything else."""

    def __init__(
        self,
        reader: pa.RecordBatchReader,
        variants: frozenset[str],
        rows: int,
        most_bytes: int,
        release: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._rows = rows
        self._most_bytes = most_bytes
        self._release = release
        self.schema: pa.Schema = reader.schema
        self.names: list[str] = reader.schema.names
        self.variants = variants

    def read(self) -> pa.RecordBatch | None:
        """Several of DuckDB's own batches together, as far as they are small."""
        found: list[pa.RecordBatch] = []
        rows = size = 0
        while rows < self._rows and size < self._most_bytes:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                break
            found.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
        if len(found) < 2:
            return found[0] if found else None
        return pa.concat_batches(found)

    def close(self) -> None:
        self._reader.close()
        self._release()
