"""The life of a statement: taken in once, run as a task of its own, awaited, cancelled, remembered.

A repeated request finds its first run by the query id, which is made from the session and the
client's request id. No client waits for longer than `hold`; it asks again by query id, of any replica.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pyarrow as pa
import structlog

from snowcave.api.contract import (
    OTHER_STATEMENT,
    SELECT_STATEMENT,
    Done,
    QueryHandle,
    SessionContext,
    StatementRunner,
    ToWarehouse,
)
from snowcave.api.queries import dml, encoding, rows
from snowcave.api.queries.answer import Answer, Failure, InProgress, Outcome
from snowcave.api.queries.records import Ending, Records, State
from snowcave.api.settings import QuerySettings
from snowcave.api.warehouse import Warehouse
from snowcave.kit import ids
from snowcave.model.errors import (
    Exhausted,
    QueryCancelled,
    SnowcaveError,
    StatementTimeout,
    Unavailable,
)
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse_v1

log = structlog.get_logger()


@dataclass(frozen=True)
class Statement:
    """One statement as a client sent it."""

    query_id: str
    sql: str
    context: SessionContext
    # Seconds.
    timeout: float
    request_id: str = ""
    bindings: tuple[warehouse_v1.Binding, ...] = ()
    describe_only: bool = False


@dataclass(eq=False)
class Running:
    statement: Statement
    record: state.Query
    handle: QueryHandle
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Answer | Failure | None = None
    # Why it is being ended, once somebody wants that.
    reason: SnowcaveError | None = None
    task: asyncio.Task[None] | None = None
    # A task that is cancelled before its first step never runs at all, so until then only `reason` is set.
    started: bool = False
    # Set when the end is being written: from then on nothing may interrupt it.
    ending: bool = False

    @property
    def id(self) -> str:
        return self.statement.query_id

    def interrupt(self, reason: SnowcaveError) -> None:
        if self.ending or self.reason:
            return
        self.reason = reason
        self.handle.cancelled.set()
        if self.started and self.task is not None:
            self.task.cancel()


class Place:
    """One statement's place among those that run."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._held = False

    async def __aenter__(self) -> "Place":
        await self._slots.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_failure: object) -> None:
        self._give_up()

    @asynccontextmanager
    async def aside(self) -> AsyncGenerator[None]:
        """Gives the place to others; what fails in between does not wait to get it back."""
        self._give_up()
        yield
        await self.__aenter__()

    def _give_up(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


class Queries:
    """Made by `open_queries`, which owns the tasks."""

    def __init__(
        self,
        runner: StatementRunner,
        warehouse: Warehouse,
        records: Records,
        settings: QuerySettings,
        rng: random.Random,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._runner = runner
        self._warehouse = warehouse
        self._records = records
        self._settings = settings
        self._rng = rng
        self._tasks = tasks
        self._running: dict[str, Running] = {}
        self._recent: OrderedDict[str, Running] = OrderedDict()
        self._slots = asyncio.Semaphore(settings.running)
        self._stopping = False

    def get(self, query_id: str) -> Running | None:
        """A statement that this replica runs, or ran a moment ago."""
        return self._running.get(query_id) or self._recent.get(query_id)

    def running(self) -> list[Running]:
        return list(self._running.values())

    async def submit(self, statement: Statement, *, recorded: bool = False) -> Running:
        """Takes it in, once. `recorded`: other replicas know of it before this returns.

        Raises Exhausted, Unavailable.
        """
        known = self.get(statement.query_id)
        if known is not None:
            return known
        if self._stopping:
            raise Unavailable("The server is stopping.")
        if len(self._running) >= self._settings.running + self._settings.waiting:
            raise Exhausted("Too many statements are running. Try again later.")
        record = self._records.new(
            statement.query_id, statement.context, statement.sql, statement.request_id
        )
        handle = QueryHandle(
            statement.query_id, statement.timeout, statement.bindings, statement.describe_only
        )
        running = Running(statement, record, handle)
        self._running[running.id] = running
        if recorded:
            try:
                await self._records.started(record)
            except BaseException:
                self._running.pop(running.id, None)
                raise
        running.task = self._tasks.create_task(self._drive(running))
        return running

    async def wait(self, running: Running) -> Outcome:
        """Its outcome, or InProgress where it takes longer than a client may be kept waiting."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.hold):
                await running.finished.wait()
        return running.outcome or InProgress(running.id)

    async def cancel(self, query_id: str) -> bool:
        """Wherever it runs. Whether it was running."""
        running = self._running.get(query_id)
        if running is None:
            return await self._records.request_cancel(query_id)
        running.interrupt(QueryCancelled())
        return True

    def cancel_session(self, session: int) -> None:
        for running in self.running():
            if running.statement.context.session_id == session:
                running.interrupt(QueryCancelled())

    async def stop(self) -> None:
        """Lets what runs end within the drain time, then ends it."""
        self._stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain):
                await asyncio.gather(*(one.finished.wait() for one in self.running()))
        for running in self.running():
            running.interrupt(Unavailable("The server is stopping."))

    async def _drive(self, running: Running) -> None:
        running.started = True
        attending = self._tasks.create_task(self._attend(running))
        with structlog.contextvars.bound_contextvars(query_id=running.id):
            try:
                running.outcome = await self._outcome(running)
            finally:
                attending.cancel()
                self._running.pop(running.id, None)
                self._recent[running.id] = running
                if len(self._recent) > self._settings.recent:
                    self._recent.popitem(last=False)
                running.finished.set()

    async def _outcome(self, running: Running) -> Answer | Failure:
        found = await self._attempt(running)
        running.ending = True
        if running.reason is not None:
            await self._tell_warehouse(running)
        before = running.statement.context
        after = found.context if isinstance(found, Answer) else before
        changed = _changed(before, after)
        try:
            # Only what changed the session has not happened before the store knows.
            async with asyncio.timeout(None if changed else self._settings.record_within):
                await self._records.ended(
                    running.record, _ending(found, running.reason), before, after
                )
        except (SnowcaveError, TimeoutError) as error:
            log.warning("query_end_not_recorded", error=str(error))
            if changed and isinstance(error, SnowcaveError):
                return Failure(running.id, error)
        return found

    async def _attempt(self, running: Running) -> Answer | Failure:
        if running.reason is not None:
            return Failure(running.id, running.reason)
        deadline = asyncio.timeout(running.statement.timeout or None)
        try:
            async with deadline, Place(self._slots) as place:
                running.handle.aside = place.aside
                return await self._run(running)
        except TimeoutError:
            if not deadline.expired():
                raise
            running.reason = StatementTimeout(running.statement.timeout)
            running.handle.cancelled.set()
            return Failure(running.id, running.reason)
        except SnowcaveError as error:
            return Failure(running.id, running.reason or error)
        except asyncio.CancelledError:
            if running.reason is None:
                raise
            return Failure(running.id, running.reason)
        except Exception:
            log.exception("query_failed_unexpectedly")
            incident = ids.token(self._rng, 64)
            return Failure(running.id, Internal(incident))

    async def _run(self, running: Running) -> Answer:
        statement = running.statement
        outcome = await self._runner.run(statement.sql, statement.context.copy(), running.handle)
        match outcome:
            case Done():
                return await self._own(running, outcome)
            case ToWarehouse():
                return await self._ordinary(running, outcome)

    async def _own(self, running: Running, done: Done) -> Answer:
        total = len(done.rows.rows)
        if total <= self._settings.keep_rows and done.transfer is None and not done.rows.secret:
            session = running.statement.context.session_id
            try:
                await self._warehouse.keep(session, running.id, done.rows)
            except SnowcaveError as error:
                # The client has its rows all the same; only RESULT_SCAN will miss them.
                log.info("result_not_kept", error=error.message)
        return Answer(
            query_id=running.id,
            context=done.context,
            columns=[rows.column_type(one) for one in done.rows.columns],
            table=rows.table(done.rows),
            total=total,
            statement_type=_type_of(done),
            transfer=done.transfer,
        )

    async def _ordinary(self, running: Running, ordinary: ToWarehouse) -> Answer:
        statement = running.statement
        if statement.describe_only and (kind := dml.statement_type(ordinary.sql)):
            return _described_dml(running.id, ordinary, kind)
        binds = dml.placeholders(ordinary.sql) if statement.describe_only else 0
        reply = await self._warehouse.execute(
            ordinary,
            running.id,
            bindings=ordinary.bindings or dml.unbound(binds),
            timeout=statement.timeout,
            describe_only=statement.describe_only,
        )
        context = ordinary.context
        context.database, context.schema = reply.database, reply.schema
        if reply.rows and not reply.arrow_stream:
            fetched = await self._warehouse.fetch(running.id, 0, self._settings.inline_rows)
            table = fetched.table
        else:
            table = encoding.read_stream(reply.arrow_stream)
        columns, table = dml.counted(reply, table)
        total = max(reply.rows, table.num_rows)
        return Answer(
            query_id=running.id,
            context=context,
            columns=columns,
            table=table,
            total=total,
            statement_type=reply.statement_type,
            chunk_secret=ids.token(self._rng) if total > table.num_rows else "",
            binds=binds,
        )

    async def _attend(self, running: Running) -> None:
        """Once it takes long: its record, and a look at whether another replica wants it ended."""
        await asyncio.sleep(self._settings.record_after)
        try:
            await self._records.started(running.record)
            while True:
                await asyncio.sleep(self._settings.look)
                record = await self._records.get(running.id)
                if record is not None and record.cancel_requested:
                    running.interrupt(QueryCancelled())
                    return
        except SnowcaveError as error:
            log.warning("query_not_attended", query_id=running.id, error=error.message)

    async def _tell_warehouse(self, running: Running) -> None:
        try:
            await self._warehouse.cancel(running.statement.context.session_id, running.id)
        except SnowcaveError as error:
            log.info("warehouse_not_told", error=error.message)


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


class Internal(SnowcaveError):
    """A bug of ours; the log has its traceback beside the incident's number."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"SQL execution internal error: incident {incident}.")


def _ending(found: Answer | Failure, reason: SnowcaveError | None) -> Ending:
    if isinstance(found, Failure):
        aborted = isinstance(reason, QueryCancelled)
        return Ending(State.ABORTED if aborted else State.FAILED_WITH_ERROR, found.error)
    return Ending(
        State.SUCCESS,
        rows=found.total,
        statement_type=found.statement_type,
        has_result=True,
        chunk_secret=found.chunk_secret,
    )


def _type_of(done: Done) -> int:
    """A listing counts as a query: v5 takes its row count from nothing else."""
    names = [column.name for column in done.rows.columns]
    if done.statement_type == OTHER_STATEMENT and names != ["status"]:
        return SELECT_STATEMENT
    return done.statement_type


def _changed(before: SessionContext, after: SessionContext) -> bool:
    names = ("role", "warehouse", "database", "schema", "secondary_roles", "parameters")
    return any(getattr(before, name) != getattr(after, name) for name in names)


@asynccontextmanager
async def open_queries(
    runner: StatementRunner,
    warehouse: Warehouse,
    records: Records,
    settings: QuerySettings,
    rng: random.Random,
) -> AsyncGenerator[Queries]:
    """Left when no statement runs any more."""
    async with asyncio.TaskGroup() as tasks:
        queries = Queries(runner, warehouse, records, settings, rng, tasks)
        try:
            yield queries
        finally:
            await queries.stop()
