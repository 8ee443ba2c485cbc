"""A leader's writes: refused after its reign, noticed where their answer was lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Conflict, Unavailable
from snowcave.model.keys import Role
from snowcave.scheduler.ledger import Ledger
from snowcave.store.api import Put
from snowcave.store.election import Reign, campaign
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

POOL = keys.POOL_STATUS.key(7)


@asynccontextmanager
async def leading(
    store: MemoryStore,
) -> AsyncGenerator[tuple[Ledger, Mirror[state.PoolStatus], Reign]]:
    async with (
        follow(store, keys.POOL_STATUS) as mirror,
        campaign(store, Role.SCHEDULER, "scheduler") as reign,
    ):
        await reign.wait_leading()
        yield Ledger(store, reign, [(keys.POOL_STATUS, mirror)], 5.0), mirror, reign


def write(text: str) -> Put:
    return Put(POOL, state.PoolStatus(state=text).SerializeToString())


async def test_a_turn_sees_every_write_before_it():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (ledger, mirror, _):
        for number in range(5):
            async with ledger.turn() as book:
                assert book.last_node == number
                book.last_node += 1
                await ledger.commit([write(str(number))], book)
                told = mirror.get(7)
                assert told is not None
                assert told.state == str(number)


async def test_a_write_whose_answer_was_lost_is_seen_by_the_next_turn():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (ledger, mirror, _):
        async with ledger.turn() as book:
            book.last_node = 1
            store.losing_answers = True
            with pytest.raises(Unavailable):
                await ledger.commit([write("landed")], book)
            store.losing_answers = False
        async with ledger.turn() as book:
            assert book.last_node == 1
            told = mirror.get(7)
            assert told is not None
            assert told.state == "landed"


async def test_a_write_that_lands_late_makes_the_one_decided_meanwhile_fail():
    backend = MemoryBackend()
    store = MemoryStore(Role.SCHEDULER, backend)
    async with leading(store) as (ledger, _, _):
        async with ledger.turn() as book:
            await ledger.commit([write("first")], book)
        async with ledger.turn() as book:
            # An earlier transaction of ours that was thought lost arrives now.
            await store.put(keys.LEDGER.key("leader"), book.SerializeToString())
            with pytest.raises(Conflict):
                await ledger.commit([write("blind")], book)
        held = backend.get(POOL)
        assert held is not None
        assert state.PoolStatus.FromString(held.value).state == "first"


async def test_nothing_is_written_once_another_reign_has_begun():
    backend = MemoryBackend()
    store = MemoryStore(Role.SCHEDULER, backend)
    async with leading(store) as (ledger, _, reign):
        async with ledger.turn() as book:
            await store.delete(reign.key)
            await store.put(reign.key, b"")
            with pytest.raises(Conflict):
                await ledger.commit([write("late")], book)
        assert backend.get(POOL) is None


async def test_a_standby_has_no_turn():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (ledger, _, reign):
        reign.end()
        with pytest.raises(Conflict):
            async with ledger.turn():
                pytest.fail("a turn without a reign")


async def test_a_mirror_that_falls_behind_is_waited_for_with_an_end():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (_, mirror, reign):
        silent = Mirror(keys.VMS, LoopClock())
        followed = [(keys.POOL_STATUS, mirror), (keys.VMS, silent)]
        lagging = Ledger(store, reign, followed, 5.0)
        await store.put(keys.VMS.key("local", "n1"), state.Vm(node="n1").SerializeToString())
        with pytest.raises(Unavailable):
            async with lagging.turn():
                pytest.fail("a turn on a view that is behind")
        assert asyncio.get_running_loop().time() >= 5.0


async def test_our_own_writes_are_known_before_any_watch_tells_of_them():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (_, mirror, reign):
        deaf = Mirror(keys.VMS, LoopClock())
        ledger = Ledger(store, reign, [(keys.POOL_STATUS, mirror), (keys.VMS, deaf)], 5.0)
        for name in ("n1", "n2"):
            vm = Put(keys.VMS.key("local", name), state.Vm(node=name).SerializeToString())
            async with ledger.turn() as book:
                await ledger.commit([vm], book)
        assert [parts[1] for parts, _ in deaf.items()] == ["n1", "n2"]


async def test_a_mirror_that_lists_again_behind_its_knowledge_has_to_catch_up_first():
    store = MemoryStore(Role.SCHEDULER)
    async with leading(store) as (ledger, mirror, _):
        async with ledger.turn() as book:
            await ledger.commit([write("first")], book)
        before = await store.list(keys.POOL_STATUS.prefix)
        async with ledger.turn() as book:
            await ledger.commit([write("second")], book)
        # An answer that was long under way.
        mirror.replace(before, keys.POOL_STATUS.prefix)
        told = mirror.get(7)
        assert told is not None
        assert told.state == "first"
        async with ledger.turn():
            told = mirror.get(7)
            assert told is not None
            assert told.state == "second"
