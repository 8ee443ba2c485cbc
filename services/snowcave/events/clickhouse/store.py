"""The event table on a ClickHouse server: one insert at a time, of all appends that came meanwhile.

An append is acknowledged when the server says that its rows are written (to disk: the table asks for fsync).
Whenever that is not known, the next write begins with a new reign: register as the latest writer, which
stops whatever of the last one has not begun; see end what has; ask again what is stored. See `schema`.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pyarrow as pa
import structlog

from snowcave.events import once
from snowcave.events.appends import DOUBLED_ROWS, STORED_ROWS, Appends, Waiting
from snowcave.events.clickhouse import encoding, schema
from snowcave.events.clickhouse.schema import Tables
from snowcave.events.clickhouse.server import Refused, Server, open_server
from snowcave.events.intake import Incoming
from snowcave.events.rows import Frame, Mark, Marks
from snowcave.events.settings import EventsSettings
from snowcave.events.store import Lane, Scan, Tail
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model.errors import Unavailable

log = structlog.get_logger()

# Rows of one reign have positions below that of the next.
_REIGN_BITS = 40
# Sources in one question; they stand in its URL.
_ASKED = 50
_LOOK_AGAIN = 0.1


@dataclass(slots=True)
class _Reign:
    """Of one writer: nobody else has written since it began."""

    writer: str
    position: int
    inserts: int = 0
    # None: the source has nothing stored.
    marks: dict[str, Mark | None] = field(default_factory=dict[str, Mark | None])


class ClickHouseStore:
    """See `store.EventStore`. Made by `open_clickhouse_store`."""

    def __init__(self, server: Server, settings: EventsSettings, clock: Clock) -> None:
        self._server = server
        self._settings = settings
        self._own = settings.clickhouse
        self._clock = clock
        self._tables = Tables(self._own.database, self._own.prefix)
        self._appends = Appends(settings)
        self._preparing = asyncio.Lock()
        self._is_prepared = False
        self._reign: _Reign | None = None
        self._scans = asyncio.Semaphore(self._own.scans)

    async def append(self, rows: Incoming, lane: Lane) -> None:
        await self._appends.add(rows, lane)

    async def tail(self, known: Mapping[int, int]) -> Tail | None:
        del known
        return None

    async def scan(self, wish: Scan) -> AsyncIterator[pa.RecordBatch]:
        oldest = self._clock.now() - timedelta(seconds=self._settings.retention)
        query = self._tables.scan(wish, oldest, self._own.scan)
        async with _turn(self._scans, self._own.scan):
            await self._prepared()
            async for batch in self._server.stream(query):
                yield _readable(batch)

    # ------------------------------------------------------------ writing

    async def write_forever(self) -> None:
        while True:
            began = self._clock.monotonic()
            if waiting := await self._appends.next(self._own.insert_rows):
                await self._write(waiting)
            if (rest := began + self._own.insert_every - self._clock.monotonic()) > 0:
                await self._clock.sleep(rest)

    async def _write(self, waiting: list[Waiting]) -> None:
        try:
            async with asyncio.timeout(self._settings.append_deadline):
                await self._store(waiting)
        except (Unavailable, TimeoutError) as error:
            failure = error if isinstance(error, Unavailable) else _late()
            if isinstance(failure, Refused) and failure.number == schema.SUPERSEDED:
                log.warning("writer_superseded")
            log.warning("append_failed", error=failure.message)
            # What became of it is not known: the next reign asks.
            self._reign = None
            for one in waiting:
                one.fail(failure)
            return
        for one in waiting:
            one.succeed()

    async def _store(self, waiting: list[Waiting]) -> None:
        await self._prepared()
        if self._reign is None:
            self._reign = await self._begin()
        reign = self._reign
        appends = [one.rows for one in waiting]
        known = await self._marks(reign, {s for one in appends for s in one.sources if s})
        fresh = await asyncio.to_thread(once.select_new, appends, known)
        if fresh.frame is not None:
            await self._insert(reign, fresh.frame)
            STORED_ROWS.inc(fresh.frame.rows.num_rows)
        reign.marks.update(fresh.marks)
        DOUBLED_ROWS.inc(fresh.doubled)

    async def _insert(self, reign: _Reign, frame: Frame) -> None:
        body = await asyncio.to_thread(encoding.inserted, frame, reign.position)
        token = f"{reign.writer}-{reign.inserts}"
        deadline = self._settings.append_deadline
        query = self._tables.insert(reign.writer, token, deadline)
        count = frame.rows.num_rows
        written = await self._server.insert(query, body, deadline)
        if written < count:  # more where views of somebody's own stand on the table
            log.warning("insert_incomplete", rows=count, written=written)
            raise Unavailable("ClickHouse does not say that it has written all rows.")
        reign.position += count
        reign.inserts += 1

    async def _marks(self, reign: _Reign, sources: set[str]) -> Marks:
        """How far they are stored; what this reign has not met is asked for."""
        if len(reign.marks) + len(sources) > self._own.known_sources:
            reign.marks.clear()
        unknown = sorted(sources - reign.marks.keys())
        for at in range(0, len(unknown), _ASKED):
            asked = unknown[at : at + _ASKED]
            found = dict(await self._server.rows(self._tables.marks(asked)))
            reign.marks.update({one: _mark(found.get(one)) for one in asked})
        return {source: mark for source in sources if (mark := reign.marks[source])}

    async def _begin(self) -> _Reign:
        writer = uuid.uuid4().hex
        await self._server.command(self._tables.register(writer))
        # What begins from here on is refused; what has begun may still end well.
        while (await self._server.rows(self._tables.running_inserts()))[0][0]:
            await self._clock.sleep(_LOOK_AGAIN)
        epoch = int((await self._server.rows(self._tables.epoch(writer)))[0][0])
        if not epoch:
            raise Unavailable("ClickHouse does not know its writer.")
        log.info("writer_registered", epoch=epoch)
        return _Reign(writer, epoch << _REIGN_BITS)

    async def _prepared(self) -> None:
        """The tables are there."""
        async with self._preparing:
            if self._is_prepared:
                return
            tables, retention = self._tables, self._settings.retention
            for query in tables.create(retention):
                await self._server.command(query)
            described = await self._server.rows(tables.described())
            if described and (query := tables.keep_for(retention, str(described[0][0]))):
                await self._server.command(query)
            self._is_prepared = True


def _mark(found: object) -> Mark | None:
    if not isinstance(found, tuple):
        return None
    generation, offset = found
    # Rows without a source, and those that no mark came with, have an offset of -1.
    return (int(generation), int(offset)) if int(offset) >= 0 else None


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    try:
        return encoding.stored(batch)
    except (pa.ArrowException, KeyError) as error:
        raise Unavailable("ClickHouse gives an answer that cannot be read.") from error


def _late() -> Unavailable:
    return Unavailable("ClickHouse does not answer in time.")


@asynccontextmanager
async def _turn(turns: asyncio.Semaphore, patience: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(patience):
            await turns.acquire()
    except TimeoutError as error:
        raise Unavailable("Too many scans of the event table at once.") from error
    try:
        yield
    finally:
        turns.release()


@asynccontextmanager
async def open_clickhouse_store(
    settings: EventsSettings, clock: Clock
) -> AsyncGenerator[ClickHouseStore]:
    """Ready at once: appends and scans fail as long as the server is away. Raises SettingsInvalid."""
    async with open_server(settings.clickhouse) as server:
        store = ClickHouseStore(server, settings, clock)
        async with background(store.write_forever()):
            yield store
