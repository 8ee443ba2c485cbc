"""Service functions of one statement, called: arguments out, answers back in their rows."""

import asyncio
import itertools
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from snowcave.model.errors import QueryCancelled, SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import calls
from snowcave.warehouse.engine import ArrowFunction, Context, Relation
from snowcave.warehouse.invoke import Invocation, Invoker
from snowcave.warehouse.sessions import Session, Sessions


@dataclass
class Prepared:
    """A statement that the engine can run."""

    statement: Any
    relations: list[Relation]
    callbacks: "Callbacks"
    functions: list[ArrowFunction] = field(default_factory=list[ArrowFunction])


class Dispatch:
    def __init__(self, sessions: Sessions, invoker: Invoker, batch_rows: int) -> None:
        self._sessions = sessions
        self._invoker = invoker
        self._batch_rows = batch_rows

    async def prepare(
        self,
        session: Session,
        statement: Any,
        functions: Sequence[pb.FunctionBinding],
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
    ) -> Prepared:
        """Call what can be called before the statement; make functions of the rest.

        Raises SnowcaveError.
        """
        numbers = itertools.count(1)
        held = list(relations)
        found = calls.find(statement, functions)
        calls.refuse_views(statement, found)
        while found and (taken := calls.take(statement, found)) is not None:
            relation, columns = await self._call_all(
                session, taken, query_id, context, held, numbers
            )
            statement = calls.rebuild(taken, columns)
            held = [*(r for r in held if r.name != calls.RELATION), relation]
            found = calls.find(statement, functions)
        callbacks = Callbacks(self._invoker, context, query_id, numbers)
        prepared = Prepared(statement, held, callbacks)
        while found:
            name = f"_SC_FN_{session.number}_{len(prepared.functions)}"
            prepared.functions.append(callbacks.function(name, found[0].function))
            calls.replace_by_function(found[0], name)
            found = calls.find(statement, functions)
        return prepared

    async def _call_all(
        self,
        session: Session,
        taken: calls.Taken,
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
        numbers: "itertools.count[int]",
    ) -> tuple[Relation, list[str]]:
        """All calls of one select list at once, fed from one pass over its rows."""
        reader = await self._sessions.thread(
            lambda: session.engine.stream(
                taken.inner, context, relations=relations, rows=self._batch_rows
            )
        )
        kept: list[pa.RecordBatch] = []
        try:
            async with AsyncExitStack() as stack:
                invocations = [
                    await stack.enter_async_context(
                        self._invoker.open(function, context, query_id, next(numbers))
                    )
                    for function, _ in taken.calls
                ]
                carried = [name for name in reader.names if name not in taken.arguments]
                while (batch := await self._sessions.blocking(session, reader.read)) is not None:
                    await self._send(batch, taken, invocations)
                    kept.append(batch.select(carried))
                answers = [await invocation.finish() for invocation in invocations]
        finally:
            await self._sessions.thread(reader.close)
        return _joined(kept, reader, carried, answers), carried

    async def _send(
        self, batch: pa.RecordBatch, taken: calls.Taken, invocations: Sequence[Invocation]
    ) -> None:
        for invocation, (function, names) in zip(invocations, taken.calls, strict=True):
            wanted = names if function.argument_types else []
            arguments = [batch.column(name) for name in wanted]
            await invocation.send(arguments, batch.num_rows)


def _joined(
    kept: Sequence[pa.RecordBatch],
    reader: Any,
    carried: Sequence[str],
    answers: Sequence[pa.Array],
) -> Relation:
    """The carried columns and, by position, the answers beside them."""
    schema = pa.schema([field for field in reader.schema if field.name in set(carried)])
    names = [*schema.names, *(f"_SC_R{number}" for number in range(len(answers)))]
    columns: list[Any] = []
    if schema.names:  # a table without columns would not know how many rows it has
        columns += pa.Table.from_batches(kept, schema=schema).columns
    table = pa.Table.from_arrays([*columns, *answers], names)
    return Relation(calls.RELATION, table, frozenset(reader.variants) & set(carried))


class Callbacks:
    """Functions that DuckDB's threads call; each call waits for the event loop to ask the router."""

    def __init__(
        self, invoker: Invoker, context: Context, query_id: str, numbers: "itertools.count[int]"
    ) -> None:
        self._invoker = invoker
        self._context = context
        self._query_id = query_id
        self._numbers = numbers
        self._loop = asyncio.get_running_loop()
        self._waiting: set[Future[pa.Array]] = set()
        self._cancelled = False
        # DuckDB keeps only the text of what a function raised.
        self.error: SnowcaveError | None = None

    def function(self, name: str, binding: pb.FunctionBinding) -> ArrowFunction:
        def call(*arguments: Any) -> pa.Array:
            return self._call(binding, arguments)

        return ArrowFunction(name, max(1, len(binding.argument_types)), call)

    def cancel(self) -> None:
        """End what is being waited for; on the event loop."""
        self._cancelled = True
        for future in list(self._waiting):
            future.cancel()

    def _call(self, binding: pb.FunctionBinding, arguments: Sequence[Any]) -> pa.Array:
        """On one of DuckDB's threads."""
        if self._cancelled:
            raise QueryCancelled
        future = asyncio.run_coroutine_threadsafe(self._invoke(binding, arguments), self._loop)
        self._waiting.add(future)
        try:
            return future.result()
        except SnowcaveError as error:
            self.error = self.error or error
            raise
        finally:
            self._waiting.discard(future)

    async def _invoke(self, binding: pb.FunctionBinding, arguments: Sequence[Any]) -> pa.Array:
        rows = len(arguments[0])
        arrays = [_whole(a) for a in arguments] if binding.argument_types else []
        number = next(self._numbers)
        async with self._invoker.open(
            binding, self._context, self._query_id, number
        ) as invocation:
            await invocation.send(arrays, rows)
            return await invocation.finish()


def _whole(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
