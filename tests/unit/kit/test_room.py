"""Room for so many bytes: bounded, in order, and nothing of it is lost by those who give up."""

import asyncio

import pytest

from snowcave.kit.room import Room


async def begun(task: asyncio.Task[None]) -> bool:
    """Whether it is admitted, once it has had its turn."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task.done()


async def test_those_who_wait_are_admitted_in_their_order_though_a_later_one_would_fit():
    room = Room(10)
    await room.take(8)
    large, small = asyncio.create_task(room.take(5)), asyncio.create_task(room.take(1))
    assert not await begun(large)
    assert not await begun(small)
    room.give(8)
    assert await begun(large)
    assert await begun(small)
    assert room.taken == 6


async def test_what_is_larger_than_the_room_passes_alone():
    room = Room(10)
    await room.take(1)
    huge = asyncio.create_task(room.take(50))
    assert not await begun(huge)
    room.give(1)
    assert await begun(huge)
    assert room.taken == 50


@pytest.mark.parametrize("is_admitted", [False, True])
async def test_who_gives_up_waiting_leaves_nothing_taken(is_admitted: bool):
    room = Room(10)
    await room.take(10)
    first, then = asyncio.create_task(room.take(9)), asyncio.create_task(room.take(2))
    assert not await begun(first)
    if is_admitted:
        room.give(10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    if not is_admitted:
        room.give(10)
    assert await begun(then)
    assert room.taken == 2
