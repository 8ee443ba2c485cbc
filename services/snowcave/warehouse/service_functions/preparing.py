"""One statement that calls service functions, on its way to what the engine can run."""

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlglot import Expr, exp

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine import explaining
from snowcave.warehouse.engine.api import ArrowFunction, Context, Reader, Relation
from snowcave.warehouse.results.keeping import Keeper
from snowcave.warehouse.service_functions import (
    calls,
    grouping,
    liftable,
    lifted,
    nested,
    routes,
    taking,
)
from snowcave.warehouse.service_functions.callbacks import Callbacks
from snowcave.warehouse.service_functions.calling import Calling
from snowcave.warehouse.service_functions.calls import Found
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.service_functions.routes import Route
from snowcave.warehouse.service_functions.taking import Taken
from snowcave.warehouse.service_functions.tally import Tally
from snowcave.warehouse.sessions import Session, Sessions
from snowcave.warehouse.settings import CallSettings


@dataclass(frozen=True)
class Means:
    """What the calls of all statements are made with."""

    sessions: Sessions
    invoker: Invoker
    keeper: Keeper
    settings: CallSettings


@dataclass(frozen=True)
class Asked:
    """A statement as its session asks for it. `relations`: rows that it may read besides."""

    session: Session
    statement: Any
    functions: Sequence[pb.FunctionBinding]
    query_id: str
    context: Context
    relations: Sequence[Relation]


class Preparation:
    """Make what calls can be made `ahead`, then `rest` makes functions of the others."""

    def __init__(self, means: Means, asked: Asked) -> None:
        self._means = means
        self._asked = asked
        self._settings = means.settings
        self._session = asked.session
        run = asked.session.running.get(asked.query_id)
        self._tally = run.tally if run else Tally()
        # Of the calls of this statement.
        self._numbers = itertools.count(1)
        # Queries whose calls the engine has to make.
        self._left: list[Expr] = []
        self.statement = asked.statement
        self.relations = list(asked.relations)
        # Whose last answers may come while the statement runs.
        self.calling: Calling | None = None

    async def ahead(self, stack: AsyncExitStack) -> None:
        """Raises SnowcaveError. What is still under way ends with the stack."""
        found = calls.find(self.statement, self._asked.functions)
        calls.refuse_definitions(explaining.explained(self.statement), found)
        for number in itertools.count():
            taken = await self._next(found)
            if taken is None:
                return
            name = taking.relation(number)
            calling = await self._call_all(stack, taken)
            rebuilt = taking.rebuild(taken, calling.carried, name)
            is_whole = taken.statement is self.statement
            if is_whole:
                self.statement = rebuilt
            else:
                taken.statement.replace(rebuilt)
            self.relations.append(calling.relation(name))
            self.relations = [
                r for r in self.relations if not taking.is_left(r.name, self.statement)
            ]
            found = calls.find(self.statement, self._asked.functions)
            may_go_on = is_whole and not found and _writes_all(self.statement, taken)
            if may_go_on and not self._session.engine.in_transaction:
                await calling.nearly_finished(self._settings.ahead)
                self.calling = calling
            else:
                await calling.finished()
                await stack.aclose()

    def rest(self) -> tuple[Callbacks, list[ArrowFunction]]:
        callbacks = Callbacks(
            self._means.invoker,
            self._asked.context,
            self._asked.query_id,
            self._numbers,
            self._tally,
            self._settings.remembered,
        )
        made: dict[int, ArrowFunction] = {}
        found = calls.find(self.statement, self._asked.functions)
        is_stable = routes.decide(self.statement, found) is Route.STABLE
        while found:
            function = found[0].function
            if function.function not in made:
                name = f"_SC_FN_{self._session.number}_{len(made)}"
                made[function.function] = (
                    explaining.uncalled(name, function)
                    if isinstance(self.statement, explaining.Explain)
                    else callbacks.function(name, function, stable=is_stable)
                )
            calls.replace_by_function(found[0], made[function.function].name)
            found = calls.find(self.statement, self._asked.functions)
        return callbacks, list(made.values())

    async def _next(self, found: Sequence[Found]) -> Taken | None:
        """Of a query in the statement, or of all of it. None: the engine makes all calls that are left."""
        for query in list(nested.parts(self.statement, found)):
            if not any(query is left for left in self._left):
                nested.stand_alone(self.statement, query)
                inside = [call for call in found if nested.is_within(call.node, query)]
                if (taken := await self._taken(query, inside)) is not None:
                    return taken
                self._left.append(query)
        return await self._taken(self.statement, found) if found else None

    async def _taken(self, query: Expr, found: Sequence[Found]) -> Taken | None:
        await self._number_groups(query)
        match routes.decide(query, found):
            case Route.AHEAD:
                return taking.take(query, found)
            case Route.LIFTED if not liftable.may_join(await self._told(liftable.source(query))):
                return lifted.lift(query, found)
            case _:
                return None

    async def _number_groups(self, query: Expr) -> None:
        aliases = [
            name
            for name, probe in grouping.probes(query).items()
            if liftable.is_refused(await self._told(probe))
        ]
        grouping.number(query, aliases)

    async def _told(self, query: Expr) -> str:
        """DuckDB's plan, or why there is none."""
        refusal, context = self._session.engine.refusal, self._asked.context
        return await self._means.sessions.thread(refusal, query, context, self.relations)

    async def _call_all(self, stack: AsyncExitStack, taken: Taken) -> Calling:
        """All calls of one select list at once, fed from one pass over its rows; all of them are sent."""
        async with self._reading(taken.inner) as reader:
            invocations = [
                self._means.invoker.open(
                    function, self._asked.context, self._asked.query_id, next(self._numbers)
                )
                for function, _ in taken.calls
            ]
            calling = await stack.enter_async_context(
                Calling(taken, reader, self._means.keeper, invocations)
            )
            for invocation in invocations:
                stack.enter_context(self._tally.counting(invocation))
            while (
                batch := await self._means.sessions.blocking(self._session, reader.read)
            ) is not None:
                await calling.send(batch)
        calling.sent()
        return calling

    @asynccontextmanager
    async def _reading(self, query: Any) -> AsyncGenerator[Reader]:
        """The query's rows. It may sort or group them all before there is a first one."""
        opened: list[Reader] = []

        def open_reader() -> Reader:
            reader = self._session.engine.stream(
                query,
                self._asked.context,
                relations=self.relations,
                rows=self._settings.batch_rows,
                most_bytes=self._settings.batch_bytes,
            )
            # Also where nobody takes it any more: the session can do nothing else until it is closed.
            opened.append(reader)
            return reader

        try:
            yield await self._means.sessions.blocking(self._session, open_reader)
        finally:
            for reader in opened:
                await self._means.sessions.surely(reader.close)


def _writes_all(statement: Any, taken: Taken) -> bool:
    """Whether it takes every answer, and keeps what comes of them."""
    return isinstance(statement, (exp.Create, exp.Insert)) and not taken.clauses
