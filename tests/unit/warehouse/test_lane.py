"""The lane for small calls: answered together, never behind one that takes long."""

import asyncio
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, current_thread

import pytest

from snowcave.warehouse.engine.lane import Lane

LONG = 30


@pytest.fixture
def pool() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="pool") as made:
        yield made


def where() -> str:
    return current_thread().name.split("_")[0]


async def test_calls_go_where_they_belong(pool: ThreadPoolExecutor) -> None:
    lane = Lane(pool)
    async with asyncio.timeout(LONG):
        assert await lane.submit(where, is_quick=True) == "sql-lane"
        assert await lane.submit(where, is_quick=False) == "pool"
    lane.close()


async def test_each_call_has_its_own_answer_or_error(pool: ThreadPoolExecutor) -> None:
    lane = Lane(pool)

    def answer(number: int) -> int:
        if number % 3 == 0:
            raise ValueError(number)
        return number

    calls = [
        lane.submit(lambda n=number: answer(n), is_quick=number % 2 == 0) for number in range(60)
    ]
    async with asyncio.timeout(LONG):
        told = await asyncio.gather(*calls, return_exceptions=True)
    expected = [n if n % 3 else repr(ValueError(n)) for n in range(60)]
    assert [repr(one) if isinstance(one, ValueError) else one for one in told] == expected
    lane.close()


async def test_nobody_waits_for_a_call_that_takes_long(pool: ThreadPoolExecutor) -> None:
    """Neither who was done before it nor who comes after it."""
    lane, release = Lane(pool), Event()
    before = lane.submit(where, is_quick=True)
    long = lane.submit(lambda: release.wait(LONG), is_quick=True)
    after = [lane.submit(where, is_quick=True) for _ in range(5)]
    try:
        async with asyncio.timeout(LONG):
            assert await before == "sql-lane"
            assert await asyncio.gather(*after) == ["pool"] * 5
            later = lane.submit(where, is_quick=True)
            assert await later == "pool"
        assert not long.done()
    finally:
        release.set()
    async with asyncio.timeout(LONG):
        assert await long
        assert await lane.submit(where, is_quick=True) == "sql-lane"
    lane.close()


async def test_an_answer_that_nobody_waits_for_harms_nobody(pool: ThreadPoolExecutor) -> None:
    lane, release = Lane(pool), Event()
    given_up = lane.submit(lambda: release.wait(LONG), is_quick=True)
    given_up.cancel()
    release.set()
    async with asyncio.timeout(LONG):
        assert await lane.submit(where, is_quick=False) == "pool"
        assert await lane.submit(lambda: 7, is_quick=True) == 7
    lane.close()
