"""Messages that wait for their answers go out again where a stream breaks, and none twice in one stream."""

import asyncio

import pytest

from snowcave.kit.unanswered import Waiting

pytestmark = pytest.mark.looptime


async def read(messages, count):
    return [await anext(messages) for _ in range(count)]


async def test_a_new_stream_begins_with_what_is_unanswered():
    waiting = Waiting(10, 1000)
    for message in (b"a", b"b", b"c"):
        waiting.add(message)
    with waiting.stream() as first:
        assert await read(first, 3) == [b"a", b"b", b"c"]
        waiting.answer()
    waiting.add(b"d")
    waiting.finish()
    with waiting.stream() as second:
        assert [m async for m in second] == [b"b", b"c", b"d"]
    assert [m async for m in first] == []


async def test_answers_that_come_while_messages_go_out_skip_none():
    waiting, sent = Waiting(3, 1000), []

    async def feed():
        for number in range(50):
            await waiting.room()
            waiting.add(b"%d" % number)
        waiting.finish()

    async with asyncio.timeout(60):
        feeding = asyncio.ensure_future(feed())
        with waiting.stream() as messages:
            async for message in messages:
                sent.append(message)
                if len(sent) > 2:
                    waiting.answer()
        await feeding
    assert sent == [b"%d" % number for number in range(50)]


async def test_what_is_unanswered_has_a_bound():
    waiting = Waiting(2, 1000)
    waiting.add(b"a")
    waiting.add(b"b")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await waiting.room()
    waiting.answer()
    await waiting.room()


async def test_what_is_unanswered_has_a_bound_in_bytes():
    waiting = Waiting(10, 4)
    waiting.add(b"larger than all of it")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await waiting.room()
    waiting.answer()
    await waiting.room()
    waiting.add(b"abc")
    await waiting.room()


async def test_a_stream_that_waits_ends_when_another_one_begins():
    waiting = Waiting(2, 1000)
    with waiting.stream() as first:
        reading = asyncio.ensure_future(anext(first, None))
        await asyncio.sleep(1)
        assert not reading.done()
    assert await reading is None


async def test_few_are_missing_when_they_are_expected_soon():
    waiting, loop = Waiting(10, 1000), asyncio.get_running_loop()
    begin = loop.time()
    for message in (b"a", b"b", b"c", b"d"):
        waiting.add(message)
    waiting.finish()

    async def answer():
        for _ in range(4):
            await asyncio.sleep(2)
            waiting.answer()

    answering = asyncio.ensure_future(answer())
    await waiting.nearly_answered(2)  # of 4 in 2 seconds each, one is left
    assert (waiting.answered, loop.time() - begin) == (3, 6)
    await waiting.nearly_answered(1.9)
    assert (waiting.answered, loop.time() - begin) == (4, 8)
    await answering
