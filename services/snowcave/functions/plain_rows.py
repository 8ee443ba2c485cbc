"""Bodies of the commonest shape, written without taking columns apart: texts without escapes, and JSON. Pure.

A row of such a body is its columns' own bytes with something constant before, between and after them. So all
rows are made in one piece, and each body is a part of it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.types as types

compute: Any = pyarrow.compute

# What JSON writes differently: all below this, and these.
_BELOW, _AWKWARD = 0x20, b'"\\'
# Rows of the constant parts that are remembered.
_MOST = 16_384


def write(
    columns: Sequence[pa.Array], are_json: Sequence[bool], max_rows: int
) -> Iterator[tuple[int, bytes]] | None:
    """(number of rows, body) of batches of `max_rows` rows. None where a column is not of that kind."""
    if not columns or max_rows > _MOST:
        return None
    pairs = list(zip(columns, are_json, strict=True))
    if not all(_is_plain(column, is_json=is_json) for column, is_json in pairs):
        return None
    return _bodies(columns, ["" if is_json else '"' for is_json in are_json], max_rows)


def _is_plain(column: pa.Array, *, is_json: bool) -> bool:
    if not types.is_string(column.type) or column.null_count:
        return False
    if is_json:
        return True
    held = np.frombuffer(_held(column, 0, len(column)), np.uint8)
    return not len(held) or not (
        held.min() < _BELOW or any((held == one).any() for one in _AWKWARD)
    )


def _bodies(
    columns: Sequence[pa.Array], quotes: Sequence[str], max_rows: int
) -> Iterator[tuple[int, bytes]]:
    whole = _MOST // max_rows * max_rows
    head, after = _constant(max_rows, quotes[0], quotes[-1])
    between = [f"{left},{right}" for left, right in pairwise(quotes)]
    for first in range(0, len(columns[0]), whole):
        parts = [column.slice(first, whole) for column in columns]
        rows = len(parts[0])
        row: list[Any] = [parts[0]]
        for separator, part in zip(between, parts[1:], strict=True):
            row += [separator, part]
        made = compute.binary_join_element_wise(*row, after.slice(0, rows), "")
        for start in range(0, rows, max_rows):
            size = min(max_rows, rows - start)
            held = _held(made, start, start + size)
            if size < max_rows:  # no row stands behind its last one
                held = held[: -len(after[size - 1].as_py())]
                yield size, b"".join((head, held, quotes[-1].encode(), b"]]}"))
            else:
                yield size, b"".join((head, held))


@lru_cache(maxsize=8)
def _constant(max_rows: int, left: str, right: str) -> tuple[bytes, pa.Array]:
    """What stands before the first row of a batch, and after each row's columns, batch by batch."""
    between = [f"{right}],[{n},{left}" for n in range(1, max_rows)]
    after = pa.array([*between, right + "]]}"] * (_MOST // max_rows))
    return b'{"data":[[0,' + left.encode(), after


def _held(texts: pa.Array, start: int, stop: int) -> memoryview:
    """Of the rows from `start` to before `stop`."""
    _, offsets, data = texts.buffers()
    if start == stop or data is None:  # without rows there need be no offsets either
        return memoryview(b"")
    places = memoryview(offsets).cast("i")
    begin, end = places[texts.offset + start], places[texts.offset + stop]
    return memoryview(data)[begin:end]
