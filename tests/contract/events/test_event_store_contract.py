"""What whoever keeps the event table promises (`events.store.EventStore`): on disk, and on ClickHouse."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.events import intake
from snowcave.events.clickhouse.store import open_clickhouse_store
from snowcave.events.disk_store import open_disk_store
from snowcave.events.intake import Incoming
from snowcave.events.settings import ClickHouseSettings, EventsSettings
from snowcave.events.store import EventStore, Lane, Scan
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Exhausted
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import events_pb2 as v1
from tests.kit.clickhouse import reachable

# Two hours, both over and young enough to be kept.
START = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=3)


# Opens the same table, again and again.
Opener = Callable[[], AbstractAsyncContextManager[EventStore]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ClickHouseSettings]:
    with reachable(tmp_path_factory.mktemp("clickhouse")) as settings:
        yield settings


@pytest.fixture(params=["disk", "disk, rolled at once", "clickhouse"])
def opener(tmp_path: Path, request: pytest.FixtureRequest) -> Opener:
    (tmp_path / "events").mkdir()
    settings = EventsSettings(mesh=Mesh(home=tmp_path), compact_check=0.02, largest_append=50)
    if request.param == "clickhouse":
        server: ClickHouseSettings = request.getfixturevalue("server")
        own = replace(server, prefix=f"contract_{uuid.uuid4().hex}_")
        return partial(open_clickhouse_store, replace(settings, clickhouse=own), LoopClock())
    segment_rows = 1 if "rolled" in request.param else 50_000
    return partial(open_disk_store, replace(settings, segment_rows=segment_rows), LoopClock())


@pytest_asyncio.fixture
async def store(opener: Opener) -> AsyncGenerator[EventStore]:
    async with opener() as opened:
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


async def test_rows_sent_again_after_a_restart_are_stored_once(opener: Opener):
    async with opener() as store:
        await store.append(append("a", 1, 2), Lane())
        await store.append(append("b", 1), Lane())
    async with opener() as store:
        await store.append(append("a", 1, 2, 3), Lane())
        await store.append(append("b", 1), Lane())
        assert sorted(await values(store)) == ["1", "1", "2", "3"]


async def test_a_later_generation_begins_anew_and_an_earlier_one_is_over(opener: Opener):
    def line(generation: int, offset: int) -> Incoming:
        request = v1.AppendRequest(resources=[v1.Resource(service=7, container_run_id="run")])
        row = request.rows.add(value=f'"{generation}.{offset}"', file_generation=generation)
        row.offset = offset
        row.timestamp.FromDatetime(START)
        return intake.read(request)

    async with opener() as store:
        await store.append(line(1, 900), Lane())
    async with opener() as store:
        for generation, offset in ((2, 0), (1, 950), (2, 0), (2, 5)):
            await store.append(line(generation, offset), Lane())
        assert await values(store) == ["1.900", "2.0", "2.5"]


async def test_a_row_comes_back_with_all_that_it_had(store: EventStore):
    later = START + timedelta(seconds=1, microseconds=7)
    request = v1.AppendRequest(
        resources=[
            v1.Resource(service=7, instance_id=2, source="a", service_name='It\'s \\ "ÄÖ"'),
            v1.Resource(service=8, source="b", attributes='{"x": 1}'),
        ]
    )
    full = request.rows.add(
        resource=0, record_type="SPAN", record='{"name": "x"}', record_attributes="{}",
        scope='{"name": "s"}', value='"läng\u2028 \\n\\u0000"', trace='{"trace_id": "1"}',
        scope_attributes='{"a": 1}', exemplars="[]", offset=1,
    )  # fmt: skip
    bare = request.rows.add(resource=1, offset=1)
    full.timestamp.FromDatetime(START)
    full.start_timestamp.FromDatetime(START - timedelta(days=400))
    full.observed_timestamp.FromDatetime(later)
    # The last moment that an append may have.
    bare.timestamp.FromDatetime(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    await store.append(intake.read(request), Lane())
    first, second = [row async for b in store.scan(Scan()) for row in b.to_pylist()]
    assert {name: value for name, value in first.items() if name != "resource_attributes"} == {
        "timestamp": START.replace(tzinfo=None),
        "service": 7,
        "instance_id": 2,
        "start_timestamp": (START - timedelta(days=400)).replace(tzinfo=None),
        "observed_timestamp": later.replace(tzinfo=None),
    } | {
        name: getattr(full, name)
        for name in (
            "record_type", "record", "record_attributes", "scope", "value", "trace",
            "scope_attributes", "exemplars",
        )
    }  # fmt: skip
    assert json.loads(first["resource_attributes"])["snow.service.name"] == 'It\'s \\ "ÄÖ"'
    assert json.loads(second["resource_attributes"])["x"] == 1
    assert second["timestamp"] == datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001
    assert {second[n] for n in ("record", "value", "trace", "start_timestamp")} == {None}


async def test_rows_of_one_moment_keep_their_order(store: EventStore):
    for first in range(0, 100, 20):
        request = v1.AppendRequest(resources=[v1.Resource(service=7, source="a")])
        for number in range(first, first + 20):
            row = request.rows.add(value=f'"{number}"', offset=number)
            row.timestamp.FromDatetime(START)
        await store.append(intake.read(request), Lane())
    numbers = [str(number) for number in range(100)]
    assert await values(store) == numbers
    assert await values(store, Scan(newest_first=True, limit=70)) == numbers[:29:-1]


async def test_a_scan_finds_rows_by_the_texts_among_their_resource_attributes(store: EventStore):
    request = v1.AppendRequest(
        resources=[
            v1.Resource(service=service, service_name=name, source=name, attributes='{"size": 5}')
            for service, name in ((7, "IT'S"), (8, "OTHER"), (8, "\\"))
        ]
    )
    for number in range(6):
        row = request.rows.add(resource=number % 3, value=f'"{number}"', offset=number)
        row.timestamp.FromDatetime(START)
    await store.append(intake.read(request), Lane())
    for attributes, expected in (
        ({"snow.service.name": "IT'S"}, ["0", "3"]),
        ({"snow.service.name": "\\"}, ["2", "5"]),
        ({"snow.service.name": "OTHER", "snow.service.id": "8"}, ["1", "4"]),
        ({"snow.service.name": "other"}, []),
        ({"missing": "x"}, []),
        # What is no text is for the reader to compare.
        ({"size": "4"}, ["0", "1", "2", "3", "4", "5"]),
    ):
        assert sorted(await values(store, Scan(attributes=attributes))) == expected
