"""Answers of the commonest shape, read without taking their JSON apart: texts without escapes. Pure.

Such an answer is texts and, in turn with them, what stands between rows: quotes, brackets and the rows'
numbers, written compactly or as Python's json writes them. So a comparison with what has to stand there
checks every row and its number, and is made for many answers at once: it costs hardly more than for one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

_QUOTE = ord('"')
# Which no text of JSON may hold as they are.
_BELOW = 0x20
# What an answer begins with, and what stands before a row's number and after it.
_STYLES = {b'{"data":[[0,"': ("],[", ',"'), b'{"data": [[0, "': ("], [", ', "')}
# Rows and bytes of the answers that are looked at together; a single one may be larger.
_ROWS, _BYTES = 32_768, 8 << 20
# Bytes of a row: longer texts are read faster one by one, and as they come.
_LONG = 256


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """An answer that seems to be of that shape; `array` tells whether it is."""

    body: bytes
    rows: int
    style: bytes

    def __len__(self) -> int:
        return self.rows

    @property
    def nbytes(self) -> int:
        return len(self.body)


def read(body: bytes, rows: int) -> PlainTexts | None:
    """None for any other answer, right or wrong."""
    body = body.removesuffix(b"\n")
    if len(body) > _LONG * rows:
        return None
    for style in _STYLES:
        if body.startswith(style):
            is_plain = body.count(b'"') == 2 * rows + 2 and b"\\" not in body
            return PlainTexts(body, rows, style) if is_plain else None
    return None


def array(answers: Sequence[PlainTexts]) -> pa.Array | None:
    """The texts of all of them in a column. None where one of them is not what it seemed to be."""
    found: list[pa.Array] = []
    for run in _runs(answers):
        if (texts := _texts(run)) is None:
            return None
        found.append(texts)
    return found[0] if len(found) == 1 else pa.concat_arrays(found)


def _runs(answers: Sequence[PlainTexts]) -> Iterator[Sequence[PlainTexts]]:
    first = rows = size = 0
    for number, answer in enumerate(answers):
        if number > first and (rows + answer.rows > _ROWS or size + answer.nbytes > _BYTES):
            yield answers[first:number]
            first, rows, size = number, 0, 0
        rows += answer.rows
        size += answer.nbytes
    yield answers[first:]


def _texts(answers: Sequence[PlainTexts]) -> pa.Array | None:
    body = b"".join([answer.body for answer in answers])
    style = answers[0].style
    held = np.frombuffer(body, np.uint8)
    if held.min() < _BELOW or not body.endswith(b'"]]}') or not _is_utf8(body):
        return None
    if any(answer.style != style for answer in answers):
        return None
    # Quotes come in pairs, and what is between two of them is a text in turn with what is not.
    places = np.flatnonzero(held == _QUOTE).astype(np.int32)
    places[0::2] += 1
    parts = pa.StringArray.from_buffers(len(places) - 1, pa.py_buffer(places), pa.py_buffer(body))
    sizes = tuple([answer.rows for answer in answers])
    layout = _known_layout(style, sizes) if len(places) <= 4 * _ROWS else _layout(style, sizes)
    if not parts.take(layout.others).equals(layout.between):
        return None
    return parts.take(layout.texts)


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which parts are texts and which are not, and what has to stand in the latter."""

    texts: pa.Array
    others: pa.Array
    between: pa.Array


def _layout(style: bytes, sizes: tuple[int, ...]) -> _Layout:
    """Of answers with so many rows."""
    # The first part of each is the word `data`, the last one reaches into the answer behind it.
    counts = 2 * np.array(sizes, np.int32) + 2
    words = np.cumsum(counts) - counts
    parts = int(counts.sum()) - 1
    texts = np.delete(np.arange(0, parts, 2, dtype=np.int32), words // 2)
    others = np.arange(1, parts, 2, dtype=np.int32)
    between = pa.concat_arrays([_between(style, size) for size in sizes])
    return _Layout(pa.array(texts), pa.array(others), between[:-1])


_known_layout = lru_cache(maxsize=32)(_layout)


def _between(style: bytes, size: int) -> pa.Array:
    before, after = _STYLES[style]
    first = style.decode().removeprefix('{"data')
    return pa.array([first, *(f'"{before}{n}{after}' for n in range(1, size)), '"]]}{"'])
