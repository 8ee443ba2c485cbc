"""Items of a stream, and word of its silences."""

import asyncio

import pytest

from snowcave.kit.silence import or_silence

pytestmark = pytest.mark.looptime


async def items(*pauses):
    for number, pause in enumerate(pauses):
        await asyncio.sleep(pause)
        yield number


async def test_silences_are_told_between_items_and_none_is_lost():
    found = [item async for item in or_silence(items(0, 2.5, 0.5, 1.5), 1.0)]
    assert found == [0, None, None, 1, 2, None, 3]


async def test_what_the_stream_raises_is_raised_after_its_items():
    async def broken():
        yield 1
        await asyncio.sleep(1.5)
        raise ValueError("no more")

    told = or_silence(broken(), 1.0)
    assert [await anext(told), await anext(told)] == [1, None]
    with pytest.raises(ValueError, match="no more"):
        await anext(told)


async def test_who_leaves_ends_the_wait_for_the_next_item():
    ended = []

    async def endless():
        try:
            yield 1
            await asyncio.sleep(1000)
        finally:
            ended.append(True)

    told = or_silence(endless(), 1.0)
    assert [await anext(told), await anext(told)] == [1, None]
    await told.aclose()
    assert ended == [True]
