"""The stamps of calls by which idle services are put to rest."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from snowcave.functions.uses import Uses
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import VirtualClock
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

INTERVAL = 15.0
SERVICE = 7


class World:
    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.store = MemoryStore(Role.FUNCTIONS, self.backend)
        self.clock = VirtualClock()

    async def exists(self, service: int) -> None:
        api = MemoryStore(Role.API, self.backend)
        key = keys.catalog("service").key(service)
        await api.put(key, state.Object(uid=service).SerializeToString())

    async def called(self, service: int = SERVICE) -> datetime | None:
        kept = await self.store.get(keys.SERVICE_USE.key(service))
        return kept and state.ServiceUse.FromString(kept.value).called_on.ToDatetime(UTC)

    async def revision(self) -> int:
        kept = await self.store.get(keys.SERVICE_USE.key(SERVICE))
        return kept.mod_revision if kept else 0

    @asynccontextmanager
    async def stamping(self) -> AsyncGenerator[Uses]:
        async with follow(self.store, keys.catalog("service")) as services:
            uses = Uses(self.store, services, self.clock, INTERVAL)
            async with background(uses.run()):
                yield uses


async def test_a_first_call_is_told_at_once_and_many_calls_once_an_interval():
    world = World()
    await world.exists(SERVICE)
    seen: set[int] = set()
    async with world.stamping() as uses:
        with uses.of(SERVICE):
            await asyncio.sleep(1)
            assert await world.called() is not None
        for _ in range(600):  # a minute
            with uses.of(SERVICE):
                await asyncio.sleep(0.1)
            seen.add(await world.revision())
        told = await world.called()
        assert told is not None
        assert (world.clock.now() - told).total_seconds() <= INTERVAL + 1
        assert len(seen - {0}) <= 60 / INTERVAL + 1

        ended = world.clock.now()
        await asyncio.sleep(2 * INTERVAL)
        told = await world.called()
        # The last call has been told, too, and then there is silence.
        assert told is not None
        assert told >= ended
        still = await world.revision()
        await asyncio.sleep(10 * INTERVAL)
        assert await world.revision() == still


async def test_a_call_that_takes_long_keeps_its_service_in_use():
    world = World()
    await world.exists(SERVICE)
    async with world.stamping() as uses:
        with uses.of(SERVICE):
            await asyncio.sleep(1000)
            told = await world.called()
            assert told is not None
            assert (world.clock.now() - told).total_seconds() <= INTERVAL + 1


async def test_a_stamp_that_could_not_be_written_is_written_later():
    world = World()
    await world.exists(SERVICE)
    async with world.stamping() as uses:
        await asyncio.sleep(1)
        world.store.reachable = False
        with uses.of(SERVICE):
            pass
        await asyncio.sleep(INTERVAL)
        world.store.reachable = True
        await asyncio.sleep(2 * INTERVAL)
        assert await world.called() is not None


async def test_a_store_in_trouble_is_asked_once_an_interval_however_many_calls_there_are():
    world = World()
    await world.exists(SERVICE)
    async with world.stamping() as uses:
        await asyncio.sleep(1)
        asked = 0

        async def refusing(*_: object) -> None:
            nonlocal asked
            asked += 1
            raise Unavailable("the store")

        cast("Any", world.store).txn = refusing
        for _ in range(600):  # a minute
            with uses.of(SERVICE):
                await asyncio.sleep(0.1)
        assert 1 <= asked <= 60 / INTERVAL + 1


async def test_the_stamp_of_a_service_that_is_gone_goes_with_time():
    world = World()
    await world.exists(SERVICE)
    await world.store.put(keys.SERVICE_USE.key(99), b"")
    async with world.stamping() as uses:
        with uses.of(SERVICE):
            await asyncio.sleep(3600)
            assert await world.store.get(keys.SERVICE_USE.key(99)) is None
            assert await world.called() is not None


async def test_the_stamp_of_a_service_that_another_router_heard_of_first_stays():
    world = World()
    fresh = state.ServiceUse()
    fresh.called_on.FromDatetime(world.clock.now())
    await world.store.put(keys.SERVICE_USE.key(99), fresh.SerializeToString())
    async with world.stamping():
        await asyncio.sleep(30)
        assert await world.called(99) is not None
