"""Service functions of one statement, called: arguments out, answers back in their rows."""

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine import explaining
from snowcave.warehouse.engine.api import ArrowFunction, Context, Reader, Relation
from snowcave.warehouse.results.keeping import Keeper
from snowcave.warehouse.service_functions import calls, liftable, lifted, routes, taking
from snowcave.warehouse.service_functions.callbacks import Callbacks
from snowcave.warehouse.service_functions.calling import Calling
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.service_functions.routes import Route
from snowcave.warehouse.service_functions.taking import Taken
from snowcave.warehouse.service_functions.tally import Tally
from snowcave.warehouse.sessions import Session, Sessions
from snowcave.warehouse.settings import CallSettings


@dataclass
class Prepared:
    """A statement that the engine can run."""

    statement: Any
    relations: list[Relation]
    callbacks: Callbacks
    functions: list[ArrowFunction] = field(default_factory=list[ArrowFunction])
    # Whose last answers may come while the statement runs.
    calling: Calling | None = None

    @property
    def error(self) -> Exception | None:
        """What a call raised while the statement ran; the engine knows its text at the most."""
        return self.callbacks.error or (self.calling.error if self.calling else None)

    def cancel(self) -> None:
        """End what the statement waits for; on the event loop."""
        self.callbacks.cancel()
        if self.calling is not None:
            self.calling.cancel()


class Dispatch:
    def __init__(
        self, sessions: Sessions, invoker: Invoker, keeper: Keeper, settings: CallSettings
    ) -> None:
        self._sessions = sessions
        self._invoker = invoker
        self._keeper = keeper
        self._settings = settings

    @asynccontextmanager
    async def prepared(
        self,
        session: Session,
        statement: Any,
        functions: Sequence[pb.FunctionBinding],
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
    ) -> AsyncGenerator[Prepared]:
        """Call what can be called before the statement; make functions of the rest.

        A statement that just writes down the answers may begin before the last of them have come; leaving
        ends all calls. Raises SnowcaveError.
        """
        async with AsyncExitStack() as stack:
            yield await self._prepare(
                stack, session, statement, functions, query_id, context, relations
            )

    async def _prepare(
        self,
        stack: AsyncExitStack,
        session: Session,
        statement: Any,
        functions: Sequence[pb.FunctionBinding],
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
    ) -> Prepared:
        numbers = itertools.count(1)
        run = session.running.get(query_id)
        tally = run.tally if run else Tally()
        held, calling = list(relations), None
        found = calls.find(statement, functions)
        calls.refuse_definitions(explaining.explained(statement), found)
        route = routes.decide(statement, found)
        if route is Route.LIFTED and await self._may_join(session, statement, context, held):
            route = Route.VOLATILE
        while found and route in (Route.AHEAD, Route.LIFTED):
            take = taking.take if route is Route.AHEAD else lifted.lift
            taken = take(statement, found)
            calling = await self._call_all(
                stack, session, taken, query_id, context, held, numbers, tally
            )
            statement = taking.rebuild(taken, calling.carried)
            held = [*(r for r in held if r.name != taking.RELATION), calling.relation()]
            found = calls.find(statement, functions)
            route = routes.decide(statement, found)
            if found or not _writes_all(statement, taken) or session.engine.in_transaction:
                await calling.finished()
                await stack.aclose()
            else:
                await calling.nearly_finished(self._settings.ahead)
        remembered = self._settings.remembered
        callbacks = Callbacks(self._invoker, context, query_id, numbers, tally, remembered)
        made: dict[int, ArrowFunction] = {}
        while found:
            function = found[0].function
            if function.function not in made:
                name = f"_SC_FN_{session.number}_{len(made)}"
                made[function.function] = (
                    explaining.uncalled(name, function)
                    if isinstance(statement, explaining.Explain)
                    else callbacks.function(name, function, stable=route is Route.STABLE)
                )
            calls.replace_by_function(found[0], made[function.function].name)
            found = calls.find(statement, functions)
        return Prepared(statement, held, callbacks, list(made.values()), calling)

    async def _may_join(
        self,
        session: Session,
        statement: Any,
        context: Context,
        relations: Sequence[Relation],
    ) -> bool:
        rows = liftable.source(statement)
        return liftable.may_join(
            await self._sessions.thread(session.engine.refusal, rows, context, relations)
        )

    async def _call_all(
        self,
        stack: AsyncExitStack,
        session: Session,
        taken: Taken,
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
        numbers: "itertools.count[int]",
        tally: Tally,
    ) -> Calling:
        """All calls of one select list at once, fed from one pass over its rows; all of them are sent."""
        async with self._reading(session, taken.inner, context, relations) as reader:
            invocations = [
                self._invoker.open(function, context, query_id, next(numbers))
                for function, _ in taken.calls
            ]
            calling = await stack.enter_async_context(
                Calling(taken, reader, self._keeper, invocations)
            )
            for invocation in invocations:
                stack.enter_context(tally.counting(invocation))
            while (batch := await self._sessions.blocking(session, reader.read)) is not None:
                await calling.send(batch)
        calling.sent()
        return calling

    @asynccontextmanager
    async def _reading(
        self, session: Session, query: Any, context: Context, relations: Sequence[Relation]
    ) -> AsyncGenerator[Reader]:
        """The query's rows. It may sort or group them all before there is a first one."""
        opened: list[Reader] = []

        def open_reader() -> Reader:
            reader = session.engine.stream(
                query,
                context,
                relations=relations,
                rows=self._settings.batch_rows,
                most_bytes=self._settings.batch_bytes,
            )
            # Also where nobody takes it any more: the session can do nothing else until it is closed.
            opened.append(reader)
            return reader

        try:
            yield await self._sessions.blocking(session, open_reader)
        finally:
            for reader in opened:
                await self._sessions.thread(reader.close)


def _writes_all(statement: Any, taken: Taken) -> bool:
    """Whether it takes every answer, and keeps what comes of them."""
    return isinstance(statement, (exp.Create, exp.Insert)) and not taken.clauses
