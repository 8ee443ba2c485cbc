"""One statement from its text to its kept rows."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import Conflict, SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import columns, rewrite
from snowcave.warehouse.engine import bindings, explaining
from snowcave.warehouse.engine.api import Context, Outcome, Relation
from snowcave.warehouse.engine.failures import WriteConflict
from snowcave.warehouse.event_tables.scan import EventSource
from snowcave.warehouse.results.query_results import ResultStore
from snowcave.warehouse.service_functions import calls
from snowcave.warehouse.service_functions.dispatch import Dispatch, Prepared
from snowcave.warehouse.service_functions.settling import settle
from snowcave.warehouse.sessions import Session, Sessions
from snowcave.warehouse.settings import WarehouseSettings
from snowcave.warehouse.stages.pointing import Pointing

# Snowflake's statementTypeId.
_SELECT = 0x1000
# Seconds. What took no longer the last time is expected to be over at once.
_QUICK = 0.005


class Statements:
    def __init__(
        self,
        sessions: Sessions,
        results: ResultStore,
        events: EventSource,
        dispatch: Dispatch,
        stages: Pointing,
        settings: WarehouseSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._sessions = sessions
        self._results = results
        self._events = events
        self._dispatch = dispatch
        self._stages = stages
        self._settings = settings
        self._clock = clock
        self._rng = rng

    async def run(
        self, session: Session, request: pb.ExecuteRequest, context: Context
    ) -> pb.ExecuteReply:
        """Raises SnowcaveError. A query id that was answered already is not run again: whoever asked the
        first time may have died before it could tell its client, which then repeats its request.
        """
        async with self._sessions.taking_turn(session):
            if request.tentative and self._results.keeps(request.query_id):
                raise Conflict("The statement ran before.")
            if (known := await self._answered(request)) is not None:
                return known
            if (again := await self._repeated(session, request, context)) is not None:
                return again
            engine = session.engine
            statement = await self._sessions.thread(engine.parse, request.sql, context)
            relations = await self._relations(statement, context)
            if "@" in request.sql:
                relations += await self._sessions.thread(
                    self._stages.point, statement, request.stages
                )
            has_events = await self._see_events(session, statement, request.sql, context)
            if request.describe_only:
                await self._settle(session, statement, request, context, relations)
                for call in calls.find(statement, request.functions):
                    calls.replace_by_null(call)
                described = await self._sessions.thread(
                    engine.describe, statement, context, relations
                )
                return _described(described, context)
            lasting = _may_last(request) and not relations and not has_events
            given, bound = _bound(statement, request)
            relations += bound
            async with self._prepared(session, statement, request, context, relations) as prepared:
                return await self._execute(session, prepared, request, given, context, lasting)

    async def _repeated(
        self, session: Session, request: pb.ExecuteRequest, context: Context
    ) -> pb.ExecuteReply | None:
        engine = session.engine
        seconds = engine.remembers(request.sql, context) if _may_last(request) else None
        if seconds is None:
            return None

        def repeat() -> pb.ExecuteReply | None:
            outcome = engine.repeat(request.sql, context)
            return self._told(request, outcome, context) if outcome else None

        return await self._sessions.blocking(session, repeat, is_quick=seconds < _QUICK)

    async def _answered(self, request: pb.ExecuteRequest) -> pb.ExecuteReply | None:
        if request.describe_only or not self._results.may_have_answered(request.query_id):
            return None
        return await self._sessions.thread(self._results.answered, request.query_id)

    def _told(
        self, request: pb.ExecuteRequest, outcome: Outcome, context: Context
    ) -> pb.ExecuteReply:
        """The reply, kept in the same breath as the statement: cancelling hits either both or neither."""
        reply = pb.ExecuteReply(
            columns=outcome.columns,
            rows=outcome.table.num_rows,
            statement_type=outcome.statement_type,
            rows_affected=outcome.rows_affected,
            database=outcome.database,
            schema=outcome.schema,
            made=outcome.made,
        )
        if request.query_id:
            self._results.put(
                request.query_id,
                outcome.columns,
                outcome.table,
                reply,
                owner=context.user_uid,
                tentative=request.tentative,
            )
        inline = outcome.table.nbytes <= self._settings.results.inline_bytes
        if inline and not reply.arrow_stream:
            reply.arrow_stream = columns.to_stream(outcome.table)
        return reply

    @asynccontextmanager
    async def _prepared(
        self,
        session: Session,
        statement: Any,
        request: pb.ExecuteRequest,
        context: Context,
        relations: Sequence[Relation],
    ) -> AsyncGenerator[Prepared]:
        functions, origin = list(request.functions), statement.meta
        await self._settle(session, statement, request, context, relations)
        async with self._dispatch.prepared(
            session,
            statement,
            functions,
            request.query_id,
            replace(context, statement=request.sql),
            relations,
        ) as prepared:
            # What was made of it for its calls stands for the same text when rights are looked at again.
            prepared.statement.meta.update(origin)
            yield prepared

    async def _settle(
        self,
        session: Session,
        statement: Any,
        request: pb.ExecuteRequest,
        context: Context,
        relations: Sequence[Relation],
    ) -> None:
        functions = list(request.functions)
        if functions:
            meant = explaining.explained(statement)
            await settle(self._sessions, session, meant, functions, context, relations)

    async def _execute(
        self,
        session: Session,
        prepared: Prepared,
        request: pb.ExecuteRequest,
        given: Sequence[pb.Binding],
        context: Context,
        lasting: bool,
    ) -> pb.ExecuteReply:
        """A statement that lost to a concurrent write did nothing, so it is run again for a while."""
        pauses = backoff(self._rng, base=0.01, cap=0.5)
        for attempt in range(self._settings.engine.conflict_retries + 1):
            try:
                return await self._sessions.blocking(
                    session,
                    lambda: self._told(
                        request,
                        session.engine.execute(
                            prepared.statement.copy(),
                            context,
                            bindings=given,
                            relations=prepared.relations,
                            functions=prepared.functions,
                            lasting=lasting,
                        ),
                        context,
                    ),
                    prepared.cancel,
                )
            except WriteConflict:
                last = attempt == self._settings.engine.conflict_retries
                if last or session.engine.in_transaction or prepared.functions:
                    raise
            except SnowcaveError as error:
                if prepared.error is None:
                    raise
                raise prepared.error from error
            await self._clock.sleep(next(pauses))
        raise AssertionError("unreachable")

    async def _relations(self, statement: Any, context: Context) -> list[Relation]:
        """As documented, who ran a statement reads its result again and nobody else, whatever the role."""
        relations: list[Relation] = []
        for name, query_id in rewrite.take_result_scans(statement).items():
            kept, table = await self._sessions.thread(
                partial(self._results.get, query_id, user=context.user_uid)
            )
            variants = frozenset(c.name for c in kept if c.type in ("variant", "object", "array"))
            relations.append(Relation(name, table, variants))
        return relations

    async def _see_events(
        self, session: Session, statement: Any, sql: str, context: Context
    ) -> bool:
        """Whether the statement reads the event table, which is now as of now."""
        engine = session.engine
        if await self._sessions.thread(engine.reads_event_table, statement, sql, context):
            bounds = await self._sessions.thread(engine.event_bounds, statement, context)
            moment = await self._events.now(bounds)
            await self._sessions.thread(engine.point_event_table, moment)
            return True
        return False


def _bound(
    statement: Any, request: pb.ExecuteRequest
) -> tuple[Sequence[pb.Binding], list[Relation]]:
    """What is left to be bound, and where the rest of it stands.

    A statement that calls service functions is taken apart, so its bindings are put into it before.
    """
    given, functions = request.bindings, list(request.functions)
    if not given or not calls.find(statement, functions):
        return given, []
    if not bindings.is_array(given):
        bindings.inline(statement, bindings.values(given))
        return (), []
    if isinstance(statement, explaining.Explain):
        return given, []  # which says that this is not supported
    bindings.spread(statement, bindings.RELATION)
    return (), [Relation(bindings.RELATION, bindings.rows(given))]


def _may_last(request: pb.ExecuteRequest) -> bool:
    """Whether the text and the context are all that makes the statement."""
    return not (request.describe_only or request.bindings or request.functions or request.stages)


def _described(described: Sequence[pb.ColumnType], context: Context) -> pb.ExecuteReply:
    return pb.ExecuteReply(
        columns=described,
        statement_type=_SELECT,
        database=context.database,
        schema=context.schema,
        arrow_stream=columns.to_stream(pa.table({})),
    )
