"""Open sessions: one statement at a time in each, on a bounded number of threads."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import structlog

from snowcave.kit.tasks import until_done
from snowcave.model.errors import (
    Exhausted,
    Kind,
    QueryCancelled,
    RemoteError,
    StatementTimeout,
)
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine import failures
from snowcave.warehouse.engine.api import EngineSession, SqlEngine
from snowcave.warehouse.engine.lane import Lane
from snowcave.warehouse.service_functions.tally import Tally
from snowcave.warehouse.settings import WarehouseSettings

log = structlog.get_logger()

T = TypeVar("T")


class Run:
    """A statement and the task that runs it, which may be its caller's own."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self._task = task
        self.is_cancelled = False
        # Of its calls of service functions.
        self.tally = Tally()

    def cancel(self) -> None:
        if self._task is not None and not self.is_cancelled:
            self.is_cancelled = True
            self._task.cancel()

    def take_back(self) -> bool:
        """Whether it was cancelled here and by nobody else: then the task itself goes on."""
        return self.is_cancelled and self._task is not None and self._task.uncancel() == 0


class Session:
    """One client's connection and its turn-taking."""

    def __init__(self, number: int, engine: EngineSession) -> None:
        self.number = number
        self.engine = engine
        self.turn = asyncio.Lock()
        self.waiting = 0
        # By query id, for Cancel.
        self.running: dict[str, Run] = {}

    def interrupt(self) -> None:
        """Cancel everything that it runs."""
        for run in list(self.running.values()):
            run.cancel()


class Sessions:
    """Owns the engine's threads. Enter before use; leaving interrupts what still runs."""

    def __init__(self, engine: SqlEngine, settings: WarehouseSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._open: dict[int, Session] = {}
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._pool = ThreadPoolExecutor(settings.engine.threads, thread_name_prefix="sql")
        self._lane: Lane

    async def __aenter__(self) -> "Sessions":
        self._lane = Lane(self._pool)
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in list(self._open.values()):
            session.interrupt()
        for number in list(self._open):
            await self.close(number)
        if self._closing:
            await asyncio.wait(self._closing)
        self._lane.close()
        self._pool.shutdown(wait=False)

    @property
    def count(self) -> int:
        return len(self._open)

    async def get(self, number: int) -> Session:
        """The session, opened where it is not: the warehouse may have started again meanwhile."""
        async with self._opening:
            if (session := self._open.pop(number, None)) is None:
                if len(self._open) >= self._settings.max_sessions:
                    await self.close(self._least_used())
                engine = await self.thread(self._engine.open_session, number)
                session = Session(number, engine)
            self._open[number] = session  # the last in order is the one used last
            return session

    def _least_used(self) -> int:
        """A client that went away without a word leaves its session behind. Raises Exhausted."""
        for number, session in self._open.items():
            if not (session.turn.locked() or session.running or session.engine.in_transaction):
                return number
        raise Exhausted("Too many sessions are open in the warehouse.")

    async def close(self, number: int) -> None:
        """What the session runs is cancelled: its client is gone. It ends also where nobody waits."""
        session = self._open.pop(number, None)
        if session is not None:
            session.interrupt()
            closing = asyncio.create_task(self._end(session))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)

    async def _end(self, session: Session) -> None:
        async with session.turn:
            await self.surely(session.engine.close)

    def progress(self, number: int, query_id: str) -> pb.ProgressReply:
        """Of the service functions of a statement, see `Tally`; zero where it does not run."""
        session = self._open.get(number)
        run = session.running.get(query_id) if session else None
        if run is None:
            return pb.ProgressReply()
        said = run.tally.total()
        return pb.ProgressReply(
            rows=said.rows, batches=said.batches, retries=said.retries, hedges=said.hedges
        )

    def cancel(self, number: int, query_id: str) -> bool:
        """Whether it ran."""
        session = self._open.get(number)
        run = session.running.get(query_id) if session else None
        if run is None:
            return False
        run.cancel()
        return True

    @asynccontextmanager
    async def taking_turn(self, session: Session) -> AsyncGenerator[None]:
        if session.waiting >= self._settings.max_waiting:
            raise Exhausted("Too many statements wait in this session.")
        session.waiting += 1
        try:
            await session.turn.acquire()
        finally:
            session.waiting -= 1
        try:
            yield
        finally:
            session.turn.release()

    async def thread(self, call: Callable[..., T], *args: Any) -> T:
        """Run a blocking call on the engine's threads; foreign errors come back translated.

        Cancelling waits until it has ended: nobody else may use meanwhile what it uses.
        """
        running = self._pool.submit(_told, call, args)
        future = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not running.cancel():
                await until_done(future)
            raise

    async def surely(self, call: Callable[[], T]) -> T:
        """Like `thread`, for what must not be left out: cancelling waits also where it has not begun."""
        future = asyncio.wrap_future(self._pool.submit(_told, call, ()))
        await until_done(future)
        return future.result()

    async def blocking(
        self,
        session: Session,
        call: Callable[[], T],
        on_cancel: Callable[[], None] = lambda: None,
        *,
        is_quick: bool = False,
    ) -> T:
        """Like `thread`, for a session's statement: cancelling interrupts it and waits until it has ended.

        `is_quick`: it will be over at once, as far as anybody knows.
        """
        future = self._lane.submit(partial(_told, call, ()), is_quick=is_quick)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            on_cancel()
            # An interrupt between two of the statement's steps hits nothing, so it is repeated.
            every = self._settings.engine.interrupt_every
            try:
                await until_done(future, session.engine.interrupt, every)
            finally:
                future.exception()
            raise


def _told(call: Callable[..., T], args: tuple[Any, ...]) -> T:
    try:
        return call(*args)
    except Exception as error:
        if failures.is_defect(error):
            log.exception("statement_broke")
        raise failures.translated(error) from error


async def watched(
    session: Session, query_id: str, limit: float, work: Callable[[], Awaitable[T]]
) -> T:
    """Run `work` where Cancel can find it, for at most `limit` seconds.

    Raises QueryCancelled, StatementTimeout, or what the work raised.
    """
    if query_id in session.running:
        raise RemoteError(Kind.EXISTS, 370001, "XX000", f"Query {query_id} is already running.")
    run = session.running[query_id] = Run(asyncio.current_task())
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            return await work()
    except TimeoutError as error:
        raise (StatementTimeout(limit) if deadline.expired() else error) from error
    except asyncio.CancelledError:
        if run.take_back():
            raise QueryCancelled from None
        raise
    finally:
        session.running.pop(query_id, None)
