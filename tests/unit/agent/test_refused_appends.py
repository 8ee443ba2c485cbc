"""What the events daemon refuses for good is found and passed over; all else is stored."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import prometheus_client
import pytest

from snowcave.agent.logs import rows
from snowcave.agent.logs.ledger import Ledger
from snowcave.agent.logs.rows import Columns, Line
from snowcave.agent.logs.shipper import LogSettings, open_shipper
from snowcave.agent.refusals import Parts
from snowcave.agent.telemetry.sending import Parcel, SendSettings, open_sender
from snowcave.events import intake
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import ValueInvalid
from snowcave.v1.events_pb2 import AppendReply, AppendRequest, EventRow, Resource
from tests.kit.agent_node import Events, assignment
from tests.kit.log_containers import container


def line(offset: int, text: str) -> Line:
    return Line(1_767_225_600_000_000, 3, offset, f'"{text}"', "{}", f'{{"n":{offset % 3}}}')


def request(*texts: str, metrics: int = 0) -> AppendRequest:
    """Lines of two containers, and metrics of a third."""
    columns = Columns(9)
    half = len(texts) // 2
    columns.add(Resource(container_run_id="a"), [line(n, t) for n, t in enumerate(texts[:half])])
    columns.add(Resource(container_run_id="b"), [line(n, t) for n, t in enumerate(texts[half:])])
    made = columns.request()
    if metrics:
        made.resources.add(source="c")
    for number in range(metrics):
        row = made.rows.add(resource=len(made.resources) - 1, value=f'"m{number}"', offset=number)
        row.timestamp.FromSeconds(1_767_225_600)
    return made


def told(part: AppendRequest) -> list[tuple[str, int, str, str]]:
    """As the events daemon reads it: whose, which, and what it says."""
    found = intake.read(part)
    values = found.others["value"].to_pylist()
    return [
        (found.sources[found.kinds[kind][0]], int(offset), found.kinds[kind][1][2], value)
        for kind, offset, value in zip(found.kind, found.offset, values, strict=True)
    ]


def outcome(parts: Parts, bad: set[str]) -> tuple[list[str], list[str], int]:
    """What is stored, what is passed over, and how often something was refused."""
    stored: list[str] = []
    passed_over: list[str] = []
    refusals = 0
    while (part := parts.first) is not None:
        values = [value for *_, value in told(part)]
        if bad.isdisjoint(values):
            stored += values
            parts.stored()
            continue
        refusals += 1
        if (gone := parts.refused()) is not None:
            passed_over += [value for *_, value in told(gone)]
    return stored, passed_over, refusals


@pytest.mark.parametrize("metrics", [0, 3])
def test_halves_say_what_the_whole_said(metrics: int):
    whole = request(*"abcdefg", metrics=metrics)
    parts = Parts(whole, 100)
    assert parts.refused() is None
    found: list[tuple[str, int, str, str]] = []
    while (part := parts.first) is not None:
        assert part.sequence == 9
        found += told(part)
        parts.stored()
    assert found == told(whole)


def test_a_part_holds_nothing_that_its_rows_do_not_name():
    parts = Parts(request(*"abcdefgh"), 100)
    parts.refused()
    assert parts.first is not None
    assert [one.container_run_id for one in parts.first.resources] == ["a"]


@pytest.mark.parametrize("seed", range(20))
def test_only_the_rows_at_fault_are_passed_over_in_order(seed: int):
    rng = random.Random(seed)
    texts = [f"t{number}" for number in range(rng.randint(2, 60))]
    bad = {f'"{text}"' for text in rng.sample(texts, 2)} | {'"m1"'}
    stored, gone, _ = outcome(Parts(request(*texts, metrics=3), 100), bad)
    everything = [*(f'"{text}"' for text in texts), '"m0"', '"m1"', '"m2"']
    assert stored == [one for one in everything if one not in bad]
    assert gone == [one for one in everything if one in bad]


def test_one_line_among_many_is_found_in_a_few_rounds():
    texts = [f"t{number}" for number in range(2000)]
    stored, gone, refusals = outcome(Parts(request(*texts), 64), {'"t1234"'})
    assert (len(stored), gone) == (1999, ['"t1234"'])
    assert refusals <= 12


def test_a_batch_of_nothing_else_comes_to_an_end_soon():
    texts = [f"t{number}" for number in range(2000)]
    stored, gone, refusals = outcome(Parts(request(*texts), 64), {f'"{text}"' for text in texts})
    assert (stored, len(gone)) == ([], 2000)
    assert refusals < 90


class Choosy(Events):
    """Refuses what holds a certain text, for good, as the events daemon does."""

    async def append(self, requests: AsyncIterator[AppendRequest]) -> AsyncGenerator[AppendReply]:
        async def looked_at() -> AsyncGenerator[AppendRequest]:
            async for one in requests:
                if b"bad" in one.lines.value or any("bad" in row.value for row in one.rows):
                    raise ValueInvalid("A row has a timestamp that no calendar has.")
                yield one

        async for reply in super().append(looked_at()):
            yield reply


def refused_lines() -> float:
    found = prometheus_client.REGISTRY.get_sample_value("snowcave_agent_refused_lines_total")
    assert found is not None
    return found


async def test_the_lines_behind_a_refused_one_arrive(tmp_path: Path):
    events, made = Choosy(), container(tmp_path)
    assert made.log_path is not None
    with made.log_path.open("a") as file:
        for text in ("one", "bad", "two", "three", "bad too", "four"):
            file.write(f'{{"log":"{text}\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}}\n')
    before = refused_lines()
    async with open_shipper(
        Ledger(tmp_path / "ledger"),
        events,
        lambda want, made: rows.resource("A", "node-1", "CPU_X64_XS", want, made),
        LogSettings(idle=0.01, batch=5, share=5),
        LoopClock(),
        random.Random(1),
    ) as shipping:
        shipping.follow(assignment(), made)
        async with asyncio.timeout(60):
            while len(events.rows) < 4 or shipping.lag():
                await asyncio.sleep(0.005)
    assert events.values() == ['"one"', '"two"', '"three"', '"four"']
    assert refused_lines() - before == 2


class ChoosyTable:
    def __init__(self) -> None:
        self.rows: list[str] = []

    async def append(self, requests: AsyncIterator[AppendRequest]) -> AsyncGenerator[AppendReply]:
        async for one in requests:
            values = [row.value for row in one.rows]
            if "bad" in values:
                raise ValueInvalid("A text of an append cannot be read.")
            self.rows += values
            yield AppendReply(sequence=one.sequence)


async def test_metrics_behind_a_refused_one_arrive():
    table = ChoosyTable()
    values = ["1", "2", "bad", "3", "4"]
    parcel = Parcel.of(Resource(service=1), [EventRow(value=value) for value in values])
    settings = SendSettings()
    async with open_sender("t/n1", table, settings, LoopClock(), random.Random(1)) as sending:
        sending.offer([parcel])
        async with asyncio.timeout(60):
            while len(table.rows) < 4:
                await asyncio.sleep(0.005)
    assert table.rows == ["1", "2", "3", "4"]
