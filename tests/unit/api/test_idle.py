"""api's own look before something is put to rest."""

import pytest

from snowcave.api.idle import Idle
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.store.api import TxnResult
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import VirtualClock
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

POOL, SERVICE = 5, 7


class World:
    def __init__(self) -> None:
        self.backend = MemoryBackend()
        self.api = MemoryStore(Role.API, self.backend)
        self.clock = VirtualClock()
        self.idle = Idle(self.api, self.clock)

    async def pool(self, **fields: object) -> None:
        body = {"auto_suspend_secs": 600, "max_nodes": 1} | fields
        await self._put("compute_pool", state.Object(uid=POOL, compute_pool=state.ComputePool(**body)))  # type: ignore[arg-type]  # fmt: skip

    async def service(self, *, dropped: bool = False, **fields: object) -> None:
        body = {"compute_pool": POOL, "auto_suspend_secs": 300} | fields
        made = state.Object(uid=SERVICE, service=state.Service(**body))  # type: ignore[arg-type]
        if dropped:
            made.dropped_on.GetCurrentTime()
        await self._put("service", made)

    async def _put(self, domain: str, made: state.Object) -> None:
        await self.api.put(keys.catalog(domain).key(made.uid), made.SerializeToString())

    async def told(self, status: str, ended: bool) -> None:
        message = state.ServiceStatus(status=status)
        if ended:
            message.ended_on.GetCurrentTime()
        scheduler = MemoryStore(Role.SCHEDULER, self.backend)
        await scheduler.put(keys.SERVICE_STATUS.key(SERVICE), message.SerializeToString())

    async def called(self) -> None:
        use = state.ServiceUse()
        use.called_on.FromDatetime(self.clock.now())
        functions = MemoryStore(Role.FUNCTIONS, self.backend)
        await functions.put(keys.SERVICE_USE.key(SERVICE), use.SerializeToString())

    async def found(self, domain: str, uid: int) -> state.Object:
        kept = await self.api.get(keys.catalog(domain).key(uid))
        assert kept is not None
        return state.Object.FromString(kept.value)


async def test_a_pool_without_anything_in_it_is_put_to_rest_once():
    world = World()
    await world.pool()
    assert await world.idle.suspend(POOL)
    assert (await world.found("compute_pool", POOL)).compute_pool.suspended
    assert not await world.idle.suspend(POOL)


async def test_a_pool_that_has_come_to_be_used_stays_awake():
    world = World()
    await world.pool()
    await world.service()
    assert not await world.idle.suspend(POOL)
    # What sleeps, is dropped or has come to its end uses nothing.
    await world.service(suspended=True)
    assert await world.idle.suspend(POOL)
    await world.pool()
    await world.service(dropped=True)
    assert await world.idle.suspend(POOL)
    await world.pool()
    await world.service(is_job=True)
    await world.told("RUNNING", ended=False)
    assert not await world.idle.suspend(POOL)
    await world.told("DONE", ended=True)
    assert await world.idle.suspend(POOL)


async def test_a_service_created_at_that_very_moment_keeps_its_pool_awake():
    world = World()
    await world.pool()
    plain = world.api.txn

    async def txn(*arguments: object) -> TxnResult:
        world.api.txn = plain
        await world.service()
        return await plain(*arguments)  # type: ignore[arg-type]

    world.api.txn = txn  # type: ignore[method-assign]
    assert not await world.idle.suspend(POOL)
    assert not (await world.found("compute_pool", POOL)).compute_pool.suspended


async def test_a_pool_that_is_altered_while_it_is_woken_again_wakes_all_the_same():
    world = World()
    await world.pool()
    plain = world.api.txn
    meanwhile = [world.service(), world.pool(suspended=True, max_nodes=7)]

    async def txn(*arguments: object) -> TxnResult:
        world.api.txn = plain
        if meanwhile:
            await meanwhile.pop(0)
            world.api.txn = txn  # type: ignore[method-assign]
        return await plain(*arguments)  # type: ignore[arg-type]

    world.api.txn = txn  # type: ignore[method-assign]
    assert not await world.idle.suspend(POOL)
    pool = (await world.found("compute_pool", POOL)).compute_pool
    assert not meanwhile
    assert (pool.suspended, pool.max_nodes) == (False, 7)


async def test_a_service_that_was_called_meanwhile_stays_awake():
    world = World()
    await world.service()
    await world.called()
    await world.clock.sleep(299)
    assert not await world.idle.suspend(SERVICE)
    await world.clock.sleep(2)
    assert await world.idle.suspend(SERVICE)
    found = await world.found("service", SERVICE)
    assert found.service.suspended
    assert found.service.HasField("suspended_on")


async def test_only_what_wants_to_rest_is_put_to_rest():
    world = World()
    await world.pool(auto_suspend_secs=0)
    await world.service(auto_suspend_secs=0)
    assert not await world.idle.suspend(POOL)
    assert not await world.idle.suspend(SERVICE)
    assert not await world.idle.suspend(SERVICE, by_policy=True)
    assert not await world.idle.suspend(99)
    resting = state.AutoScalingPolicies(suspend=[state.MetricCondition(metric_name="m")])
    await world.service(auto_suspend_secs=0, spec=state.ServiceSpec(auto_scaling=resting))
    assert not await world.idle.suspend(SERVICE)
    assert await world.idle.suspend(SERVICE, by_policy=True)
