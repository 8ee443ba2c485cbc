"""The one writer of the event table's files: group commit, rolling, expiry."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import prometheus_client
import structlog

from snowcave.events import frames, rows
from snowcave.events.rows import Marks
from snowcave.events.segments import Segments, Snapshot
from snowcave.events.settings import EventsSettings
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model.errors import Exhausted, Unavailable
from snowcave.v1 import events_pb2 as v1

log = structlog.get_logger()

T = TypeVar("T")

STORED_ROWS = prometheus_client.Counter("snowcave_events_rows", "Rows on disk.")
DOUBLED_ROWS = prometheus_client.Counter("snowcave_events_doubled_rows", "Rows sent again.")


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: v1.AppendRequest
    stored: asyncio.Future[None]


class Writer:
    """Appends wait for the disk together: one fsync for all that came meanwhile."""

    def __init__(self, settings: EventsSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(settings.queued_appends)
        self._disk = ThreadPoolExecutor(1, "events-disk")
        self._segments: Segments | None = None
        self._roll = asyncio.Event()

    @property
    def _files(self) -> Segments:
        assert self._segments is not None, "the writer is open"
        return self._segments

    async def append(self, request: v1.AppendRequest) -> None:
        """Returns once it is durable. Raises Exhausted on too many rows, Unavailable on a full disk."""
        if len(request.rows) > self._settings.largest_append:
            raise Exhausted(f"An append holds at most {self._settings.largest_append} rows.")
        stored = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(self._settings.append_deadline):
            await self._queue.put(_Waiting(request, stored))
            await stored

    async def snapshot(self) -> Snapshot:
        """The table between two appends."""
        return await self._on_disk(self._files.snapshot)

    async def open(self) -> None:
        folder = self._settings.mesh.folder("events")
        now, today = self._clock.monotonic(), self._today()
        self._segments = await self._on_disk(lambda: Segments(folder, now, today))
        log.info("segments_recovered", segments=len(self._segments.sealed))
        self._roll.set()

    async def close(self) -> None:
        await self._on_disk(self._files.close)
        self._disk.shutdown()

    async def write_forever(self) -> None:
        while True:
            waiting = [await self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            await self._write(waiting)
            if self._files.open.rows >= self._settings.segment_rows:
                await self._seal()

    async def _write(self, waiting: list[_Waiting]) -> None:
        appended: list[frames.Frame] = []
        moved: Marks = {}
        for one in waiting:
            fresh, marks = rows.select_new(one.request, self._marks_of(one.request, moved))
            DOUBLED_ROWS.inc(len(one.request.rows) - len(fresh))
            if fresh:
                moved.update(marks)
                appended.append(rows.to_batches(one.request.resources, fresh, marks))
        today = self._today()
        try:
            if appended:
                await self._on_disk(lambda: self._files.append(appended, moved, today))
                STORED_ROWS.inc(sum(batch.num_rows for _, batch in appended))
        except OSError as error:
            log.warning("append_failed", error=str(error))
            failure = Unavailable(f"The event table cannot be written: {error.strerror}.")
            for one in waiting:
                if not one.stored.done():
                    one.stored.set_exception(failure)
            return
        for one in waiting:
            if not one.stored.done():  # its sender may have gone away
                one.stored.set_result(None)

    def _marks_of(self, request: v1.AppendRequest, moved: Marks) -> Marks:
        """Of the request's runs alone: there are many others."""
        marks, runs = self._files.marks, [one.container_run_id for one in request.resources]
        return {run: mark for run in runs if (mark := moved.get(run) or marks.get(run))}

    async def roll_forever(self) -> None:
        """Turns sealed segments into Parquet; a failure (full disk) is tried again."""
        while True:
            try:
                async with asyncio.timeout(self._settings.segment_age / 4):
                    await self._roll.wait()
            except TimeoutError:
                pass
            self._roll.clear()
            age = self._clock.monotonic() - self._files.open.opened
            if age >= self._settings.segment_age:
                await self._seal()
            for segment in list(self._files.sealed):
                try:
                    # In a thread of its own: appends go on meanwhile.
                    await asyncio.to_thread(self._files.roll, segment)
                    await self._on_disk(lambda done=segment: self._files.finish(done))
                except OSError as error:
                    log.warning("roll_failed", segment=segment.name, error=str(error))
                    break
                log.info("segment_rolled", segment=segment.name, rows=segment.rows)

    async def expire_forever(self) -> None:
        while True:
            try:
                await self._expire()
            except OSError as error:
                log.warning("expiry_failed", error=str(error))
            await self._clock.sleep(self._settings.retention_check)

    async def _expire(self) -> None:
        oldest = self._clock.now() - timedelta(seconds=self._settings.retention)
        gone = await asyncio.to_thread(self._files.expire, oldest.strftime("%Y-%m-%dT%H"))
        if gone:
            log.info("hours_expired", hours=gone)
        forgotten = await self._on_disk(lambda: self._files.forget_runs(oldest.toordinal()))
        if forgotten:
            log.info("runs_forgotten", runs=forgotten)

    def _today(self) -> int:
        return self._clock.now().toordinal()

    async def _seal(self) -> None:
        now = self._clock.monotonic()  # the loop's time: not to be asked for in the disk's thread
        await self._on_disk(lambda: self._files.seal(now))
        self._roll.set()

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


@asynccontextmanager
async def open_writer(settings: EventsSettings, clock: Clock) -> AsyncGenerator[Writer]:
    """Ready once what a predecessor left in the log has been read."""
    writer = Writer(settings, clock)
    await writer.open()
    try:
        async with background(
            writer.write_forever(), writer.roll_forever(), writer.expire_forever()
        ):
            yield writer
    finally:
        await writer.close()
