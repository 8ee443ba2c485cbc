"""Rows as they are stored: Arrow schemas for the log, the Parquet files and Scan. Pure."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute

# Its functions are made at run time, so type checkers do not know them.
compute: Any = pyarrow.compute

TIME = pa.timestamp("us")
_SHARED = pa.dictionary(pa.int32(), pa.string())

# Stored columns of the event table; the warehouse makes the documented ones of them. Texts that many rows
# have in common are kept once.
STORED = pa.schema(
    [
        ("timestamp", TIME),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("record_type", _SHARED),
        ("record", _SHARED),
        ("record_attributes", _SHARED),
        ("scope", _SHARED),
        ("value", pa.string()),
        ("trace", pa.string()),
        ("resource_attributes", _SHARED),
        ("start_timestamp", TIME),
        ("observed_timestamp", TIME),
        ("scope_attributes", _SHARED),
        ("exemplars", pa.string()),
    ]
)

# A frame of the log holds its few resources, what many of its rows have in common, and the rows.
RESOURCES = pa.schema(
    [
        ("source", pa.string()),
        # The mark that the frame's rows reach; offset -1: none.
        ("generation", pa.int64()),
        ("offset", pa.int64()),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("attributes", pa.string()),
    ]
)
KIND_TEXTS = ("record_type", "record", "record_attributes", "scope", "scope_attributes")
KINDS = pa.schema([("resource", pa.int32()), *((name, pa.string()) for name in KIND_TEXTS)])
ROW_TEXTS = ("value", "trace", "exemplars")
MORE_TIMES = ("start_timestamp", "observed_timestamp")
LOGGED = pa.schema(
    [
        ("kind", pa.int32()),
        ("timestamp", TIME),
        *((name, TIME) for name in MORE_TIMES),
        *((name, pa.string()) for name in ROW_TEXTS),
    ]
)

# How far one source is stored: (file generation, offset of its last row).
Mark = tuple[int, int]
Marks = dict[str, Mark]


@dataclass(frozen=True, slots=True)
class Frame:
    """Appends that were stored together, as they stand in the log."""

    resources: pa.RecordBatch
    kinds: pa.RecordBatch
    rows: pa.RecordBatch


def stored(frame: Frame) -> pa.RecordBatch:
    """A frame's rows, sharing one copy of what they have in common."""
    kind, kinds, resources = frame.rows.column("kind"), frame.kinds, frame.resources
    resource = kinds.column("resource").take(kind)
    made: dict[str, pa.Array] = {
        "service": resources.column("service").take(resource),
        "instance_id": resources.column("instance_id").take(resource),
        "resource_attributes": pa.DictionaryArray.from_arrays(
            resource, resources.column("attributes")
        ),
    }
    for name in KIND_TEXTS:
        made[name] = _shared(kind, kinds.column(name))
    for name in LOGGED.names[1:]:
        made[name] = frame.rows.column(name)
    return pa.record_batch([made[name] for name in STORED.names], schema=STORED)


_NO_TEXTS = pa.array([], pa.string())


def _shared(index: pa.Array, texts: pa.Array) -> pa.Array:
    """NULL is an index that is NULL, never an entry of the dictionary: Parquet has none there."""
    if texts.null_count == 0:
        return pa.DictionaryArray.from_arrays(index, texts)
    if texts.null_count == len(texts):
        return pa.DictionaryArray.from_arrays(pa.nulls(len(index), pa.int32()), _NO_TEXTS)
    return texts.take(index).dictionary_encode()


def marks_of(resources: pa.RecordBatch) -> Marks:
    """How far a frame's rows reach."""
    found = resources.to_pydict()
    return {
        source: (generation, offset)
        for source, generation, offset in zip(
            found["source"], found["generation"], found["offset"], strict=True
        )
        if source and offset >= 0
    }
