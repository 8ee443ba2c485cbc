"""The life of a statement: taken in once, run as a task of its own, awaited, cancelled, remembered.

A repeated request finds its first run by the query id, which is made from the session and the client's
request id. No client waits for longer than `hold`; it asks again by query id, of any replica.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import structlog

from snowcave.api.contract import StatementRunner
from snowcave.api.queries.answer import Answer, Failure, InProgress, Internal, Outcome
from snowcave.api.queries.answering import Answering
from snowcave.api.queries.attending import Attending
from snowcave.api.queries.ending import write_end
from snowcave.api.queries.metrics import count_end
from snowcave.api.queries.places import Place
from snowcave.api.queries.records import Records
from snowcave.api.queries.statement import Running, Seen, Statement
from snowcave.api.queries.tentative import Outdated
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

log = structlog.get_logger()


class Queries:
    """Made by `open_queries`, which owns the tasks."""

    def __init__(
        self,
        answering: Answering,
        records: Records,
        settings: QuerySettings,
        rng: random.Random,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._answering = answering
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

    def remembered(self, session: int) -> Seen | None:
        """The session as this replica wrote it last; another one may have written it since."""
        return self._records.remembered.get(session)

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
        running = Running(statement, record, statement.handle())
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
        attending = Attending(running, self._records, self._settings, self._tasks)
        # The task is its own, and so are its variables.
        structlog.contextvars.bind_contextvars(query_id=running.id)
        try:
            with attending:
                running.outcome = await self._outcome(running)
        finally:
            self._running.pop(running.id, None)
            if isinstance(running.outcome, Answer | Failure):
                self._recent[running.id] = running
            if len(self._recent) > self._settings.recent:
                self._recent.popitem(last=False)
            count_end(running.outcome)
            running.finished.set()

    async def _outcome(self, running: Running) -> Outcome:
        try:
            return await self._ended(running)
        except Outdated:
            return await self._anew(running)

    async def _anew(self, running: Running) -> Outcome:
        """Of a tentative one, where what it took for granted did not hold."""
        confirm = running.statement.confirm
        assert confirm is not None
        running.ending = True
        try:
            found = await confirm()
        except SnowcaveError as error:
            return Failure(running.id, error)
        if (reason := running.reason or running.late) is not None:
            return Failure(running.id, reason)
        if not isinstance(found, Statement):
            return found
        running.statement = found
        running.ending = False
        return await self._outcome(running)

    async def _ended(self, running: Running) -> Answer | Failure:
        found = await self._attempt(running)
        running.ending = True
        if running.reason is not None:
            await self._answering.call_off(running)
        within = self._settings.record_within
        return await write_end(self._records, running, found, within=within)

    async def _attempt(self, running: Running) -> Answer | Failure:
        if running.reason is not None:
            return Failure(running.id, running.reason)
        deadline = asyncio.timeout(running.statement.timeout or None)
        try:
            async with deadline, Place(self._slots) as place:
                running.handle.aside = place.aside
                return await self._answering.answer(running)
        except TimeoutError:
            if not deadline.expired():
                raise
            running.reason = StatementTimeout(running.statement.timeout)
            running.handle.cancelled.set()
            return Failure(running.id, running.reason)
        except SnowcaveError as error:
            return Failure(running.id, running.reason or error)
        except Outdated:
            raise
        except asyncio.CancelledError:
            if running.reason is None:
                raise
            return Failure(running.id, running.reason)
        except Exception:
            log.exception("query_failed_unexpectedly")
            return Failure(running.id, Internal(ids.token(self._rng, 64)))


@asynccontextmanager
async def open_queries(
    runner: StatementRunner,
    warehouse: Warehouse,
    records: Records,
    settings: QuerySettings,
    rng: random.Random,
) -> AsyncGenerator[Queries]:
    """Left when no statement runs any more."""
    answering = Answering(runner, warehouse, settings, rng)
    async with asyncio.TaskGroup() as tasks:
        queries = Queries(answering, records, settings, rng, tasks)
        try:
            yield queries
        finally:
            await queries.stop()
