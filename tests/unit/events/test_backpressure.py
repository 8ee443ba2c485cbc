"""What the store holds in memory has an end, and so has waiting for it."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from snowcave.events import durable, intake
from snowcave.events.appends import Appends
from snowcave.events.disk_store import DiskStore, open_disk_store
from snowcave.events.intake import Incoming
from snowcave.events.segments import Segment, Segments
from snowcave.events.service import EventService
from snowcave.events.settings import EventsSettings
from snowcave.events.store import Lane, Scan
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import events_pb2 as v1


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


def request(number: int) -> v1.AppendRequest:
    made = v1.AppendRequest(
        sequence=number, resources=[v1.Resource(service=7, source="a")], lines=v1.LogLines()
    )
    lines = made.lines
    lines.kinds.add(record_type="LOG")
    lines.kind.append(0)
    lines.offset.append(number)
    lines.timestamp.append(int(datetime.now(UTC).timestamp() * 1e6))
    lines.value = f'"{number:04d}"'.encode()
    lines.value_length.append(len(lines.value))
    return made


def line(number: int) -> Incoming:
    return intake.read(request(number))


async def values(store: DiskStore) -> list[str]:
    found: list[str] = []
    async for batch in store.scan(Scan()):
        found += batch.column("value").to_pylist()
    return sorted(found)


def suffixes(parquet: Path) -> list[str]:
    return [file.suffix for file in parquet.glob("*/*")]


async def test_a_table_that_cannot_be_rolled_takes_no_more_than_memory_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "events").mkdir()
    settings = EventsSettings(
        mesh=Mesh(home=tmp_path),
        segment_rows=1,
        segment_age=0.2,
        unrolled_bytes=1,
        append_deadline=0.5,
    )
    rolled = Segments.roll

    def full(_segments: Segments, _segment: Segment) -> None:
        raise OSError(28, "No space left on device")

    async with open_disk_store(settings, LoopClock()) as store:
        monkeypatch.setattr(Segments, "roll", full)
        await store.append(line(1), Lane())
        with pytest.raises(Unavailable):
            await store.append(line(2), Lane())
        monkeypatch.setattr(Segments, "roll", rolled)
        async with asyncio.timeout(60):
            while True:
                try:
                    await store.append(line(2), Lane())
                    break
                except Unavailable:
                    continue
        assert await values(store) == ['"0001"', '"0002"']


async def test_a_store_is_closed_once_nothing_is_being_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever opens it next takes unfinished files away: they must be nobody's."""
    (tmp_path / "events").mkdir()
    settings = EventsSettings(mesh=Mesh(home=tmp_path), segment_rows=1)
    settle, begun, go_on = durable.settle, threading.Event(), threading.Event()

    def held_up(temporary: Path, path: Path) -> None:
        begun.set()
        assert go_on.wait(60)
        settle(temporary, path)

    monkeypatch.setattr(durable, "settle", held_up)

    async def stored() -> None:
        async with open_disk_store(settings, LoopClock()) as store:
            await store.append(line(1), Lane())
            assert await asyncio.to_thread(begun.wait, 60)

    closing = asyncio.create_task(stored())
    assert await asyncio.to_thread(begun.wait, 60)
    await asyncio.wait([closing], timeout=0.2)
    is_open = not closing.done()
    go_on.set()
    await closing
    assert is_open
    assert suffixes(tmp_path / "events" / "parquet") == [".parquet"]


async def test_what_its_sender_gave_up_waits_for_a_held_up_writer_no_longer():
    appends = Appends(EventsSettings(append_deadline=0.001))

    async def given_up(number: int) -> weakref.ref[Any]:
        rows = line(number)
        found = weakref.ref(rows.offset)
        with suppress(Unavailable):
            await appends.add(rows, Lane())
        return found

    gone = [await given_up(number) for number in range(5)]
    gc.collect()
    assert [one() for one in gone[:4]] == [None] * 4  # the last one's failure may still be known


class Slow:
    """A store that keeps appends until it is told to go on."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = asyncio.Event()

    async def append(self, rows: Incoming, lane: Lane) -> None:
        del lane
        self.begun.append(rows.request.sequence)
        await self.go.wait()

    def scan(self, wish: Scan) -> Any:
        raise NotImplementedError

    async def tail(self, known: Any) -> None:
        del known


def service_of(store: Slow) -> EventService:
    """Three appends may wait."""
    return EventService(store, lambda _: None, ahead=8, waiting_bytes=3 * intake.size(request(1)))


async def test_two_streams_share_the_bytes_that_may_wait_and_each_keeps_its_order():
    store = Slow()
    service = service_of(store)
    given = [0, 0]

    async def sent(stream: int) -> AsyncGenerator[v1.AppendRequest]:
        for number in range(10):
            given[stream] += 1
            yield request(stream * 100 + number)

    async def acknowledged(stream: int) -> list[int]:
        return [one.sequence async for one in service.Append(sent(stream), None)]

    streams = [asyncio.create_task(acknowledged(stream)) for stream in (0, 1)]
    async with asyncio.timeout(30):
        while len(store.begun) < 3 or sum(given) < 5:
            await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    # Three wait for the store, and of each stream one for its turn.
    assert (len(store.begun), sum(given)) == (3, 5)
    store.go.set()
    assert await asyncio.gather(*streams) == [list(range(10)), list(range(100, 110))]
    for stream in (0, 100):
        mine = [one for one in store.begun if stream <= one < stream + 100]
        assert mine == sorted(mine)


async def test_a_stream_that_breaks_off_gives_back_what_it_had_taken():
    store = Slow()
    service = service_of(store)

    async def endless() -> AsyncGenerator[v1.AppendRequest]:
        number = 0
        while True:
            number += 1
            yield request(number)

    async def first() -> None:
        async for _ in service.Append(endless(), None):
            pass

    stream = asyncio.create_task(first())
    async with asyncio.timeout(30):
        while len(store.begun) < 3:
            await asyncio.sleep(0)
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream
    store.go.set()

    async def one() -> AsyncGenerator[v1.AppendRequest]:
        yield request(1)

    async with asyncio.timeout(30):
        assert [reply.sequence async for reply in service.Append(one(), None)] == [1]
