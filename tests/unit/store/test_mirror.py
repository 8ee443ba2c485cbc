"""Mirrors over the store in memory, in virtual time."""

import asyncio

import pytest

from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.store.api import Delete, Put
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore

pytestmark = pytest.mark.looptime


def an_object(uid: int) -> bytes:
    return state.Object(uid=uid).SerializeToString()


def service_key(uid: int) -> str:
    return keys.catalog("service").key(uid)


async def test_one_domain_and_all_domains_see_the_same_objects():
    store = MemoryStore(Role.API)
    await store.put(service_key(1), an_object(1))
    await store.put(keys.catalog("role").key(2), an_object(2))
    async with (
        follow(store, keys.CATALOG) as everything,
        follow(store, keys.catalog("service")) as services,
        follow(store, keys.CATALOG, "role") as roles,
    ):
        assert everything.get("service", 1) == services.get(1)
        assert [parts for parts, _ in everything.items("role")] == [("role", "2")]
        assert [entry.uid for entry in roles.values()] == [2]
        assert len(everything) == 2
        entry = services.entry("1")
        assert entry is not None
        assert entry.mod_revision == entry.create_revision == 2


async def test_subscribers_hear_of_a_batch_once_all_of_it_is_applied():
    store = MemoryStore(Role.API)
    await store.put(service_key(1), an_object(1))
    heard: list[tuple[tuple[str, ...], bool, int]] = []
    async with asyncio.timeout(60), follow(store, keys.catalog("service")) as mirror:
        stop = mirror.subscribe(
            lambda parts, message: heard.append((parts, message is None, len(mirror)))
        )
        await store.txn([], [Delete(service_key(1)), *(_put(n) for n in (2, 3))])
        await mirror.wait(lambda m: m.get(3) is not None)
        assert heard == [(("1",), True, 2), (("2",), False, 2), (("3",), False, 2)]
        stop()
        await store.put(service_key(4), an_object(4))
        await mirror.wait(lambda m: m.get(4) is not None)
        assert len(heard) == 3


def _put(number: int) -> Put:
    return Put(service_key(number), an_object(number))


async def test_it_goes_on_while_the_store_is_away_and_says_how_stale_it_is():
    store = MemoryStore(Role.API)
    clock = LoopClock()
    await store.put(service_key(1), an_object(1))
    async with asyncio.timeout(600), follow(store, keys.catalog("service")) as mirror:
        await asyncio.sleep(100)
        assert mirror.stale(clock) <= store.backend.progress
        store.backend.available = False
        await asyncio.sleep(100)
        assert mirror.get(1) is not None
        assert mirror.stale(clock) >= 90
        store.backend.available = True
        await asyncio.sleep(10)
        assert mirror.stale(clock) <= store.backend.progress


async def test_after_compaction_it_lists_again_and_tells_the_differences_only():
    store, follower = MemoryStore(Role.API), None
    follower = MemoryStore(Role.DNS, store.backend)
    for number in (1, 2, 3):
        await store.put(service_key(number), an_object(number))
    heard: list[tuple[tuple[str, ...], bool]] = []
    async with asyncio.timeout(60), follow(follower, keys.catalog("service")) as mirror:
        mirror.subscribe(lambda parts, message: heard.append((parts, message is None)))
        follower.reachable = False
        await store.delete(service_key(1))
        await store.put(service_key(2), an_object(20))
        await store.put(service_key(4), an_object(4))
        store.backend.compact()
        follower.reachable = True
        await mirror.wait(lambda m: m.get(4) is not None)
        assert sorted(heard) == [(("1",), True), (("2",), False), (("4",), False)]
        async with follow(store, keys.catalog("service")) as fresh:
            assert fresh.digest() == mirror.digest()


async def test_a_value_that_does_not_decode_is_counted_and_absent():
    store = MemoryStore(Role.API)
    async with asyncio.timeout(60), follow(store, keys.catalog("service")) as mirror:
        await store.put(service_key(1), an_object(1))
        await store.put(service_key(1), b"\xff\xff")
        await store.put(service_key(2), an_object(2))
        await mirror.wait(lambda m: m.get(2) is not None)
        assert mirror.get(1) is None
        assert mirror.undecodable == 1
        await store.put(service_key(1), an_object(10))
        await mirror.wait(lambda m: m.get(1) is not None)


async def test_following_a_store_that_is_away_ends_with_unavailable():
    store = MemoryStore(Role.API)
    store.backend.available = False
    with pytest.raises(Unavailable):
        async with follow(store, keys.catalog("service"), patience=30.0):
            pass
