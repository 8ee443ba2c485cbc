"""What whoever keeps the event table promises (`events.store.EventStore`); on disk always."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.events import intake
from snowcave.events.disk_store import open_disk_store
from snowcave.events.intake import Incoming
from snowcave.events.settings import EventsSettings
from snowcave.events.store import EventStore, Lane, Scan
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Exhausted
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import events_pb2 as v1

# Two hours, both over and young enough to be kept.
START = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=3)


@pytest_asyncio.fixture(params=["disk", "disk, rolled at once"])
async def store(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[EventStore]:
    (tmp_path / "events").mkdir()
    segment_rows = 1 if "rolled" in request.param else 50_000
    settings = EventsSettings(
        mesh=Mesh(home=tmp_path), segment_rows=segment_rows, compact_check=0.02, largest_append=50
    )
    async with open_disk_store(settings, LoopClock()) as opened:
        yield opened


def append(source: str, *numbers: int, service: int = 7, kind: str = "LOG") -> Incoming:
    """Rows whose number is their offset and their minute."""
    request = v1.AppendRequest(resources=[v1.Resource(service=service, source=source)])
    for number in numbers:
        row = request.rows.add(record_type=kind, value=f'"{number}"', offset=number)
        row.timestamp.FromDatetime(START + timedelta(minutes=number))
    return intake.read(request)


async def values(store: EventStore, wish: Scan | None = None) -> list[str]:
    found: list[str] = []
    async for batch in store.scan(wish or Scan()):
        found += [value.strip('"') for value in batch.column("value").to_pylist()]
    return found


async def test_rows_are_there_once_append_returns(store: EventStore):
    await store.append(append("a", 1, 2), Lane())
    await store.append(append("b", 3), Lane())
    assert sorted(await values(store)) == ["1", "2", "3"]


async def test_rows_sent_again_are_stored_once_and_those_without_a_key_as_often_as_they_come(
    store: EventStore,
):
    for numbers in ((1, 2), (1, 2, 3), (2, 3)):
        await store.append(append("a", *numbers), Lane())
    for _ in range(2):
        await store.append(append("", 9), Lane())
    assert sorted(await values(store)) == ["1", "2", "3", "9", "9"]


async def test_appends_of_many_senders_at_once_are_all_stored(store: EventStore):
    senders = [append(f"s{n}", *range(10)) for n in range(20)]
    await asyncio.gather(*(store.append(one, Lane()) for one in senders))
    assert len(await values(store)) == 200


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Scan(service=8), ["50"]),
        (Scan(record_type="METRIC"), ["50"]),
        (Scan(since=START + timedelta(minutes=40)), ["40", "50"]),
        (Scan(until=START + timedelta(minutes=40)), ["0", "10", "20", "30"]),
        (
            Scan(since=START + timedelta(minutes=10), until=START + timedelta(minutes=31)),
            ["10", "20", "30"],
        ),
        (Scan(newest_first=True, limit=3), ["50", "40", "30"]),
        (Scan(service=7, newest_first=True, limit=2), ["40", "30"]),
        (Scan(service=9), []),
    ],
)
async def test_a_scan_answers_what_was_asked_for(
    store: EventStore, wish: Scan, expected: list[str]
):
    """Over the turn of an hour, which is at minute 30."""
    await store.append(append("a", 0, 10, 20), Lane())
    await store.append(append("a", 30, 40), Lane())
    await store.append(append("b", 50, service=8, kind="METRIC"), Lane())
    found = await values(store, wish)
    assert (found if wish.newest_first else sorted(found)) == sorted(
        expected, reverse=wish.newest_first
    )


async def test_an_append_that_is_too_large_breaks_its_lane_and_stores_nothing(store: EventStore):
    lane = Lane()
    with pytest.raises(Exhausted):
        await store.append(append("a", *range(51)), lane)
    assert await values(store) == []
    await store.append(append("a", 1), Lane())
    assert await values(store) == ["1"]


async def test_a_reader_that_follows_the_tail_has_every_row_once(store: EventStore):
    known: dict[int, int] = {}
    seen: list[str] = []
    files: Sequence[str] = ()
    for number in range(5):
        await store.append(append("a", number), Lane())
        tail = await store.tail(known)
        if tail is None:  # rows stand in no files there
            return
        known = {segment: tail.held[segment] for segment in tail.held}
        for batches in tail.pieces.values():
            seen += [value for batch in batches for value in batch.column("value").to_pylist()]
        files = tail.files
    assert len(seen) == len(set(seen))
    # What was rolled between two looks is in the files instead.
    assert files or sorted(seen) == [f'"{number}"' for number in range(5)]
