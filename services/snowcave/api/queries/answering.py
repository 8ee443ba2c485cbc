"""From a statement to its answer: by api itself, or by the warehouse."""

import random
from dataclasses import replace

import pyarrow as pa
import structlog

from snowcave.api.contract import (
    OTHER_STATEMENT,
    SELECT_STATEMENT,
    Done,
    QueryHandle,
    StatementRunner,
    ToWarehouse,
)
from snowcave.api.queries import dml, encoding, pipes, rows
from snowcave.api.queries.answer import Answer
from snowcave.api.queries.statement import Running, Statement
from snowcave.api.queries.tentative import Outdated
from snowcave.api.settings import QuerySettings
from snowcave.api.warehouse import Warehouse
from snowcave.kit import ids
from snowcave.model.errors import Kind, SnowcaveError, Unsupported
from snowcave.v1 import warehouse_pb2 as warehouse

log = structlog.get_logger()


class Answering:
    """Knows nothing of the life of a statement: it may be cancelled at any await."""

    def __init__(
        self,
        runner: StatementRunner,
        warehouse: Warehouse,
        settings: QuerySettings,
        rng: random.Random,
    ) -> None:
        self._runner = runner
        self._warehouse = warehouse
        self._settings = settings
        self._rng = rng

    async def answer(self, running: Running) -> Answer:
        """Raises SnowcaveError, and Outdated where a tentative one is not for running twice."""
        statement = running.statement
        if statement.parsed is not None:
            return await self._step(statement, running.handle)
        parts = pipes.steps(statement.sql)
        if len(parts) == 1:
            return await self._step(statement, running.handle)
        earlier: list[str] = []
        bound = pipes.shared(parts, statement.bindings)
        # Each but the last one under an id of its own, by which the next ones read its result.
        for part, bindings in zip(parts[:-1], bound, strict=False):
            running.step = ids.query_id(self._rng)
            answer = await self._part(running, statement, pipes.pointed(part, earlier), bindings)
            if answer.transfer is not None:
                raise Unsupported("PUT or GET in a chain of statements")
            statement = replace(statement, context=answer.context)
            earlier.append(running.step)
        running.step = running.id
        return await self._part(running, statement, pipes.pointed(parts[-1], earlier), bound[-1])

    async def _part(
        self, running: Running, statement: Statement, sql: str, bindings: pipes.Bound
    ) -> Answer:
        """One of a chain, under the id that is `running.step`."""
        query_id = running.step
        step = replace(statement, query_id=query_id, sql=sql, bindings=bindings)
        return await self._step(
            step, replace(running.handle, query_id=query_id, bindings=bindings)
        )

    async def _step(self, statement: Statement, handle: QueryHandle) -> Answer:
        context = statement.context.copy()
        if statement.parsed is not None:
            done = await self._runner.perform(statement.parsed, context, handle)
            return await self._own(statement, done)
        outcome = await self._runner.run(statement.sql, context, handle)
        match outcome:
            case Done():
                return await self._own(statement, outcome)
            case ToWarehouse():
                return await self._ordinary(statement, outcome)

    async def _asked(
        self, statement: Statement, ordinary: ToWarehouse, binds: int
    ) -> warehouse.ExecuteReply:
        if statement.is_tentative and ordinary.functions:
            raise Outdated
        try:
            return await self._warehouse.execute(
                ordinary,
                statement.query_id,
                bindings=ordinary.bindings or dml.unbound(binds),
                timeout=statement.timeout,
                describe_only=statement.describe_only,
                tentative=statement.is_tentative,
            )
        except SnowcaveError as error:
            if statement.is_tentative and error.kind is Kind.CONFLICT:
                raise Outdated from error
            raise

    async def call_off(self, running: Running) -> None:
        """Of a statement that was cancelled: the warehouse may be at it still."""
        try:
            session = running.statement.context.session_id
            await self._warehouse.cancel(session, running.step or running.id)
        except SnowcaveError as error:
            log.info("warehouse_not_told", error=error.message)

    async def _own(self, statement: Statement, done: Done) -> Answer:
        columns = [rows.column_type(one) for one in done.rows.columns]
        table = rows.table(done.rows)
        few = table.num_rows <= self._settings.keep_rows
        if few and done.transfer is None and not done.rows.secret:
            try:
                await self._warehouse.keep(statement.context, statement.query_id, columns, table)
            except SnowcaveError as error:
                # The client has its rows all the same; only RESULT_SCAN will miss them.
                log.info("result_not_kept", error=error.message)
        return Answer(
            query_id=statement.query_id,
            context=statement.context if statement.apart else done.context,
            columns=columns,
            table=table,
            total=table.num_rows,
            statement_type=_type_of(done),
            transfer=done.transfer,
        )

    async def _ordinary(self, statement: Statement, ordinary: ToWarehouse) -> Answer:
        if statement.describe_only and (kind := dml.statement_type(ordinary.sql)):
            return _described_dml(statement.query_id, ordinary, kind)
        binds = dml.placeholders(ordinary.sql) if statement.describe_only else 0
        reply = await self._asked(statement, ordinary, binds)
        if reply.made:
            await ordinary.made(reply.made)
        context = ordinary.context
        context.database, context.schema = reply.database, reply.schema
        if reply.rows and not reply.arrow_stream:
            fetched = await self._warehouse.fetch(
                statement.query_id, 0, self._settings.inline_rows
            )
            table = fetched.table
        else:
            table = encoding.read_stream(reply.arrow_stream)
        columns, table = dml.counted(reply, table)
        total = max(reply.rows, table.num_rows)
        return Answer(
            query_id=statement.query_id,
            context=context,
            columns=columns,
            table=table,
            total=total,
            statement_type=reply.statement_type,
            chunk_secret=ids.token(self._rng) if total > table.num_rows else "",
            binds=binds,
        )


def _described_dml(query_id: str, ordinary: ToWarehouse, kind: int) -> Answer:
    """A client asks before it binds arrays; running nothing, the warehouse could not say more."""
    column = dml.count_column(kind)
    return Answer(
        query_id=query_id,
        context=ordinary.context,
        columns=[column],
        table=pa.table({column.name: pa.array([], pa.int64())}),
        statement_type=kind,
        binds=dml.placeholders(ordinary.sql),
        array_binds=kind == dml.INSERT,
    )


def _type_of(done: Done) -> int:
    """A listing counts as a query: v5 takes its row count from nothing else."""
    names = [column.name for column in done.rows.columns]
    if done.statement_type == OTHER_STATEMENT and names != ["status"]:
        return SELECT_STATEMENT
    return done.statement_type
