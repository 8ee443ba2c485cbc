"""Rows in pieces that a message may hold. Pure."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar


class Rows(Protocol):
    """pyarrow's arrays, record batches and tables."""

    @property
    def nbytes(self) -> int: ...

    def slice(self, offset: int = 0, length: int | None = None) -> Any: ...

    def __len__(self) -> int: ...


T = TypeVar("T", bound=Rows)


def fitting(rows: T, most: int) -> Iterator[T]:
    """In their order, in pieces of at most so many bytes; a single row may have more. At least one piece."""
    if rows.nbytes <= most or len(rows) < 2:
        yield rows
        return
    half = len(rows) // 2
    yield from fitting(rows.slice(0, half), most)
    yield from fitting(rows.slice(half), most)
