"""Answers of the commonest shape, read without taking their JSON apart: texts without escapes. Pure.

Between the quotes such an answer has nothing but the texts and, in turn with them, what stands between rows:
brackets and the rows' numbers, written compactly or as Python's json writes them. So a comparison with what
has to stand there checks every row and its number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import pyarrow as pa

# A backslash begins an escape; the others no text may hold.
_AWKWARD = bytes(range(0x20)) + b"\\"
# What stands before a row's number, and after it.
_STYLES = {b":[[0,": (b"],[", b","), b": [[0, ": (b"], [", b", ")}


# Bytes that a text takes as an object of its own, besides itself.
_OBJECT = 48


@dataclass(frozen=True, slots=True)
class PlainTexts:
    """UTF-8, not in a column yet: making one costs as much for a hundred texts as for a thousand."""

    texts: list[bytes]
    nbytes: int

    def __len__(self) -> int:
        return len(self.texts)


def array(parts: Sequence[PlainTexts]) -> pa.Array:
    """One after the other in a column."""
    return pa.array(list(chain.from_iterable(part.texts for part in parts)), pa.string())


def read(body: bytes, rows: int) -> PlainTexts | None:
    """None for any other answer, right or wrong."""
    body = body.removesuffix(b"\n")
    if len(body.translate(None, _AWKWARD)) != len(body):
        return None
    parts = body.split(b'"')
    if len(parts) != 3 + 2 * rows or parts[:2] != [b"{", b"data"] or parts[2] not in _STYLES:
        return None
    if parts[2::2] != _between(rows, parts[2]):
        return None
    if not body.isascii() and not _is_utf8(body):
        return None
    return PlainTexts(parts[3::2], len(body) + _OBJECT * rows)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@lru_cache(maxsize=8)
def _between(rows: int, first: bytes) -> list[bytes]:
    """Not to be changed."""
    before, after = _STYLES[first]
    return [first, *(before + b"%d" % number + after for number in range(1, rows)), b"]]}"]
