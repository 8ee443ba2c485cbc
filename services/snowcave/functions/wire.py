"""The JSON that services speak. Pure.

Arguments come as Arrow columns. A field's metadata `snowcave.wire` says how a text is to be written:
`json` texts are JSON already, an `absent` column only counts rows. Answers leave as one column of texts:
the value itself where it is a text and the function returns one, otherwise its JSON.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute
import pyarrow.types as types

from snowcave.functions import plain_rows, plain_texts
from snowcave.functions.plain_texts import PlainTexts

compute: Any = pyarrow.compute

WIRE = b"snowcave.wire"
# Whole numbers up to here, and texts of numbers up to so many characters, stand for themselves.
_EXACT, _DIGITS = 2.0**53, 16
# Rows that are taken out of their columns at once, where batches are smaller.
_AT_ONCE = 16_384
_SEMI_STRUCTURED = {"VARIANT", "OBJECT", "ARRAY", "MAP"}


class BadAnswer(Exception):
    """The service answered 200, but not as the documents say. The text says what was wrong."""


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
    return orjson.dumps({"data": list(zip(_numbers(stop - start), *parts, strict=True))})


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


Answers = pa.Array | PlainTexts


def decode(body: bytes, rows: int, returns: str) -> Answers:
    """The answers of a batch, as texts. Raises BadAnswer where that can be told from this one alone."""
    if (
        plain := None if _is_semi_structured(returns) else plain_texts.read(body, rows)
    ) is not None:
        return plain
    return decode_closely(body, rows, returns)


def decode_closely(body: bytes, rows: int, returns: str) -> pa.Array:
    """Raises BadAnswer."""
    semi_structured = _is_semi_structured(returns)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"the response is not JSON ({error})") from error
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise BadAnswer('the response has no array "data"')
    if len(data) != rows:
        raise BadAnswer(f"the response has {len(data)} rows, the request had {rows}")
    values = _values(data)
    if not semi_structured and any(map(_may_be_rounded, values)):
        exact = _values(json.loads(body, parse_float=str)["data"])
        pairs = zip(values, exact, strict=True)
        values = [old if isinstance(old, (dict, list)) else new for old, new in pairs]
    return texts(values, semi_structured=semi_structured)


def _is_semi_structured(returns: str) -> bool:
    return base_type(returns) in _SEMI_STRUCTURED


def _may_be_rounded(value: object) -> bool:
    """Whether more digits may have been sent than a floating-point number holds."""
    return type(value) is float and (abs(value) >= _EXACT or len(repr(value)) > _DIGITS)


def _values(data: list[Any]) -> list[Any]:
    """The second part of each row. All are looked at together; one by one only to say what is wrong."""
    if set(map(type, data)) <= {list}:
        try:
            numbers = [number for number, _ in data]
        except ValueError:
            numbers = []
        if set(map(type, numbers)) <= {int} and numbers == _numbers(len(data)):
            return [value for _, value in data]
    return [_cell(row, index) for index, row in enumerate(data)]


@lru_cache(maxsize=8)
def _numbers(rows: int) -> list[int]:
    """From 0 on; not to be changed."""
    return list(range(rows))


def _cell(row: object, index: int) -> object:
    if not isinstance(row, list) or len(row) != 2:
        raise BadAnswer(f"row {index} is not an array of a row number and one value")
    number, value = row
    if type(number) is not int or number != index:
        shown = orjson.dumps(number).decode()[:40]
        raise BadAnswer(f"row {index} carries the row number {shown}")
    return value


def texts(cells: list[Any], *, semi_structured: bool) -> pa.Array:
    """Answers as texts that the warehouse casts to what the function returns."""
    if not semi_structured:
        try:
            return pa.array(cells, pa.string())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            return pa.array([_text(cell) for cell in cells], pa.string())
    return pa.array(
        [None if cell is None else orjson.dumps(cell).decode() for cell in cells], pa.string()
    )


def _text(cell: object) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if type(cell) is int:  # of any size
        return str(cell)
    return orjson.dumps(cell).decode()


def joined(answers: Sequence[Answers], closely: Callable[[int, PlainTexts], pa.Array]) -> pa.Array:
    """One after the other. `closely` reads the one in this place, which may not be what it seemed to be.

    Raises what that raises.
    """
    found: list[pa.Array] = []
    for are_plain, run in groupby(enumerate(answers), lambda one: isinstance(one[1], PlainTexts)):
        places, parts = zip(*run, strict=True)
        if not are_plain:
            found += parts
        elif (texts := plain_texts.array(parts)) is not None:
            found.append(texts)
        else:
            found += map(closely, places, parts)
    return found[0] if len(found) == 1 else pa.concat_arrays(found)


def nulls(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.string())


# ---------------------------------------------------------------- strict functions


def without_nulls(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
    """The rows that a strict function is called for, and a mask over all of them."""
    mask = pa.array([True] * rows.num_rows, pa.bool_())
    for column in rows.columns:
        mask = compute.and_(mask, compute.is_valid(column))
    return rows.filter(mask), mask


def scatter(answers: pa.Array, mask: pa.Array) -> pa.Array:
    """The answers back in their places, NULL elsewhere."""
    places = compute.subtract(compute.cumulative_sum(compute.cast(mask, pa.int64())), 1)
    return answers.take(compute.if_else(mask, places, None))


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


def check_md5(given: str | None, body: bytes) -> None:
    """Content-MD5, where the service sends it. Raises BadAnswer."""
    if not given:
        return
    try:
        wanted = base64.b64decode(given, validate=True)
    except binascii.Error as error:
        raise BadAnswer("the header Content-MD5 is not base64") from error
    if wanted != hashlib.md5(body, usedforsecurity=False).digest():
        raise BadAnswer("the body does not match its Content-MD5")
