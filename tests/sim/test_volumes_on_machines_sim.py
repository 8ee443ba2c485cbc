"""Instances with block volumes go to the machine that has them, of several."""

import pytest
import structlog

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.simulated_ground import POOL, SERVICE, Ground, scenario
from tests.kit.simulated_nodes import simulated_host
from tests.kit.simulated_scheduler import Scheduler, until


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


async def with_volumes(world: Ground, count: int, homes: dict[int, str]) -> None:
    """The service comes before its pool, so that nothing is placed before all is there."""
    await world.catalog.service(SERVICE, POOL, count)
    held = await world.catalog.store.get(keys.CATALOG.key("service", SERVICE))
    assert held is not None
    service = state.Object.FromString(held.value)
    service.service.spec.volumes.add(name="data", source="block", size_bytes=1 << 30)
    await world.catalog.put("service", service)
    agent = MemoryStore(Role.AGENT, world.backend)
    for ordinal, home in homes.items():
        record = state.BlockSet(host=home, volumes=["data"])
        await agent.put(keys.BLOCKS.key(SERVICE, ordinal), record.SerializeToString())


def machines(world: Ground) -> dict[int, str]:
    listing = world.backend.listing(keys.VMS.prefix)
    hosts = {vm.node: vm.host for vm in (state.Vm.FromString(i.value) for i in listing.items)}
    return {one.instance_id: hosts[one.node] for one in world.assignments()}


@pytest.mark.parametrize("seed", range(4))
def test_a_pools_only_node_is_made_where_the_volumes_are(seed: int):
    async def resume(world: Ground, _: Scheduler) -> None:
        async with simulated_host("second", world.backend, world.rng):
            await with_volumes(world, 1, {0: "second"})
            await world.catalog.pool(POOL, 1, 1)
            await until(lambda: world.is_running(1))
            assert machines(world) == {0: "second"}

    scenario(seed, resume)


@pytest.mark.parametrize("seed", range(4))
def test_each_instance_goes_where_its_volumes_are_and_the_pool_grows_there(seed: int):
    async def spread(world: Ground, _: Scheduler) -> None:
        async with simulated_host("second", world.backend, world.rng):
            await with_volumes(world, 3, {0: "second", 2: "local"})
            await world.catalog.pool(POOL, 1, 3)
            await until(lambda: world.is_running(3))
            found = machines(world)
            assert (found[0], found[2]) == ("second", "local")

    scenario(seed, spread)


def test_a_volume_on_a_machine_that_is_away_makes_no_pool_grow():
    async def away(world: Ground, _: Scheduler) -> None:
        await with_volumes(world, 2, {0: "gone"})
        await world.catalog.pool(POOL, 1, 3)
        await until(lambda: world.ready() == 1)
        await until(lambda: world.pool().state == "ACTIVE")
        assert len(world.backend.listing(keys.VMS.prefix).items) == 1
        assert machines(world) == {1: "local"}

    scenario(1, away)
