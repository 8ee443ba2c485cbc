"""Service functions that DuckDB's threads call while it runs a statement."""

import asyncio
import itertools
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import pyarrow as pa

from snowcave.model.errors import QueryCancelled, SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import ArrowFunction, Context
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.service_functions.tally import Tally

_Row = tuple[str | None, ...]
# What an entry takes besides its texts, about.
_ENTRY = 200


class Callbacks:
    """The calls of one statement; each waits for the event loop to ask the router."""

    def __init__(
        self,
        invoker: Invoker,
        context: Context,
        query_id: str,
        numbers: "itertools.count[int]",
        tally: Tally,
        remembered: int,
    ) -> None:
        self._invoker = invoker
        self._context = context
        self._query_id = query_id
        self._numbers = numbers
        self._tally = tally
        self._remembered = remembered
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Future[pa.Array]] = set()
        self._cancelled = False
        # DuckDB keeps only the text of what a function raised.
        self.error: SnowcaveError | None = None

    def function(self, name: str, binding: pb.FunctionBinding, *, stable: bool) -> ArrowFunction:
        memory = Memory(self._remembered)

        def call(*arguments: Any) -> pa.Array:
            return self._call(binding, arguments, memory if stable else None)

        return ArrowFunction(name, max(1, len(binding.argument_types)), call, stable)

    def cancel(self) -> None:
        """End what is being waited for; on the event loop."""
        self._cancelled = True
        for future in list(self._waiting):
            future.cancel()

    def _call(
        self, binding: pb.FunctionBinding, arguments: Sequence[Any], memory: "Memory | None"
    ) -> pa.Array:
        """On one of DuckDB's threads."""
        if self._cancelled:
            raise QueryCancelled
        if self.error is not None:  # a stable call that failed while it was planned comes again
            raise self.error
        arrays = [_whole(a) for a in arguments]
        asked = (
            self._invoke(binding, arrays) if memory is None else self._ask(binding, arrays, memory)
        )
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        self._waiting.add(future)
        if self._cancelled:  # between the look at it and now
            future.cancel()
        try:
            return future.result()
        except SnowcaveError as error:
            self.error = self.error or error
            raise
        except CancelledError as error:
            raise QueryCancelled from error
        finally:
            self._waiting.discard(future)

    async def _ask(
        self, binding: pb.FunctionBinding, arrays: Sequence[pa.Array], memory: "Memory"
    ) -> pa.Array:
        """Send only what was not answered before."""
        rows: list[_Row] = list(zip(*(a.to_pylist() for a in arrays), strict=True))
        known, unknown = memory.look_up(rows)
        if unknown:
            columns = [pa.array(column, pa.string()) for column in zip(*unknown, strict=True)]
            answers = await self._invoke(binding, columns)
            fresh = dict(zip(unknown, answers.to_pylist(), strict=True))
            memory.keep(fresh)
            known |= fresh
        return pa.array([known[row] for row in rows], pa.string())

    async def _invoke(self, binding: pb.FunctionBinding, arrays: Sequence[pa.Array]) -> pa.Array:
        rows = len(arrays[0])
        sent = arrays if binding.argument_types else []
        number = next(self._numbers)
        async with self._invoker.open(
            binding, self._context, self._query_id, number
        ) as invocation:
            with self._tally.counting(invocation):
                await invocation.send(sent, rows)
                answers = await invocation.finish()
        return pa.table(answers).column(0).combine_chunks()


class Memory:
    """Answers of one function within one statement, the oldest forgotten beyond `most` characters."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._answers: dict[_Row, str | None] = {}

    def look_up(self, rows: Sequence[_Row]) -> tuple[dict[_Row, str | None], list[_Row]]:
        """What is known of the rows, and each row once that is not."""
        known: dict[_Row, str | None] = {}
        unknown: dict[_Row, None] = {}
        for row in rows:
            if row in self._answers:
                known[row] = self._answers[row]
            else:
                unknown[row] = None
        return known, list(unknown)

    def keep(self, answers: dict[_Row, str | None]) -> None:
        """The first answer stays, whoever asked at the same time; `answers` hold it afterwards."""
        for row, answer in answers.items():
            if row in self._answers:
                answers[row] = self._answers[row]
            else:
                self._answers[row] = answer
                self._held += _size(row, answer)
        while self._held > self._most:
            oldest = next(iter(self._answers))
            self._held -= _size(oldest, self._answers.pop(oldest))


def _size(row: _Row, answer: str | None) -> int:
    return _ENTRY + sum(len(text or "") for text in (*row, answer))


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
