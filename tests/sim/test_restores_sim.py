"""A restore restarts the instances whose volumes it is about, one at a time, and no other."""

import pytest
import structlog

from snowcave.model import keys
from snowcave.v1 import state_pb2 as state
from tests.kit.simulated_ground import POOL, SERVICE, Ground, scenario
from tests.kit.simulated_scheduler import Scheduler, until


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@pytest.mark.parametrize("seed", range(6))
def test_a_restore_restarts_its_instances_alone(seed: int):
    async def restore(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 3)
        await until(lambda: world.is_running(3))
        before = {one.instance_id: one.instance for one in world.assignments()}
        held = await world.catalog.store.get(keys.CATALOG.key("service", SERVICE))
        assert held is not None
        service = state.Object.FromString(held.value)
        wanted = [
            state.VolumeRestore(volume="data", instance_id=ordinal, snapshot=5, number=1)
            for ordinal in (0, 2)
        ]
        service.service.restores.extend(wanted)
        await world.catalog.put("service", service)
        await until(lambda: sorted(restored(world)) == [0, 2] and world.is_running(3))
        after = {one.instance_id: one.instance for one in world.assignments()}
        assert after[1] == before[1]
        assert (after[0] != before[0], after[2] != before[2]) == (True, True)
        assert not world.status().is_upgrading

    scenario(seed, restore)


def restored(world: Ground) -> list[int]:
    return [one.instance_id for one in world.assignments() if one.restores]
