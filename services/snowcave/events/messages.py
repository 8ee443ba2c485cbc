"""Rows for readers: Arrow streams in messages that gRPC carries. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import pyarrow as pa

from snowcave.events.rows import STORED, compute
from snowcave.events.store import Tail
from snowcave.v1 import events_pb2 as v1

# Of one message, about, in bytes and rows: well below gRPC's limit, whatever Arrow adds.
_MOST_BYTES = 16 << 20
_MOST_ROWS = 50_000


def tail_replies(tail: Tail) -> Iterator[v1.ScanReply]:
    """First what there is, then the rows of each segment in order."""
    yield v1.ScanReply(rolled_files=tail.files, has_rolled_files=True, held=dict(tail.held))
    for segment, batches in tail.pieces.items():
        for stream in streams(batches):
            yield v1.ScanReply(segment=segment, arrow_stream=stream)


def streams(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """All rows, in order."""
    gathered: list[pa.RecordBatch] = []
    size = count = 0
    for batch in batches:
        for piece in _pieces(batch):
            if gathered and (size + piece.nbytes > _MOST_BYTES or count + len(piece) > _MOST_ROWS):
                yield stream(gathered)
                gathered, size, count = [], 0, 0
            gathered.append(piece)
            size, count = size + piece.nbytes, count + len(piece)
    if gathered:
        yield stream(gathered)


def stream(batches: list[pa.RecordBatch]) -> bytes:
    """One message of IPC. A stream has one dictionary a column, so batches are brought to common ones."""
    table = pa.Table.from_batches(batches, schema=STORED).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, STORED) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Halved as often as it takes: single rows may be much larger than others."""
    if len(batch) <= 1 or (batch.nbytes <= _MOST_BYTES and len(batch) <= _MOST_ROWS):
        yield batch
        return
    half = len(batch) // 2
    for part in (batch.slice(0, half), batch.slice(half)):
        yield from _pieces(_trimmed(part))


def _trimmed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without what its dictionaries hold of other rows."""
    columns = [_used(column) if _is_shared(column) else column for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


def _is_shared(column: pa.Array) -> bool:
    return pa.types.is_dictionary(column.type)


def _used(column: pa.Array) -> pa.Array:
    indices, texts = cast(Any, column).indices, cast(Any, column).dictionary
    used = compute.unique(indices.drop_null())
    return pa.DictionaryArray.from_arrays(
        compute.index_in(indices, value_set=used), texts.take(used)
    )
