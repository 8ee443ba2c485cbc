"""Lines reach the event table once each, whatever goes away meanwhile."""

import asyncio
import errno
import os
import random
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from snowcave.agent.engine.api import Container
from snowcave.agent.logs import rows
from snowcave.agent.logs.ledger import Entry, Ledger
from snowcave.agent.logs.shipper import LogSettings, Shipper, open_shipper
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.v1.events_pb2 import AppendReply, AppendRequest, Resource
from tests.kit.agent_node import Events, assignment
from tests.kit.log_containers import container

WANT = assignment()


def write(made: Container, *texts: str) -> None:
    assert made.log_path is not None
    with made.log_path.open("a") as file:
        for text in texts:
            file.write(f'{{"log":"{text}\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}}\n')


@asynccontextmanager
async def shipper(
    folder: Path, events: Events, ledger: Ledger | None = None
) -> AsyncGenerator[Shipper]:
    async with open_shipper(
        ledger or Ledger(folder / "ledger"),
        events,
        lambda want, made: rows.resource("A", "node-1", "CPU_X64_XS", want, made),
        LogSettings(idle=0.01, batch=3, share=2, retry_cap=0.05),
        LoopClock(),
        random.Random(1),
    ) as made:
        yield made


async def until(events: Events, count: int) -> None:
    async with asyncio.timeout(10):
        while len(events.rows) < count:
            await asyncio.sleep(0.005)


async def acknowledged(shipping: Shipper) -> None:
    async with asyncio.timeout(10):
        while shipping.lag():
            await asyncio.sleep(0.005)


async def test_lines_arrive_with_who_said_them(tmp_path: Path):
    events, made = Events(), container(tmp_path)
    write(made, "one", "two")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await until(events, 2)
        write(made, "three")
        await until(events, 3)
    assert events.values() == ['"one"', '"two"', '"three"']


async def test_a_lost_acknowledgement_costs_nothing(tmp_path: Path):
    events, made = Events(forgetful=2), container(tmp_path)
    write(made, *"abcdefgh")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await until(events, 8)
    assert events.values() == [f'"{c}"' for c in "abcdefgh"]
    assert events.doubled > 0


async def test_a_restarted_shipper_goes_on_where_it_was(tmp_path: Path):
    events, made = Events(), container(tmp_path)
    write(made, "one", "two")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await until(events, 2)
        await acknowledged(shipping)
    write(made, "three")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await until(events, 3)
    assert events.doubled == 0


async def test_lines_outlive_their_container_while_events_is_away(tmp_path: Path):
    events, made = Events(away=True), container(tmp_path)
    write(made, "one", "two")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await shipping.keep(made)
        assert made.log_path is not None
        made.log_path.unlink()
    # Even an agent that was restarted meanwhile finds them.
    async with shipper(tmp_path, events):
        events.away = False
        await until(events, 2)
        async with asyncio.timeout(10):
            while list((tmp_path / "ledger").iterdir()):
                await asyncio.sleep(0.01)
    assert events.values() == ['"one"', '"two"']


class HungUpEvents(Events):
    """Ends the call while somebody else still waits for its next request, as gRPC does."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[asyncio.Task[int]] = []

    async def append(self, requests: AsyncIterator[AppendRequest]) -> AsyncGenerator[AppendReply]:
        async def read() -> int:
            return len([request async for request in requests])

        self.readers.append(asyncio.create_task(read()))
        await asyncio.sleep(0.01)
        raise Unavailable("events has hung up.")
        yield AppendReply()


async def test_nobody_is_left_waiting_for_requests_of_a_call_that_is_over(tmp_path: Path):
    events, made = HungUpEvents(), container(tmp_path)
    write(made, "one")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        async with asyncio.timeout(10):
            while len(events.readers) < 3:
                await asyncio.sleep(0.005)
    async with asyncio.timeout(10):
        await asyncio.gather(*events.readers)


class LateEvents(Events):
    """Acknowledges when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def append(self, requests: AsyncIterator[AppendRequest]) -> AsyncGenerator[AppendReply]:
        async for reply in super().append(requests):
            await self.let.wait()
            yield reply


class SlowLedger(Ledger):
    """Its `keep` lasts until it is let end; tells what else was written meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.began, self.let = threading.Event(), threading.Event()
        self.disturbed = 0

    def keep(self, entry: Entry) -> dict[int, int]:
        self.began.set()
        assert self.let.wait(10)
        self.began.clear()
        return super().keep(entry)

    def save(self, entry: Entry) -> None:
        self.disturbed += self.began.is_set()
        super().save(entry)


async def test_an_acknowledgement_waits_while_the_files_are_moved(tmp_path: Path):
    events, made, ledger = LateEvents(), container(tmp_path), SlowLedger(tmp_path / "ledger")
    write(made, "one")
    async with shipper(tmp_path, events, ledger) as shipping:
        shipping.follow(WANT, made)
        await until(events, 1)
        keeping = asyncio.create_task(shipping.keep(made))
        await asyncio.to_thread(ledger.began.wait, 10)
        events.let.set()
        for _ in range(50):  # the acknowledgement is on its way
            await asyncio.sleep(0)
        # What is written later, when all was acknowledged, nobody reads any more: the container is gone.
        write(made, "two")
        ledger.let.set()
        await keeping
        await until(events, 2)
    assert ledger.disturbed == 0
    assert events.values() == ['"one"', '"two"']


async def test_logs_that_cannot_be_linked_are_copied_and_read_on_from_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another mount")

    monkeypatch.setattr(os, "link", refuse)
    events, made = Events(), container(tmp_path)
    write(made, "one")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, made)
        await until(events, 1)
        await acknowledged(shipping)
        write(made, "two")
        await shipping.keep(made)
        await until(events, 2)
    assert events.values() == ['"one"', '"two"']
    assert {generation for _, generation, _ in events.rows} == {0}


async def test_a_loud_container_leaves_room_for_the_others(tmp_path: Path):
    events, loud, quiet = Events(), container(tmp_path, "loud"), container(tmp_path, "quiet")
    write(loud, *(f"n{n}" for n in range(500)))
    write(quiet, "psst")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, loud)
        shipping.follow(WANT, quiet)
        async with asyncio.timeout(10):
            while not any(run == "quiet" for run, _, _ in events.rows):
                await asyncio.sleep(0)
    assert len(events.rows) < 100


async def test_two_that_always_have_something_leave_room_for_a_third(tmp_path: Path):
    """A batch has room for one share and a half of another."""
    events = Events()
    loud = [container(tmp_path, name) for name in ("loud1", "loud2")]
    quiet = container(tmp_path, "quiet")
    for made in loud:
        write(made, *(f"n{n}" for n in range(500)))
    write(quiet, "psst")
    async with shipper(tmp_path, events) as shipping:
        for made in (*loud, quiet):
            shipping.follow(WANT, made)
        async with asyncio.timeout(10):
            while not any(run == "quiet" for run, _, _ in events.rows):
                await asyncio.sleep(0)
    assert len(events.rows) < 100


async def test_a_removed_container_is_forgotten_though_another_always_has_something(
    tmp_path: Path,
):
    events, loud, gone = Events(), container(tmp_path, "loud"), container(tmp_path, "gone")
    write(loud, *(f"n{n}" for n in range(2000)))
    write(gone, "bye")
    async with shipper(tmp_path, events) as shipping:
        shipping.follow(WANT, loud)
        shipping.follow(WANT, gone)
        await shipping.keep(gone)
        async with asyncio.timeout(10):
            while (tmp_path / "ledger" / "gone.json").exists():
                await asyncio.sleep(0)
        assert len(events.rows) < 2000
    assert any(run == "gone" for run, _, _ in events.rows)


class FullLedger(Ledger):
    """Its disk takes nothing for a while, from when it is said on."""

    refusals = 0

    def save(self, entry: Entry) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("No space left on device.")
        super().save(entry)


async def test_a_full_disk_of_the_node_holds_up_lines_and_loses_none(tmp_path: Path):
    events, made, ledger = Events(), container(tmp_path), FullLedger(tmp_path / "ledger")
    write(made, "one", "two", "three", "four", "five")
    async with shipper(tmp_path, events, ledger) as shipping:
        shipping.follow(WANT, made)
        ledger.refusals = 3
        await until(events, 5)
        await acknowledged(shipping)
    assert events.values() == [f'"{text}"' for text in ("one", "two", "three", "four", "five")]


def test_a_log_that_could_not_be_kept_is_not_taken_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made, ledger = container(tmp_path), Ledger(tmp_path / "ledger")
    write(made, "one")
    assert made.log_path is not None
    entry = Entry(made.id, made.log_path, Resource(), "INFO")
    ledger.save(entry)

    def full(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(Unavailable, match="No space left"):
            ledger.keep(entry)
    assert (entry.kept, entry.path) == (False, made.log_path)
    ledger.keep(entry)
    assert entry.kept
    assert next(ledger.load()).path == entry.path != made.log_path
