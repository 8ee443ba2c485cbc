"""The node's limit, files that the engine rotates away, and what is said about what is not collected."""

import asyncio
import json
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from snowcave.agent.logs import rows
from snowcave.agent.logs.allowance import Allowance
from snowcave.agent.logs.jsonfile import Place, Record
from snowcave.agent.logs.ledger import Ledger
from snowcave.agent.logs.reader import LogReader
from snowcave.agent.logs.shipper import LogSettings, Shipper, open_shipper
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.v1.events_pb2 import AppendReply, AppendRequest, EventRow
from tests.kit.agent_node import Events, assignment
from tests.kit.log_containers import container

WANT = assignment()


def record(text: str, second: int, stream: str = "stdout", end: str = "\\n") -> str:
    minute, second = divmod(second, 60)
    time = f"2026-01-01T00:{minute:02d}:{second:02d}.123456789Z"
    return f'{{"log":"{text}{end}","stream":"{stream}","time":"{time}"}}\n'


@asynccontextmanager
async def shipping(folder: Path, events: Events, **settings: Any) -> AsyncGenerator[Shipper]:
    async with open_shipper(
        Ledger(folder / "ledger"),
        events,
        lambda want, made: rows.resource("A", "node-1", "CPU_X64_XS", want, made),
        LogSettings(idle=0.01, retry_cap=0.05, hold_check=0.01, **settings),
        LoopClock(),
        random.Random(1),
    ) as made:
        yield made


def stored(events: Events) -> list[EventRow]:
    return [row for _, row in sorted(events.rows.items())]


def dropped(events: Events, what: str = "lines") -> int:
    told = [json.loads(row.record_attributes) for row in stored(events)]
    return sum(one.get(f"snow.dropped.{what}", 0) for one in told)


def lines(events: Events) -> list[str]:
    return [json.loads(row.value) for row in stored(events) if row.record == "{}"]


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_second_is_used_up_by_all_sources_together_and_the_next_one_is_new():
    allowance = Allowance(100)
    assert [allowance.takes("a", 60), allowance.takes("a", 60), allowance.takes("a", 1)] == [
        True,
        False,
        False,
    ]
    assert allowance.is_used_up("a")
    assert allowance.takes("b", 100)
    assert allowance.is_used_up("b")
    allowance.forget()
    assert allowance.takes("a", 100)
    allowance.settle()
    allowance.forget()
    assert not allowance.takes("a", 1)
    assert all(Allowance(0).takes("a", 10**9) for _ in range(3))


@pytest.mark.parametrize("share", [7, 100])
async def test_what_is_stored_and_what_is_counted_make_up_all_that_was_written(
    tmp_path: Path, share: int
):
    events, made = Events(), container(tmp_path)
    written = [record(f"{n:05d}", n // 1000) for n in range(5000)]
    assert made.log_path is not None
    made.log_path.write_text("".join(written))
    async with shipping(tmp_path, events, bytes_per_second=500, share=share) as shipper:
        shipper.follow(WANT, made)
        await until(lambda: len(lines(events)) + dropped(events) == 5000 and not shipper.lag())
    # Of each second the first hundred lines fit; order is kept, and nothing came twice.
    assert lines(events) == [f"{n:05d}" for n in range(5000) if n % 1000 < 100]
    assert events.doubled == 0
    told = next(row for row in stored(events) if row.record != "{}")
    assert json.loads(told.value).startswith("Not collected: ")
    assert json.loads(told.scope) == {"name": "snow.spcs.platform"}


async def test_without_a_limit_all_is_stored(tmp_path: Path):
    events, made = Events(), container(tmp_path)
    assert made.log_path is not None
    made.log_path.write_text("".join(record(f"{n:05d}", 0) for n in range(5000)))
    async with shipping(tmp_path, events, bytes_per_second=0) as shipper:
        shipper.follow(WANT, made)
        await until(lambda: len(events.rows) == 5000)
    assert lines(events) == [f"{n:05d}" for n in range(5000)]


async def test_a_long_line_that_is_cut_by_the_limit_does_not_confuse_the_next_one(tmp_path: Path):
    events, made = Events(), container(tmp_path)
    told = json.dumps({"body": "structured"}).replace('"', '\\"')
    assert made.log_path is not None
    with made.log_path.open("w") as file:
        file.write(record("a" * 90, 0))
        file.write(record("b" * 90, 0, end="") + record("c" * 90, 0, end=""))
        file.write(record("d", 1) + record(told, 2))
    async with shipping(tmp_path, events, bytes_per_second=100) as shipper:
        shipper.follow(WANT, made)
        await until(lambda: len(lines(events)) == 3)
    assert lines(events) == ["a" * 90, "d", "structured"]
    assert dropped(events) == 2


def rotate(path: Path, keep: int) -> None:
    for number in range(keep, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.with_name(f"{path.name}.{keep + 1}").unlink(missing_ok=True)
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()


async def test_files_that_are_rotated_away_while_events_is_away_are_held(tmp_path: Path):
    events, made = Events(away=True), container(tmp_path)
    path = made.log_path
    assert path is not None
    async with shipping(tmp_path, events) as shipper:
        shipper.follow(WANT, made)
        held = Ledger(tmp_path / "ledger").held(next(Ledger(tmp_path / "ledger").load()))
        for part in range(8):
            path.write_text("".join(record(f"{part}-{n}", part) for n in range(10)))
            rotate(path, 2)
            await until(lambda part=part: held.exists() and len(list(held.iterdir())) > part)
        path.write_text(record("last", 9))
        events.away = False
        await until(lambda: len(lines(events)) == 81)
        await until(lambda: not list(held.iterdir()))
    assert lines(events) == [f"{part}-{n}" for part in range(8) for n in range(10)] + ["last"]


def test_beyond_the_spool_the_oldest_is_kept_and_the_loss_is_counted(tmp_path: Path):
    path = tmp_path / "x-json.log"
    one = "".join(record(f"0-{n}", 0) for n in range(10))
    reader = LogReader(path, held=tmp_path / "held")
    for part in range(6):
        path.write_text(one.replace('"0-', f'"{part}-'))
        rotate(path, 1)
        reader.hold(2 * len(one) - reader.held_bytes())
    path.write_text(record("last", 9))
    found = [made.text for made in reader.read(1000)]
    assert found[:20] == [f"{part}-{n}" for part in (0, 1) for n in range(10)]
    assert found[-1] == "last"
    assert reader.lost_files == 3
    reader.close()


def test_parts_that_are_held_and_still_the_engines_are_read_once(tmp_path: Path):
    path = tmp_path / "x-json.log"
    reader = LogReader(path, held=tmp_path / "held")
    found: list[str] = []
    for part in range(6):
        path.write_text("".join(record(f"{part}-{n}", 0) for n in range(5)))
        found += [made.text for made in reader.read(3)]
        rotate(path, 9)
        reader.hold(1 << 20)
        if reader.place is not None:
            reader.release(reader.place)
    while more := reader.read(4):
        found += [made.text for made in more]
        reader.hold(1 << 20)
        assert reader.place is not None
        reader.release(reader.place)
    assert found == [f"{part}-{n}" for part in range(6) for n in range(5)]
    assert reader.lost_files == 0
    reader.close()


def test_lost_files_are_told():
    place, last = Place(2, 7, 100), record_of("x")
    (line,) = rows.Lost(files=2).told(place, last, "INFO")
    assert json.loads(line.record_attributes) == {"snow.dropped.files": 2}
    assert (line.generation, line.offset) == (2, 99)
    assert rows.Lost(files=2).told(place, last, "NONE") == []
    assert rows.Lost().told(place, last, "INFO") == []


def test_a_reader_skips_a_second_and_knows_how_its_streams_stand(tmp_path: Path):
    path = tmp_path / "x-json.log"
    path.write_text(
        record("one", 0)
        + record("two", 0) * 50
        + record("torn", 0, "stderr", end="")
        + record("whole \\\\n", 0, end="")
        + record("next", 1)
    )
    reader = LogReader(path)
    assert [one.text for one in reader.read(1)] == ["one"]
    assert reader.skip("2026-01-01T00:00:00") is None  # the next second is in sight
    with path.open("r+") as file:
        size = os.path.getsize(path) - len(record("next", 1))
        file.truncate(size)
    skipped = reader.skip("2026-01-01T00:00:00")
    assert skipped is not None
    assert (skipped.records, skipped.broken) == (52, {"stderr": True, "stdout": True})
    assert reader.skip("2026-01-01T00:00:00") is None
    reader.close()


def test_what_no_text_may_hold_is_replaced():
    told = rows.rows(
        [record_of('{"body": "half \\ud800 pair", "attributes": {"big": 123456789012345678901}}')],
        "INFO",
        set(),
    )
    assert json.loads(told[0].value) == "half ? pair"
    assert json.loads(told[0].record_attributes)["big"] == 123456789012345678901


def record_of(text: str) -> Record:
    place = Place(0, 1, 0)
    return Record(text, "stdout", "2026-01-01T00:00:00Z", True, place, place)


class LateEvents(Events):
    """Stores at once and acknowledges when it is let, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.is_cut = asyncio.Event(), False

    async def append(self, requests: AsyncIterator[AppendRequest]) -> AsyncGenerator[AppendReply]:
        async for reply in super().append(requests):
            await self.let.wait()
            if self.is_cut:
                self.is_cut = False
                raise Unavailable("events does not answer.")
            yield reply


@pytest.mark.parametrize("accident", ["the acknowledgement is lost", "the container is removed"])
async def test_what_was_dropped_counts_once_whatever_happens_while_it_is_on_its_way(
    tmp_path: Path, accident: str
):
    events, made = LateEvents(), container(tmp_path)
    path = made.log_path
    assert path is not None
    path.write_text("".join(record(f"{n:03d}", 0) for n in range(50)))
    async with shipping(tmp_path, events, bytes_per_second=40) as shipper:
        shipper.follow(WANT, made)
        await until(lambda: dropped(events))
        with path.open("a") as file:
            file.write("".join(record(f"{n:03d}", 0) for n in range(50, 100)))
        if "removed" in accident:
            await shipper.keep(made)
            path.unlink()
        else:
            events.is_cut = True
        events.let.set()
        await until(lambda: len(lines(events)) + dropped(events) >= 100)
        await until(lambda: not shipper.lag())
    assert len(lines(events)) + dropped(events) == 100
    assert events.doubled == (0 if "removed" in accident else len(lines(events)) + 1)
