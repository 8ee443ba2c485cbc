"""The way of metrics and spans to the event table: in order, bounded, each row once.

What is offered waits in memory while the events daemon is away; beyond the bound the oldest is given up
and counted. A container's own data is measured out besides, by the second: a node sends no more of it than
Snowflake documents. Every row's key is the time at which this agent started and a number, so an append
that is sent again is stored once.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import prometheus_client
import structlog

from snowcave.agent.logs.shipper import Collector
from snowcave.agent.refusals import Parts, is_for_good, rows_of
from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError, Unavailable
from snowcave.v1 import events_pb2 as events

log = structlog.get_logger()

SENT = prometheus_client.Counter(
    "snowcave_agent_telemetry_rows", "Rows of metrics and spans that the event table has."
)
DROPPED = prometheus_client.Counter(
    "snowcave_agent_telemetry_dropped_rows",
    "Rows of metrics and spans that were given up.",
    ["why"],
)
WAITING = prometheus_client.Gauge(
    "snowcave_agent_telemetry_waiting_bytes", "Metrics and spans on their way to the event table."
)


@dataclass(frozen=True, slots=True)
class SendSettings:
    """Seconds and bytes."""

    # What waits for the event table; then the oldest goes.
    waiting_bytes: int = 16 << 20
    # Of containers' own metrics and traces, a second; 0: as much as they send.
    bytes_per_second: int = 1_000_000
    # In one go after a quiet time, in seconds' worth.
    burst: float = 10.0
    # Rows of one append.
    batch: int = 2000
    acknowledge: float = 30.0
    retry_cap: float = 5.0
    # Of one append, for good, each with a search for the rows at fault; after it what is refused goes whole.
    refusals: int = 64


@dataclass(frozen=True, slots=True)
class Parcel:
    """Rows of one resource."""

    resource: events.Resource
    rows: Sequence[events.EventRow]
    size: int

    @staticmethod
    def of(resource: events.Resource, rows: Sequence[events.EventRow]) -> "Parcel":
        return Parcel(resource, rows, resource.ByteSize() + sum(row.ByteSize() for row in rows))


@dataclass(slots=True)
class Allowance:
    """So many bytes a second, and after a quiet time a burst."""

    rate: float
    most: float
    at: float
    left: float

    @staticmethod
    def begin(settings: SendSettings, now: float) -> "Allowance":
        most = settings.bytes_per_second * settings.burst
        return Allowance(settings.bytes_per_second, most, now, most)

    def take(self, size: int, now: float) -> bool:
        """Whether there is room for it; then it is taken."""
        if not self.rate:
            return True
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now
        if size > self.left:
            return False
        self.left -= size
        return True


class Sender:
    """Made by `open_sender`."""

    def __init__(
        self,
        source: str,
        collector: Collector,
        settings: SendSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._source = source
        self._collector = collector
        self._settings = settings
        self._clock = clock
        self._rng = rng
        # Later than that of any agent before this one.
        self._generation = int(clock.now().timestamp() * 1000)
        self._offset = 0
        self._sequence = 0
        self._waiting: deque[Parcel] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._allowance = Allowance.begin(settings, clock.monotonic())

    def offer(self, parcels: Iterable[Parcel]) -> None:
        """The platform's own: always taken, up to the bound."""
        for parcel in parcels:
            self._waiting.append(parcel)
            self._bytes += parcel.size
        while self._bytes > self._settings.waiting_bytes and len(self._waiting) > 1:
            oldest = self._waiting.popleft()
            self._bytes -= oldest.size
            DROPPED.labels("full").inc(len(oldest.rows))
        WAITING.set(self._bytes)
        self._news.set()

    def offer_own(self, parcels: Sequence[Parcel]) -> int:
        """A container's: all of it, or nothing. How many rows were not taken."""
        if self._allowance.take(sum(one.size for one in parcels), self._clock.monotonic()):
            self.offer(parcels)
            return 0
        rows = sum(len(one.rows) for one in parcels)
        DROPPED.labels("rate").inc(rows)
        return rows

    async def run(self) -> None:
        delays = backoff(self._rng, cap=self._settings.retry_cap)
        parts = Parts(await self._next(), self._settings.refusals)
        while True:
            if (request := parts.first) is None:
                parts = Parts(await self._next(), self._settings.refusals)
                continue
            try:
                await self._send(request)
            except SnowcaveError as error:
                if is_for_good(error):
                    _pass_over(parts.refused(), error)
                    continue
                log.info("telemetry_waits", bytes=self._bytes, error=error.message)
                await self._clock.sleep(next(delays))
                continue
            SENT.inc(len(request.rows))
            parts.stored()
            delays = backoff(self._rng, cap=self._settings.retry_cap)

    async def _next(self) -> events.AppendRequest:
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        self._sequence += 1
        request = events.AppendRequest(sequence=self._sequence)
        while self._waiting and len(request.rows) < self._settings.batch:
            parcel = self._waiting.popleft()
            self._bytes -= parcel.size
            self._add(request, parcel)
        WAITING.set(self._bytes)
        return request

    def _add(self, request: events.AppendRequest, parcel: Parcel) -> None:
        resource = request.resources.add()
        resource.CopyFrom(parcel.resource)
        resource.source = self._source
        for row in parcel.rows:
            self._offset += 1
            row.resource = len(request.resources) - 1
            row.file_generation, row.offset = self._generation, self._offset
            request.rows.append(row)

    async def _send(self, request: events.AppendRequest) -> None:
        async def one() -> AsyncGenerator[events.AppendRequest]:
            yield request

        replies = self._collector.append(one())
        try:
            async with asyncio.timeout(self._settings.acknowledge):
                await anext(replies)
        except TimeoutError as error:
            raise Unavailable("The events daemon does not acknowledge in time.") from error
        except StopAsyncIteration as error:
            raise Unavailable("The events daemon has closed the stream.") from error
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()


def _pass_over(gone: events.AppendRequest | None, error: SnowcaveError) -> None:
    if gone is not None:
        DROPPED.labels("refused").inc(rows_of(gone))
        log.warning("telemetry_refused", rows=rows_of(gone), error=error.message)


@asynccontextmanager
async def open_sender(
    source: str,
    collector: Collector,
    settings: SendSettings,
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[Sender]:
    """`source` is the sender's alone, in all its lives."""
    sender = Sender(source, collector, settings, clock, rng)
    async with background(sender.run()):
        yield sender
