"""Service functions of one statement, called: arguments out, answers back in their rows."""

import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import calls, routes, taking
from snowcave.warehouse.callbacks import Callbacks
from snowcave.warehouse.engine import ArrowFunction, Context, Relation
from snowcave.warehouse.invoke import Invocation, Invoker
from snowcave.warehouse.keeping import Beside, Keeper, Rows
from snowcave.warehouse.routes import Route
from snowcave.warehouse.sessions import Session, Sessions
from snowcave.warehouse.settings import CallSettings
from snowcave.warehouse.taking import Taken
from snowcave.warehouse.tally import Tally


@dataclass
class Prepared:
    """A statement that the engine can run."""

    statement: Any
    relations: list[Relation]
    callbacks: Callbacks
    functions: list[ArrowFunction] = field(default_factory=list[ArrowFunction])


class Dispatch:
    def __init__(
        self, sessions: Sessions, invoker: Invoker, keeper: Keeper, settings: CallSettings
    ) -> None:
        self._sessions = sessions
        self._invoker = invoker
        self._keeper = keeper
        self._settings = settings

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
        run = session.running.get(query_id)
        tally = run.tally if run else Tally()
        held = list(relations)
        found = calls.find(statement, functions)
        calls.refuse_definitions(statement, found)
        route = routes.decide(statement, found)
        while found and route is Route.AHEAD:
            taken = taking.take(statement, found)
            relation, columns = await self._call_all(
                session, taken, query_id, context, held, numbers, tally
            )
            statement = taking.rebuild(taken, columns)
            held = [*(r for r in held if r.name != taking.RELATION), relation]
            found = calls.find(statement, functions)
            route = routes.decide(statement, found)
        remembered = self._settings.remembered
        callbacks = Callbacks(self._invoker, context, query_id, numbers, tally, remembered)
        made: dict[int, ArrowFunction] = {}
        while found:
            function = found[0].function
            if function.function not in made:
                name = f"_SC_FN_{session.number}_{len(made)}"
                stable = route is Route.STABLE
                made[function.function] = callbacks.function(name, function, stable=stable)
            calls.replace_by_function(found[0], made[function.function].name)
            found = calls.find(statement, functions)
        return Prepared(statement, held, callbacks, list(made.values()))

    async def _call_all(
        self,
        session: Session,
        taken: Taken,
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
        numbers: "itertools.count[int]",
        tally: Tally,
    ) -> tuple[Relation, list[str]]:
        """All calls of one select list at once, fed from one pass over its rows."""
        reader = await self._sessions.thread(
            lambda: session.engine.stream(
                taken.inner,
                context,
                relations=relations,
                rows=self._settings.batch_rows,
                most_bytes=self._settings.batch_bytes,
            )
        )
        carried = [name for name in reader.names if name not in taken.arguments]
        kept = self._keeper.keep(pa.schema([reader.schema.field(name) for name in carried]))
        try:
            async with AsyncExitStack() as stack:
                invocations = [
                    await stack.enter_async_context(
                        self._invoker.open(function, context, query_id, next(numbers))
                    )
                    for function, _ in taken.calls
                ]
                for invocation in invocations:
                    stack.enter_context(tally.counting(invocation))
                while (batch := await self._sessions.blocking(session, reader.read)) is not None:
                    await self._send(batch, taken, invocations)
                    if carried:
                        await kept.add(batch.select(carried))
                answers = [await invocation.finish() for invocation in invocations]
                rows = await kept.taken()
        finally:
            kept.close()
            await self._sessions.thread(reader.close)
        return _joined(rows, answers, frozenset(reader.variants)), carried

    async def _send(
        self, batch: pa.RecordBatch, taken: Taken, invocations: Sequence[Invocation]
    ) -> None:
        for invocation, (function, names) in zip(invocations, taken.calls, strict=True):
            wanted = names if function.argument_types else []
            arguments = [batch.column(name) for name in wanted]
            await invocation.send(arguments, batch.num_rows)


def _joined(carried: Rows, answers: Sequence[Rows], variants: frozenset[str]) -> Relation:
    """The carried columns and, by position, the answers beside them."""
    names = carried.schema.names
    answered = [f"_SC_R{number}" for number in range(len(answers))]
    table = Beside([carried, *answers], [*names, *answered])
    return Relation(taking.RELATION, table, variants & set(names))
