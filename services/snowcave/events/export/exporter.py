"""Sends rows on to a collector, after the event table has them. A collector that is away holds up nobody: a
bounded part of what came meanwhile waits for it, the rest is left out and counted.

A row is exported once, and again where its sender did not hear that it was stored, or the collector did not
say that it has it.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.aio
import prometheus_client
import pyarrow as pa
import structlog
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

from snowcave.events.export.conversion import Outgoing, outgoing
from snowcave.events.intake import Incoming
from snowcave.events.settings import ExportSettings
from snowcave.events.store import EventStore, Lane, Scan, Tail
from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.runtime.settings import SettingsInvalid
from snowcave.v1 import events_pb2 as events

log = structlog.get_logger()

EXPORTED = prometheus_client.Counter("snowcave_events_exported_appends", "Appends sent on.")
LEFT_OUT = prometheus_client.Counter(
    "snowcave_events_unexported_rows", "Rows that were not sent on.", ["why"]
)

# What a collector may get over; anything else it will never take.
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
)


class Exporter:
    """Made by `open_exporter`."""

    def __init__(
        self, channel: grpc.aio.Channel, settings: ExportSettings, clock: Clock, rng: random.Random
    ) -> None:
        self._logs = logs_grpc.LogsServiceStub(channel)
        self._metrics = metrics_grpc.MetricsServiceStub(channel)
        self._traces = trace_grpc.TraceServiceStub(channel)
        self._settings = settings
        self._metadata = headers(settings.headers)
        self._clock = clock
        self._rng = rng
        self._waiting: deque[tuple[events.AppendRequest, int]] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def offer(self, request: events.AppendRequest) -> None:
        size = request.ByteSize()
        if self._bytes + size > self._settings.waiting_bytes:
            LEFT_OUT.labels("full").inc(len(request.rows) + len(request.lines.kind))
            return
        self._waiting.append((request, size))
        self._bytes += size
        self._news.set()

    async def run(self) -> None:
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            request, size = self._waiting.popleft()
            made = await asyncio.to_thread(outgoing, request)
            if made.strange:
                LEFT_OUT.labels("strange").inc(made.strange)
            await self._send(made)
            self._bytes -= size
            EXPORTED.inc()

    async def _send(self, made: Outgoing) -> None:
        if made.logs.resource_logs:
            await self._until_taken(self._logs.Export, made.logs)
        if made.metrics.resource_metrics:
            await self._until_taken(self._metrics.Export, made.metrics)
        if made.traces.resource_spans:
            await self._until_taken(self._traces.Export, made.traces)

    async def _until_taken(self, export: Callable[..., Awaitable[Any]], message: Any) -> None:
        told = False
        for delay in backoff(self._rng, cap=self._settings.retry_cap):
            try:
                await export(message, timeout=self._settings.deadline, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _PASSING:
                    LEFT_OUT.labels("refused").inc()
                    log.warning("export_refused", code=error.code().name, error=error.details())
                    return
                if not told:
                    log.info("export_waits", code=error.code().name)
                    told = True
                await self._clock.sleep(delay)
            else:
                return


class Exported:
    """An event store, every append of which is sent on."""

    def __init__(self, store: EventStore, exporter: Exporter) -> None:
        self._store = store
        self._exporter = exporter

    async def append(self, rows: Incoming, lane: Lane) -> None:
        await self._store.append(rows, lane)
        self._exporter.offer(rows.request)

    def scan(self, wish: Scan) -> AsyncIterator[pa.RecordBatch]:
        return self._store.scan(wish)

    async def tail(self, known: Mapping[int, int]) -> Tail | None:
        return await self._store.tail(known)


def headers(text: str) -> tuple[tuple[str, str], ...]:
    """Raises SettingsInvalid."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        raise SettingsInvalid("events.export.headers: want name=value,name=value")
    return tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)


def target(endpoint: str) -> tuple[str, bool]:
    """Host and port, and whether it speaks TLS. Raises SettingsInvalid."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsInvalid("events.export.endpoint: want http://host:port or https://host:port")
    return f"{parts.hostname}:{parts.port or 4317}", parts.scheme == "https"


def _channel(settings: ExportSettings) -> grpc.aio.Channel:
    """Raises SettingsInvalid."""
    address, encrypted = target(settings.endpoint)
    if not encrypted:
        return grpc.aio.insecure_channel(address)
    try:
        roots = Path(settings.ca_file).read_bytes() if settings.ca_file else None
    except OSError as error:
        raise SettingsInvalid(f"events.export.ca_file: {error.strerror}") from error
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(roots))


@asynccontextmanager
async def open_exporter(
    settings: ExportSettings, clock: Clock, rng: random.Random
) -> AsyncGenerator[Exporter]:
    """What waits when it is left is left out: the event table has it. Raises SettingsInvalid."""
    channel = _channel(settings)
    exporter = Exporter(channel, settings, clock, rng)
    try:
        async with background(exporter.run()):
            yield exporter
    finally:
        await channel.close(grace=1.0)
