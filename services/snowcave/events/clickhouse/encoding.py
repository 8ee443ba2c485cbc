"""Between the rows of appends and Arrow as ClickHouse takes and gives it. Pure."""

from typing import Any

import pyarrow as pa

from snowcave.events import rows
from snowcave.events.clickhouse.schema import INSERTED
from snowcave.events.rows import STORED, Frame

_SHARED = pa.dictionary(pa.int32(), pa.string())


def inserted(frame: Frame, position: int) -> bytes:
    """As one batch of an Arrow stream; `position` is that of the first row."""
    table = _table(frame)
    positions = pa.array(range(position, position + table.num_rows), pa.uint64())
    table = table.append_column("position", positions).select(list(INSERTED))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _table(frame: Frame) -> pa.Table:
    table = pa.Table.from_batches([rows.stored(frame)])
    kind, resources = frame.rows.column("kind"), frame.resources
    resource = frame.kinds.column("resource").take(kind)
    sources = pa.DictionaryArray.from_arrays(resource, resources.column("source"))
    table = table.append_column(pa.field("source", _SHARED), sources)
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.int64()))
        elif pa.types.is_dictionary(field.type):
            (shared,) = table.column(at).chunks
            table = table.set_column(at, field, _distinct(shared))
    for name in ("generation", "offset"):
        table = table.append_column(name, resources.column(name).take(resource))
    return table


def _distinct(shared: Any) -> pa.Array:
    """The same with no value twice in its dictionary, which ClickHouse would not have."""
    values = shared.dictionary.dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.indices.take(shared.indices), values.dictionary)


def stored(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A piece of an answer. Raises pa.ArrowInvalid, KeyError on what is none."""
    return pa.record_batch([batch.column(f.name).cast(f.type) for f in STORED], schema=STORED)
