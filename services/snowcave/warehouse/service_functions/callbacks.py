"""Service functions that DuckDB's threads call while it runs a statement."""

import asyncio
import itertools
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow as pa

from snowcave.model.errors import QueryCancelled, SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import ArrowFunction, Context
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.service_functions.tally import Tally

_Row = tuple[str | None, ...]
_Answers = dict[_Row, str | None]
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
        """Send only what was not answered before, and what no other thread waits for already."""
        rows: list[_Row] = list(zip(*(a.to_pylist() for a in arrays), strict=True))
        found = memory.look_up(rows)
        known = found.known
        if found.unknown:
            with memory.asking(found.unknown) as told:
                columns = zip(*found.unknown, strict=True)
                sent = [pa.array(column, pa.string()) for column in columns]
                answers = await self._invoke(binding, sent)
                told(fresh := dict(zip(found.unknown, answers.to_pylist(), strict=True)))
            known |= fresh
        if found.asked:
            # Which are not cancelled with who waits for them.
            await asyncio.wait(set(found.asked.values()))
            known |= {row: asked.result()[row] for row, asked in found.asked.items()}
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


class Found(NamedTuple):
    """What a memory has of some rows: answers, those that are asked for now, and each other row once."""

    known: _Answers
    asked: dict[_Row, "asyncio.Future[_Answers]"]
    unknown: list[_Row]


class Memory:
    """Answers of one function within one statement, the oldest forgotten beyond `most` characters."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._answers: _Answers = {}
        # Not counted: it is in memory anyway, and for as long as its call takes.
        self._asked: dict[_Row, asyncio.Future[_Answers]] = {}

    def look_up(self, rows: Sequence[_Row]) -> Found:
        found = Found({}, {}, [])
        unknown: dict[_Row, None] = {}
        for row in rows:
            if row in self._answers:
                found.known[row] = self._answers[row]
            elif row in self._asked:
                found.asked[row] = self._asked[row]
            else:
                unknown[row] = None
        found.unknown.extend(unknown)
        return found

    @contextmanager
    def asking(self, rows: Sequence[_Row]) -> Generator[Callable[[_Answers], None]]:
        """Others wait for these rows until they are told, or end with what this ends with."""
        asked = asyncio.get_running_loop().create_future()
        self._asked |= dict.fromkeys(rows, asked)
        try:
            yield asked.set_result
            self.keep(asked.result())
        except SnowcaveError as error:
            asked.set_exception(error)
            asked.exception()  # it may be that nobody else waits
            raise
        finally:
            asked.cancel()  # unless it is done
            for row in rows:
                del self._asked[row]

    def keep(self, answers: _Answers) -> None:
        for row, answer in answers.items():
            self._answers[row] = answer
            self._held += _size(row, answer)
        while self._held > self._most:
            oldest = next(iter(self._answers))
            self._held -= _size(oldest, self._answers.pop(oldest))


def _size(row: _Row, answer: str | None) -> int:
    return _ENTRY + sum(len(text or "") for text in (*row, answer))


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
