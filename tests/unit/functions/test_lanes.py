"""Who has the next turn at a service, where somebody waits for one."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from snowcave.functions.lanes import Lanes, Turn
from snowcave.functions.routing import Instance
from snowcave.functions.settings import BatchSettings
from snowcave.functions.targets import Aim, Targets

SLOW, QUICK = Aim(1, 7, "slow"), Aim(2, 7, "quick")
FIRST, SECOND = Instance("7-0-1", "127.0.0.1", 8000), Instance("7-1-1", "127.0.0.2", 8000)
_WINDOW = 2


class Ready:
    """The instances of every function."""

    def __init__(self, *instances: Instance) -> None:
        self.instances = instances

    def ready(self, _aim: Aim) -> Sequence[Instance]:
        return self.instances

    def subscribe(self, _callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


def lanes_to(*instances: Instance) -> Lanes:
    settings = BatchSettings(first_window=_WINDOW)
    return Lanes(cast("Targets", Ready(*instances)), settings, random.Random(1))


@asynccontextmanager
async def waiting(lanes: Lanes, *asked: Any) -> AsyncGenerator["asyncio.Task[Turn]"]:
    """Somebody who could not have a turn at once."""
    task = asyncio.ensure_future(lanes.take(*asked))
    await asyncio.sleep(0)
    assert not task.done()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_function_that_is_busy_keeps_no_other_one_of_its_query_waiting():
    lanes = lanes_to(FIRST)
    for _ in range(_WINDOW):
        await lanes.take(SLOW, "query")
    quick = [await lanes.take(QUICK, "query") for _ in range(_WINDOW)]
    async with waiting(lanes, SLOW, "query") as slow, waiting(lanes, QUICK, "query") as next_one:
        lanes.give_back(quick[0])
        async with asyncio.timeout(10):
            assert (await next_one).aim == QUICK
        assert not slow.done()


async def test_a_batch_that_avoids_the_free_instance_keeps_no_other_one_waiting():
    lanes = lanes_to(FIRST, SECOND)
    turns = [await lanes.take(QUICK, "query") for _ in range(2 * _WINDOW)]
    free = next(turn for turn in turns if turn.instance is SECOND)
    async with (
        waiting(lanes, QUICK, "query", {SECOND.name}) as again,
        waiting(lanes, QUICK, "query") as next_one,
    ):
        lanes.give_back(free)
        async with asyncio.timeout(10):
            assert (await next_one).instance is SECOND
        assert not again.done()


async def test_those_that_wait_for_the_same_thing_go_in_their_order():
    lanes = lanes_to(FIRST)
    turns = [await lanes.take(QUICK, "query") for _ in range(_WINDOW)]
    async with waiting(lanes, QUICK, "query") as first, waiting(lanes, QUICK, "query") as second:
        lanes.give_back(turns[0])
        async with asyncio.timeout(10):
            await first
        assert not second.done()


async def test_nothing_is_left_of_those_that_wait_no_more():
    lanes = lanes_to(FIRST)
    turns = [await lanes.take(QUICK, "query") for _ in range(_WINDOW)]
    async with waiting(lanes, QUICK, "other"), waiting(lanes, QUICK, "query"):
        pass
    for turn in turns:
        lanes.give_back(turn)
    assert lanes.is_idle
