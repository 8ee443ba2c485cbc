"""Sends what containers write to the event table: read, send, wait for the acknowledgement, remember.

While the events daemon is away nothing is read: the log files themselves are the spool. A batch that
is sent again carries the same keys (run, generation, offset), so a row is stored once.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import prometheus_client
import structlog

from snowcave.agent.engine.api import Container
from snowcave.agent.logs.allowance import Allowance
from snowcave.agent.logs.ledger import Entry, Ledger
from snowcave.agent.logs.reader import LogReader
from snowcave.agent.logs.rows import Columns
from snowcave.agent.logs.source import LOST_FILES, Reached, Source
from snowcave.agent.refusals import Parts, is_for_good, rows_of
from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background, seen_through
from snowcave.model.errors import SnowcaveError, Unavailable
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

REFUSED_LINES = prometheus_client.Counter(
    "snowcave_agent_refused_lines", "Passed over, as the event table refuses them for good."
)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Seconds, but for the sizes."""

    # Between two looks at the files where nothing came.
    idle: float = 0.15
    # Rows of one batch; at 16 KiB each it stays below gRPC's limit for a message.
    batch: int = 2000
    # Rows from one container in one batch, so that a loud one leaves room for the others.
    share: int = 1000
    # For an acknowledgement, which comes after an fsync.
    acknowledge: float = 30.0
    retry_cap: float = 5.0
    # Files of removed containers, and rotated ones that were not read yet. Beyond it the newest are given up.
    spool_bytes: int = 1 << 30
    # Between two looks for files that were rotated.
    hold_check: float = 0.5
    # Of one batch, for good, each with a search for the lines at fault; after it what is refused goes whole.
    refusals: int = 64
    # What is collected of what the node's containers write in a second: 1 MB, as documented. 0: all.
    bytes_per_second: int = 1_000_000


class Collector(Protocol):
    """The events daemon as the shipper sees it: EventServiceStub.Append, errors translated."""

    def append(
        self, requests: AsyncIterator[events.AppendRequest]
    ) -> AsyncIterator[events.AppendReply]: ...


@dataclass(frozen=True, slots=True)
class _Batch:
    parts: Parts
    reached: dict[str, Reached]
    # Runs of which nothing more will come.
    over: list[str]


class Shipper:
    """Made by `open_shipper`."""

    def __init__(
        self,
        ledger: Ledger,
        collector: Collector,
        describe: Callable[[state.Assignment, Container], events.Resource],
        settings: LogSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._ledger = ledger
        self._collector = collector
        self._describe = describe
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._sequence = 0
        self._acknowledged_sequence = 0
        self._allowance = Allowance(settings.bytes_per_second)
        self._looked_at = ""
        # Read, and not known to be stored.
        self._pending: _Batch | None = None
        # Readers and entries are used by one thread at a time.
        self._reading = asyncio.Lock()
        self._sources = {
            entry.run: Source(entry, self._reader(entry), set(entry.broken))
            for entry in ledger.load()
        }

    def follow(self, want: state.Assignment, container: Container) -> None:
        """Harmless where it is followed already."""
        if container.id in self._sources or container.log_path is None:
            return
        if container.started_at is None:
            return
        entry = Entry(
            run=container.id,
            path=container.log_path,
            resource=self._describe(want, container),
            log_level=want.spec.log_level or "INFO",
        )
        self._ledger.save(entry)
        self._sources[entry.run] = Source(entry, self._reader(entry))

    def _reader(self, entry: Entry) -> LogReader:
        return LogReader(entry.path, entry.acknowledged, self._ledger.held(entry))

    async def keep(self, container: Container) -> None:
        async with self._reading:
            if (source := self._sources.get(container.id)) is None:
                return
            moved = await seen_through(lambda: self._ledger.keep(source.entry))
            source.restart(self._reader(source.entry), moved)
            self._bound_spool()

    @property
    def acknowledged(self) -> int:
        """Of the batches sent the last one that is stored."""
        return self._acknowledged_sequence

    def lag(self) -> int:
        """Sources with something unread or unacknowledged, for the metrics."""
        return sum(s.reader.place != s.entry.acknowledged for s in self._sources.values())

    async def run(self) -> None:
        delays = backoff(self._rng, cap=self._settings.retry_cap)
        log.info("log_shipping_began", sources=len(self._sources))
        told = ""
        while True:
            shipped = self._acknowledged_sequence
            try:
                await self._ship()
            except (SnowcaveError, OSError) as error:
                if self._was_refused(error):
                    continue
                if self._acknowledged_sequence != shipped:
                    delays = backoff(self._rng, cap=self._settings.retry_cap)
                    told = ""
                if str(error) != told:  # not at every attempt, but never in silence
                    told = str(error)
                    log.info("log_shipping_waits", error=told)
            if self._pending is None:
                await self._read_anew()
            await self._clock.sleep(next(delays))

    async def _read_anew(self) -> None:
        """What was read for a batch that did not come about."""
        async with self._reading:
            self._allowance.forget()
            for source in self._sources.values():
                source.rewind()

    async def _ship(self) -> None:
        """One stream: a batch at a time, each acknowledged before the next is read.

        What was not acknowledged is sent again as it was: it may be stored, and what it counts would
        count twice where it came with other lines.
        """
        outgoing: asyncio.Queue[events.AppendRequest | None] = asyncio.Queue(1)
        replies = self._collector.append(_drain(outgoing))
        try:
            while True:
                if self._pending is None:
                    self._pending = await self._next_batch()
                batch = self._pending
                while (request := batch.parts.first) is not None:
                    await outgoing.put(request)
                    await self._acknowledged(replies, request.sequence)
                    batch.parts.stored()
                await self._remember(batch)
                self._pending = None
        finally:
            # gRPC leaves its reader of requests waiting where the other side ended the call.
            if not outgoing.empty():
                outgoing.get_nowait()
            outgoing.put_nowait(None)
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()

    def _was_refused(self, error: Exception) -> bool:
        """For good, so that less of the batch is sent next."""
        if self._pending is None or self._pending.parts.first is None or not is_for_good(error):
            return False
        if (gone := self._pending.parts.refused()) is not None:
            REFUSED_LINES.inc(rows_of(gone))
            log.warning(
                "log_lines_refused",
                lines=rows_of(gone),
                runs=[one.container_run_id for one in gone.resources],
                error=str(error),
            )
        return True

    async def _acknowledged(
        self, replies: AsyncIterator[events.AppendReply], sequence: int
    ) -> None:
        try:
            async with asyncio.timeout(self._settings.acknowledge):
                reply = await anext(replies)
        except TimeoutError as error:
            raise Unavailable("The events daemon does not acknowledge in time.") from error
        except StopAsyncIteration as error:
            raise Unavailable("The events daemon has closed the stream.") from error
        if reply.sequence != sequence:
            raise Unavailable("The events daemon acknowledged another batch.")
        self._acknowledged_sequence = sequence

    async def _next_batch(self) -> _Batch:
        """Waits until some source has something new."""
        while True:
            async with self._reading:
                batch = await asyncio.to_thread(self._read)
                for run in batch.over:
                    self._drop(run)
                if batch.reached:
                    return batch
            await self._clock.sleep(self._settings.idle)

    def _read(self) -> _Batch:
        columns = Columns(self._sequence + 1)
        reached: dict[str, Reached] = {}
        over: list[str] = []
        for source in self._in_turn():
            room = self._settings.batch - len(columns)
            if room <= 0:
                break
            self._looked_at = source.entry.run
            found = source.read(min(room, self._settings.share), self._allowance)
            if found is not None:
                lines, reached[source.entry.run] = found
                columns.add(source.entry.resource, lines)
            elif source.is_over:
                over.append(source.entry.run)
        if len(columns):
            self._sequence += 1
        return _Batch(Parts(columns.request(), self._settings.refusals), reached, over)

    def _in_turn(self) -> list[Source]:
        """Beginning after the one that was looked at last: those that always have something leave room."""
        runs = list(self._sources)
        at = runs.index(self._looked_at) + 1 if self._looked_at in self._sources else 0
        return [self._sources[run] for run in runs[at:] + runs[:at]]

    async def _remember(self, batch: _Batch) -> None:
        # Not while `keep` moves an entry, in its thread: both write the same file.
        async with self._reading:
            self._allowance.settle()
            for run, reached in batch.reached.items():
                source = self._sources.get(run)
                if source is not None:
                    source.remember(reached)
                    self._ledger.save(source.entry)

    async def hold_forever(self) -> None:
        """What the engine rotates away before it was read is kept, up to a limit."""
        while True:
            async with self._reading:
                await asyncio.to_thread(self._hold)
            await self._clock.sleep(self._settings.hold_check)

    def _hold(self) -> None:
        sources = list(self._sources.values())
        room = self._settings.spool_bytes - sum(one.reader.held_bytes() for one in sources)
        for source in sources:
            room -= source.reader.hold(room)

    def _bound_spool(self) -> None:
        kept = [s for s in self._sources.values() if s.entry.kept]
        total = sum(self._ledger.kept_bytes(s.entry) for s in kept)
        for source in reversed(kept):
            if total <= self._settings.spool_bytes:
                return
            total -= self._ledger.kept_bytes(source.entry)
            log.warning("log_spool_full", run=source.entry.run)
            LOST_FILES.inc()
            self._drop(source.entry.run)

    def _drop(self, run: str) -> None:
        source = self._sources.pop(run)
        if source.reader.unreadable or source.reader.lost_files:
            log.warning(
                "log_incomplete",
                run=run,
                unreadable=source.reader.unreadable,
                lost_files=source.reader.lost_files,
            )
        source.reader.close()
        self._ledger.forget(source.entry)


async def _drain(
    queue: asyncio.Queue[events.AppendRequest | None],
) -> AsyncGenerator[events.AppendRequest]:
    while (request := await queue.get()) is not None:
        yield request


@asynccontextmanager
async def open_shipper(
    ledger: Ledger,
    collector: Collector,
    describe: Callable[[state.Assignment, Container], events.Resource],
    settings: LogSettings,
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[Shipper]:
    shipper = Shipper(ledger, collector, describe, settings, clock, rng)
    async with background(shipper.run(), shipper.hold_forever()):
        yield shipper
