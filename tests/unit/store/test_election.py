"""Campaigns over the store in memory, in virtual time."""

import asyncio

import pytest

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.store.api import Put
from snowcave.store.election import campaign
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

PLACE = Put(keys.VMS.key("h", "n"), b"")


def replicas(count: int) -> list[MemoryStore]:
    backend = MemoryBackend()
    return [MemoryStore(Role.SCHEDULER, backend) for _ in range(count)]


def running_for(store: MemoryStore):
    return campaign(store, Role.SCHEDULER, "main", ttl=10.0)


async def test_a_leader_that_is_cut_off_stops_before_another_begins():
    one, two = replicas(2)
    async with asyncio.timeout(300), running_for(one) as first:
        await first.wait_leading()
        async with running_for(two) as second:
            overlaps: list[bool] = []
            second.subscribe(lambda leading: overlaps.append(leading and first.leading))
            fence = first.fence()
            one.reachable = False
            await second.wait_leading()
            assert overlaps == [False]
            assert not first.leading
            one.reachable = True
            # What the paused leader sends late is refused.
            assert not (await one.txn([fence], [PLACE])).succeeded
            assert not (await one.txn([first.fence()], [PLACE])).succeeded
            assert (await two.txn([second.fence()], [PLACE])).succeeded
        await first.wait_leading()
        assert (await one.txn([first.fence()], [PLACE])).succeeded


async def test_leaving_hands_the_reign_on_at_once():
    one, two = replicas(2)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(300):
        async with running_for(one) as first:
            await first.wait_leading()
            waiting = running_for(two)
            second = await waiting.__aenter__()
            await asyncio.sleep(60)
            assert first.leading
            assert not second.leading
            left = loop.time()
        await second.wait_leading()
        assert loop.time() - left < 1.0
        await waiting.__aexit__(None, None, None)


async def test_a_claim_whose_answer_was_lost_is_found_again():
    (one,) = replicas(1)
    one.losing_answers = True
    async with asyncio.timeout(60), running_for(one) as reign:
        await reign.wait_leading()
        held = await one.get(reign.key)
        assert held is not None
        assert held.create_revision == reign.fence().create_revision


async def test_a_store_that_goes_away_ends_the_reign_within_its_lease_and_it_comes_back():
    (one,) = replicas(1)
    told: list[bool] = []
    async with asyncio.timeout(300), running_for(one) as reign:
        reign.subscribe(told.append)
        await reign.wait_leading()
        before = reign.fence()
        one.backend.available = False
        await asyncio.sleep(10.1)
        assert not reign.leading
        one.backend.available = True
        await reign.wait_leading()
        assert told == [True, False, True]
        assert reign.fence() != before


async def test_nobody_passes_the_fence_of_one_who_never_led():
    one, two = replicas(2)
    async with asyncio.timeout(60), running_for(one) as first, running_for(two) as second:
        await asyncio.sleep(5)
        leader, other = (first, second) if first.leading else (second, first)
        assert (await one.txn([leader.fence()], [PLACE])).succeeded
        assert not (await one.txn([other.fence()], [PLACE])).succeeded


async def test_a_leader_whose_key_is_taken_away_campaigns_again():
    one, two = replicas(2)
    async with asyncio.timeout(60), running_for(one) as reign:
        await reign.wait_leading()
        before = reign.fence()
        await two.delete(reign.key)
        await asyncio.sleep(1)
        await reign.wait_leading()
        assert reign.fence() != before
