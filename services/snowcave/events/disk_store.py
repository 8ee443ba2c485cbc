"""The event table on this machine's disk: group commit, rolling, compaction, expiry; one writer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import pyarrow as pa
import structlog

from snowcave.events import once, selection
from snowcave.events.appends import DOUBLED_ROWS, STORED_ROWS, Appends, Waiting
from snowcave.events.compaction import Policy, merged
from snowcave.events.intake import Incoming
from snowcave.events.segments import Segment, Segments
from snowcave.events.settings import EventsSettings
from snowcave.events.store import Lane, Scan, Tail
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background, seen_through
from snowcave.model.errors import Unavailable

log = structlog.get_logger()

T = TypeVar("T")


class DiskStore:
    """See `store.EventStore`. Appends wait for the disk together: one fsync for all that came meanwhile."""

    def __init__(self, settings: EventsSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._appends = Appends(settings)
        self._disk = ThreadPoolExecutor(1, "events-disk")
        self._segments: Segments | None = None
        self._roll = asyncio.Event()
        self._rolled_one = asyncio.Event()
        self._policy = Policy(settings.compact_bytes, settings.compact_files)

    @property
    def _files(self) -> Segments:
        assert self._segments is not None, "the store is open"
        return self._segments

    async def append(self, rows: Incoming, lane: Lane) -> None:
        await self._appends.add(rows, lane)

    async def tail(self, known: Mapping[int, int]) -> Tail:
        """The table between two appends."""
        return await self._on_disk(lambda: self._files.tail(known))

    async def scan(self, wish: Scan) -> AsyncIterator[pa.RecordBatch]:
        whole = await self.tail({})
        folder = self._files.parquet.folder
        table = await asyncio.to_thread(selection.select, whole, folder, wish)
        for batch in table.to_batches():
            yield batch

    async def open(self) -> None:
        folder = self._settings.mesh.folder("events")
        now, today = self._clock.monotonic(), self._today()
        self._segments = await self._on_disk(lambda: Segments(folder, now, today))
        log.info("segments_recovered", segments=len(self._segments.sealed))
        self._roll.set()

    async def close(self) -> None:
        await self._on_disk(self._files.close)
        self._disk.shutdown()

    # ------------------------------------------------------------ appends

    async def write_forever(self) -> None:
        while True:
            await self._write(await self._appends.next())
            begun = self._files.open
            if (
                begun.rows >= self._settings.segment_rows
                or begun.size >= self._settings.segment_bytes
            ):
                await self._seal()
                await self._rolls_keep_up()

    async def _rolls_keep_up(self) -> None:
        """Until memory has room for another segment. Appends that wait for it meet their deadlines."""
        while sum(one.size for one in self._files.sealed) >= self._settings.unrolled_bytes:
            self._rolled_one.clear()
            await self._rolled_one.wait()

    async def _write(self, waiting: list[Waiting]) -> None:
        today = self._today()
        try:
            stored = await self._on_disk(lambda: self._commit(waiting, today))
        except OSError as error:
            log.warning("append_failed", error=str(error))
            failure = Unavailable(f"The event table cannot be written: {error.strerror}.")
            for one in waiting:
                one.fail(failure)
            return
        STORED_ROWS.inc(stored)
        DOUBLED_ROWS.inc(sum(len(one.rows) for one in waiting) - stored)
        for one in waiting:
            one.succeed()

    def _commit(self, waiting: list[Waiting], today: int) -> int:
        """In the disk's thread: what is new of them, in one frame. Returns its rows."""
        fresh = once.select_new([one.rows for one in waiting], self._files.marks)
        if fresh.frame is None:
            return 0
        self._files.append(fresh.frame, fresh.marks, today)
        return fresh.frame.rows.num_rows

    # ------------------------------------------------------------ files

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
                if not await self._rolled(segment):
                    break

    async def _rolled(self, segment: Segment) -> bool:
        try:
            # In a thread of its own: appends go on meanwhile.
            await seen_through(lambda: self._files.roll(segment))
            await self._on_disk(lambda: self._files.finish(segment))
        except OSError as error:
            log.warning("roll_failed", segment=segment.number, error=str(error))
            return False
        self._rolled_one.set()
        log.info("segment_rolled", segment=segment.number, rows=segment.rows)
        return True

    async def compact_forever(self) -> None:
        while True:
            try:
                await self._compact()
            except OSError as error:
                log.warning("compaction_failed", error=str(error))
            await self._clock.sleep(self._settings.compact_check)

    async def _compact(self) -> None:
        settled = self._clock.now() - timedelta(seconds=self._settings.hour_settles)
        over = _hour(settled)
        parquet = self._files.parquet
        for hour, group in await self._on_disk(lambda: self._files.to_compact(self._policy, over)):
            count = await seen_through(lambda hour=hour, group=group: parquet.merge(hour, group))
            await self._on_disk(lambda hour=hour: parquet.count(hour))
            log.info(
                "files_merged", hour=hour, files=len(group), rows=count, last=merged(group).last
            )
        before = self._clock.now().timestamp() - self._settings.file_grace
        if swept := await self._on_disk(lambda: parquet.sweep(before)):
            log.info("replaced_files_deleted", files=swept)

    async def expire_forever(self) -> None:
        while True:
            try:
                await self._expire()
            except OSError as error:
                log.warning("expiry_failed", error=str(error))
            await self._clock.sleep(self._settings.retention_check)

    async def _expire(self) -> None:
        oldest = self._clock.now() - timedelta(seconds=self._settings.retention)
        # Out of sight first; queries that have begun may still read.
        self._files.oldest_hour = _hour(oldest)
        deleted = _hour(oldest - timedelta(seconds=self._settings.file_grace))
        if gone := await self._on_disk(lambda: self._files.parquet.expire(deleted)):
            log.info("hours_expired", hours=gone)
        day = oldest.toordinal()
        if forgotten := await self._on_disk(lambda: self._files.forget_sources(day)):
            log.info("sources_forgotten", sources=forgotten)

    def _today(self) -> int:
        return self._clock.now().toordinal()

    async def _seal(self) -> None:
        now = self._clock.monotonic()  # the loop's time: not to be asked for in the disk's thread
        try:
            await self._on_disk(lambda: self._files.seal(now))
        except OSError as error:  # a full disk: the open segment goes on
            log.warning("seal_failed", error=str(error))
        self._roll.set()

    async def _on_disk(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)


def _hour(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H")


@asynccontextmanager
async def open_disk_store(settings: EventsSettings, clock: Clock) -> AsyncGenerator[DiskStore]:
    """Ready once what a predecessor left in the log has been read."""
    store = DiskStore(settings, clock)
    await store.open()
    try:
        async with background(
            store.write_forever(),
            store.roll_forever(),
            store.compact_forever(),
            store.expire_forever(),
        ):
            yield store
    finally:
        await store.close()
