"""Batches of one call under way: what bounds them, and what becomes of their answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pyarrow as pa
import pytest

from snowcave.functions.batches import Batch
from snowcave.functions.lanes import Turn
from snowcave.functions.settings import BatchSettings
from snowcave.functions.targets import Aim
from snowcave.functions.under_way import Group, UnderWay

HEAD: Any = None
AIM = Aim(1, 1, "api")


class Lanes:
    """A turn for whoever asks, and none is passed on."""

    def __init__(self) -> None:
        self.given = self.returned = 0

    async def take(self) -> Turn:
        self.given += 1
        return Turn(AIM, "call", None)

    def pass_on(self, _turn: Turn) -> bool:
        return False

    def give_back(self, _turn: Turn) -> None:
        self.returned += 1


class Service:
    """Answers with 100 bytes a row, but for the batches that it is told to hold."""

    def __init__(self, *held: str) -> None:
        self.held = {batch: asyncio.Event() for batch in held}
        self.answered = 0

    async def work(self, batch: Batch, _turn: Turn) -> pa.Array:
        if batch.id in self.held:
            await self.held[batch.id].wait()
        self.answered += 1
        return pa.array(["x" * 96] * batch.rows)  # and an offset of 4 bytes each


@asynccontextmanager
async def calling(service: Service, settings: BatchSettings) -> AsyncGenerator[UnderWay]:
    lanes = Lanes()
    under_way = UnderWay(service.work, lanes.take, cast("Any", lanes), settings)
    try:
        async with asyncio.timeout(20):
            yield under_way
    finally:
        await under_way.end()
        await asyncio.sleep(0)
        assert lanes.given == lanes.returned


def batch(number: int, size: int = 10) -> Batch:
    return Batch(str(number), 1, b"x" * size, HEAD)


async def settled() -> None:
    """What can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def fill(under_way: UnderWay, group: Group, numbers: range, size: int = 10) -> int:
    """How many of them had room without a wait for others that are held."""
    for count, number in enumerate(numbers):
        room = asyncio.ensure_future(under_way.room(group))
        await settled()
        if not room.done():
            room.cancel()
            return count
        under_way.add(group, batch(number, size))
        await settled()
    return len(numbers)


async def test_answers_that_wait_for_those_of_earlier_rows_are_bounded():
    service = Service("0", "3")
    async with calling(service, BatchSettings(in_flight=1000, waiting_bytes=450)) as under_way:
        first, second, third, fourth = (under_way.begin(None) for _ in range(4))
        assert await fill(under_way, first, range(1)) == 1
        assert await fill(under_way, second, range(1, 3)) == 2
        assert await fill(under_way, third, range(3, 4)) == 1
        for group in (first, second):
            under_way.finish_group(group)
        # With the two answers of the second group they are 520 bytes.
        assert await fill(under_way, fourth, range(10, 99)) == 3
        service.held["0"].set()
        groups = under_way.answered()
        assert [await anext(groups), await anext(groups)] == [first, second]
        # What was taken waits no more; and what is taken next cannot be before it is whole.
        assert await fill(under_way, fourth, range(13, 99)) == 2
        assert await fill(under_way, third, range(20, 50)) == 30
        service.held["3"].set()
        for group in (third, fourth):
            under_way.finish_group(group)
        under_way.finish(None)
        assert [len(group.answers) async for group in groups] == [31, 5]


@pytest.mark.parametrize(
    ("settings", "had_room"),
    [
        (BatchSettings(in_flight=3), 3),
        (BatchSettings(in_flight_bytes=35), 4),
        # One has room always, or there would never be an end.
        (BatchSettings(in_flight_bytes=5), 1),
    ],
)
async def test_batches_that_are_unanswered_are_bounded(settings: BatchSettings, had_room: int):
    service = Service(*(str(number) for number in range(9)))
    async with calling(service, settings) as under_way:
        group = under_way.begin(None)
        assert await fill(under_way, group, range(9)) == had_room
        service.held["0"].set()
        assert await fill(under_way, group, range(had_room, 9)) == 1


async def test_what_is_left_is_cancelled_and_gives_its_turns_back():
    service = Service("0", "1")
    async with calling(service, BatchSettings()) as under_way:
        group = under_way.begin(None)
        assert await fill(under_way, group, range(2)) == 2
    assert service.answered == 0
