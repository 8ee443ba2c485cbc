"""What nobody can leave alone is waited for, however often the waiting task is cancelled."""

import asyncio
import threading

import pytest

from snowcave.kit.tasks import seen_through


async def test_the_answer_or_the_failure_comes_through():
    assert await seen_through(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        await seen_through(lambda: 1 / 0)


async def test_cancelling_waits_until_it_has_ended():
    go_on, ended = threading.Event(), threading.Event()

    def call() -> None:
        assert go_on.wait(60)
        ended.set()

    waiting = asyncio.create_task(seen_through(call))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
