"""How far the service functions of one statement have come.

Rows count once for each call that is answered for them: nested calls, two functions in one query, and
calls that DuckDB makes in a WHERE or a join all count. So these are rows that services have answered, of
which the result may have fewer.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from snowcave.v1 import functions_pb2 as pb


class Progressing(Protocol):
    """A call of a service function."""

    progress: pb.InvokeProgress


class Tally:
    """DuckDB makes a call for every few rows, so of those that have ended only their sum is kept."""

    def __init__(self) -> None:
        self._ended = pb.InvokeProgress()
        self._under_way: set[Progressing] = set()

    @contextmanager
    def counting(self, call: Progressing) -> Generator[None]:
        self._under_way.add(call)
        try:
            yield
        finally:
            self._under_way.discard(call)
            self._ended = plus(self._ended, call.progress)

    def total(self) -> pb.InvokeProgress:
        said = self._ended
        for call in self._under_way:
            said = plus(said, call.progress)
        return said


def plus(one: pb.InvokeProgress, other: pb.InvokeProgress) -> pb.InvokeProgress:
    return pb.InvokeProgress(
        rows=one.rows + other.rows,
        batches=one.batches + other.batches,
        retries=one.retries + other.retries,
        hedges=one.hedges + other.hedges,
    )
