"""Sends what containers write to the event table: read, send, wait for the acknowledgement, remember.

While the events daemon is away nothing is read: the log files themselves are the spool. A batch that
is sent again carries the same keys (run, generation, offset), so a row is stored once.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import prometheus_client
import structlog

from snowcave.agent.engine.api import Container
from snowcave.agent.logs.allowance import Allowance
from snowcave.agent.logs.jsonfile import SECOND, LogReader, Place, Record
from snowcave.agent.logs.ledger import Entry, Ledger
from snowcave.agent.logs.rows import Columns, Line, Lost, is_wanted, rows
from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError, Unavailable
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

LOST_FILES = prometheus_client.Counter(
    "snowcave_agent_lost_log_files", "Gone before they were read."
)
DROPPED_LINES = prometheus_client.Counter(
    "snowcave_agent_dropped_lines", "Above the node's limit."
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
    # What is collected of what the node's containers write in a second: 1 MB, as documented. 0: all.
    bytes_per_second: int = 1_000_000


class Collector(Protocol):
    """The events daemon as the shipper sees it: EventServiceStub.Append, errors translated."""

    def append(
        self, requests: AsyncIterator[events.AppendRequest]
    ) -> AsyncIterator[events.AppendReply]: ...


@dataclass(slots=True)
class _Source:
    entry: Entry
    reader: LogReader
    # Read and sent, not acknowledged yet.
    broken: set[str] = field(default_factory=set[str])
    # Of the reader's lost files those that the event table knows of.
    told_files: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    request: events.AppendRequest
    reached: dict[str, "_Reached"]


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far a reader had come, and which streams stood in the middle of a line there."""

    reader: LogReader
    place: Place
    broken: frozenset[str]


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
        # Readers and entries are used by one thread at a time.
        self._reading = asyncio.Lock()
        self._sources = {
            entry.run: _Source(entry, self._reader(entry), set(entry.broken))
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
        self._sources[entry.run] = _Source(entry, self._reader(entry))

    def _reader(self, entry: Entry) -> LogReader:
        return LogReader(entry.path, entry.acknowledged, self._ledger.held(entry))

    async def keep(self, container: Container) -> None:
        async with self._reading:
            if (source := self._sources.get(container.id)) is None:
                return
            await asyncio.to_thread(self._ledger.keep, source.entry)
            source.reader.close()
            source.reader = self._reader(source.entry)
            source.broken = set(source.entry.broken)
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
            except SnowcaveError as error:
                if self._acknowledged_sequence != shipped:
                    delays = backoff(self._rng, cap=self._settings.retry_cap)
                    told = ""
                if error.message != told:  # not at every attempt, but never in silence
                    told = error.message
                    log.info("log_shipping_waits", error=told)
            self._allowance.forget()
            for source in self._sources.values():
                self._rewind(source)
            await self._clock.sleep(next(delays))

    async def _ship(self) -> None:
        """One stream: a batch at a time, each acknowledged before the next is read."""
        outgoing: asyncio.Queue[events.AppendRequest] = asyncio.Queue(1)
        replies = self._collector.append(_drain(outgoing))
        try:
            while True:
                batch = await self._next_batch()
                if batch.request.lines.kind:
                    await outgoing.put(batch.request)
                    await self._acknowledged(replies, batch.request.sequence)
                await self._remember(batch)
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()

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
                if batch.reached:
                    return batch
                self._forget_finished()
            await self._clock.sleep(self._settings.idle)

    def _read(self) -> _Batch:
        columns = Columns(self._sequence + 1)
        reached: dict[str, _Reached] = {}
        for source in list(self._sources.values()):
            room = self._settings.batch - len(columns)
            if room <= 0:
                break
            records = source.reader.read(min(room, self._settings.share))
            if not records:
                continue
            columns.add(source.entry.resource, self._chosen(source, records))
            place = source.reader.place
            assert place is not None, "something was read"
            reached[source.entry.run] = _Reached(source.reader, place, frozenset(source.broken))
        if len(columns):
            self._sequence += 1
        return _Batch(columns.request(), reached)

    def _chosen(self, source: _Source, records: list[Record]) -> list[Line]:
        """Within the node's limit. Where that is used up, the rest of the same second is passed over."""
        level, broken = source.entry.log_level, source.broken
        lines: list[Line] = []
        lost = Lost(files=source.reader.lost_files - source.told_files)
        for record in records:
            if not is_wanted(record.stream, level) or self._fits(record):
                lines += rows([record], level, broken)
            else:
                lost.add(1, len(record.text), {record.stream: not record.whole}, broken)
        second = records[-1].time[:SECOND]
        while lost.lines and level == "INFO" and self._allowance.is_used_up(second):
            skipped = source.reader.skip(second)
            if skipped is None:
                break
            lost.add(skipped.records, skipped.size, skipped.broken, broken)
        DROPPED_LINES.inc(lost.lines)
        LOST_FILES.inc(lost.files)
        source.told_files = source.reader.lost_files
        place = source.reader.place
        assert place is not None, "something was read"
        return [*lines, *lost.told(place, records[-1], level)]

    def _fits(self, record: Record) -> bool:
        return self._allowance.takes(record.time[:SECOND], len(record.text))

    async def _remember(self, batch: _Batch) -> None:
        # Not while `keep` moves an entry, in its thread: both write the same file.
        async with self._reading:
            self._allowance.settle()
            for run, reached in batch.reached.items():
                source = self._sources.get(run)
                # Another reader began at what was acknowledged then: it sends these rows again,
                # which is harmless, while their place may be in a file that has been copied since.
                if source is not None and source.reader is reached.reader:
                    source.entry.acknowledged = reached.place
                    source.entry.broken = set(reached.broken)
                    source.reader.release(reached.place)
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

    def _rewind(self, source: _Source) -> None:
        source.reader.rewind(source.entry.acknowledged)
        source.broken = set(source.entry.broken)

    def _forget_finished(self) -> None:
        """Nothing new came: the logs of removed containers have been read to their end."""
        for run, source in list(self._sources.items()):
            if source.entry.kept or not source.entry.path.exists():
                self._drop(run)

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
    queue: asyncio.Queue[events.AppendRequest],
) -> AsyncGenerator[events.AppendRequest]:
    while True:
        yield await queue.get()


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
