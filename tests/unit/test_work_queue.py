"""Keys that wait to be reconciled: once each, never two at a time, none lost."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from snowcave.kit.workqueue import WorkQueue

Run = Callable[[Coroutine[Any, Any, None]], None]
LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


async def test_a_key_waits_once_however_often_it_is_added():
    queue = WorkQueue[str]()
    for key in "aba":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 2


async def test_a_key_added_while_it_is_worked_on_runs_again_afterwards():
    queue = WorkQueue[str]()
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    queue.done("a")
    assert await queue.get() == "a"


@LOOPS
@pytest.mark.parametrize("seconds", [(60.0, 0.0), (0.0, 60.0), (0.0, 0.0), (60.0, 0.0001, 60.0)])
def test_the_earliest_time_that_was_asked_for_counts(run: Run, seconds: tuple[float, ...]):
    """On both loops: uvloop gives no timer for what is due at once."""

    async def add_and_get() -> None:
        queue = WorkQueue[str]()
        for some in seconds:
            queue.add_after("a", some)
        async with asyncio.timeout(10):
            assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    run(add_and_get())


@LOOPS
def test_a_key_that_was_due_can_be_put_off_again(run: Run):
    async def twice() -> None:
        queue = WorkQueue[str]()
        for _ in range(2):
            queue.add_after("a", 0)
            async with asyncio.timeout(10):
                assert await queue.get() == "a"
            queue.done("a")

    run(twice())
