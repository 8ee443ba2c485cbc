"""The JSON that services are sent. Pure. What they answer is read by `answers`.

Arguments come as Arrow columns. A field's metadata `snowcave.wire` says how a text is to be written:
`json` texts are JSON already, an `absent` column only counts rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute
import pyarrow.types as types

from snowcave.functions import plain_rows

compute: Any = pyarrow.compute

WIRE = b"snowcave.wire"
# Rows that are taken out of their columns at once, where batches are smaller.
_AT_ONCE = 16_384


def split(rows: pa.RecordBatch, max_rows: int, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """(number of rows, body) of each POST, in order; none above the limits but a single large row."""
    if (bodies := _plain(rows, max_rows)) is None:
        yield from _taken_apart(rows, max_rows, max_bytes)
        return
    start = 0
    for size, body in bodies:
        if len(body) <= max_bytes or size == 1:
            yield size, body
        else:
            yield from _taken_apart(rows.slice(start, size), max_rows, max_bytes)
        start += size


def _plain(rows: pa.RecordBatch, max_rows: int) -> Iterator[tuple[int, bytes]] | None:
    marks = [(field.metadata or {}).get(WIRE) for field in rows.schema]
    columns = [
        _finite(column) if mark == b"json" else column
        for column, mark in zip(rows.columns, marks, strict=True)
        if mark != b"absent"
    ]
    are_json = [mark == b"json" for mark in marks if mark != b"absent"]
    return plain_rows.write(columns, are_json, max_rows)


def _taken_apart(
    rows: pa.RecordBatch, max_rows: int, max_bytes: int
) -> Iterator[tuple[int, bytes]]:
    step = max_rows * max(1, _AT_ONCE // max_rows)
    for first in range(0, rows.num_rows, step):
        part = rows.slice(first, step)
        columns = _columns(part)
        for start in range(0, part.num_rows, max_rows):
            yield from _fitting(columns, start, min(start + max_rows, part.num_rows), max_bytes)


def _fitting(
    columns: list[list[Any]], start: int, stop: int, max_bytes: int
) -> Iterator[tuple[int, bytes]]:
    body = _encode(columns, start, stop)
    if len(body) <= max_bytes or stop - start == 1:
        yield stop - start, body
        return
    middle = (start + stop) // 2
    yield from _fitting(columns, start, middle, max_bytes)
    yield from _fitting(columns, middle, stop, max_bytes)


def encode(rows: pa.RecordBatch) -> bytes:
    """`{"data":[[0,…],…]}`"""
    return _encode(_columns(rows), 0, rows.num_rows)


def _encode(columns: list[list[Any]], start: int, stop: int) -> bytes:
    """Of the rows from `start` to before `stop`, which are numbered from 0 on."""
    parts = [column[start:stop] for column in columns]
    return orjson.dumps({"data": list(zip(numbers(stop - start), *parts, strict=True))})


def _columns(rows: pa.RecordBatch) -> list[list[Any]]:
    return [
        values(rows.column(index), field)
        for index, field in enumerate(rows.schema)
        if (field.metadata or {}).get(WIRE) != b"absent"
    ]


def values(column: pa.Array, field: pa.Field) -> list[Any]:
    """A column as values that orjson writes the way the documents want."""
    kind = column.type
    if (field.metadata or {}).get(WIRE) == b"json":
        return _fragments(_finite(column).to_pylist())
    if types.is_decimal(kind):
        return _fragments([None if v is None else format(v, "f") for v in column.to_pylist()])
    if types.is_binary(kind) or types.is_large_binary(kind):
        return [None if v is None else v.hex().upper() for v in column.to_pylist()]
    if types.is_timestamp(kind) or types.is_time(kind) or types.is_date(kind):
        return [None if v is None else str(v) for v in column.to_pylist()]
    return column.to_pylist()


# Floating-point numbers that JSON has no numbers for, as DuckDB writes them; they go out as texts.
_NOT_FINITE = pa.array(["nan", "inf", "-inf"])
_AS_TEXTS = pa.array(['"NaN"', '"inf"', '"-inf"'])


def _finite(column: pa.Array) -> pa.Array:
    if not compute.any(compute.is_in(column, _NOT_FINITE)).as_py():
        return column
    return compute.coalesce(_AS_TEXTS.take(compute.index_in(column, _NOT_FINITE)), column)


def _fragments(texts: list[Any]) -> list[Any]:
    return [None if text is None else orjson.Fragment(text) for text in texts]


@lru_cache(maxsize=8)
def numbers(rows: int) -> list[int]:
    """From 0 on; not to be changed."""
    return list(range(rows))


# ---------------------------------------------------------------- strict functions


def without_nulls(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
    """The rows that a strict function is called for, and a mask over all of them."""
    mask = pa.array([True] * rows.num_rows, pa.bool_())
    for column in rows.columns:
        mask = compute.and_(mask, compute.is_valid(column))
    return rows.filter(mask), mask


# ---------------------------------------------------------------- names of types


def signature(arguments: Sequence[tuple[str, str]]) -> str:
    """`(N NUMBER, T VARCHAR)`"""
    return "(" + ", ".join(f"{name} {base_type(kind)}" for name, kind in arguments) + ")"


_SYNONYMS: Mapping[str, str] = {
    "INT": "NUMBER",
    "INTEGER": "NUMBER",
    "BIGINT": "NUMBER",
    "SMALLINT": "NUMBER",
    "TINYINT": "NUMBER",
    "DECIMAL": "NUMBER",
    "NUMERIC": "NUMBER",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "DOUBLE": "FLOAT",
    "REAL": "FLOAT",
}


@lru_cache(maxsize=1024)
def base_type(kind: str) -> str:
    name = kind.split("(")[0].strip().upper()
    return _SYNONYMS.get(name, name)
