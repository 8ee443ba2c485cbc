"""Pools that shrink, things that fall asleep, services that scale: over simulated machines and time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import structlog

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import VirtualClock
from tests.kit.memory_store import MemoryStore
from tests.kit.simulated_ground import POOL, SERVICE, Ground, scenario
from tests.kit.simulated_scheduler import Scheduler, until

SEEDS = range(4)


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@dataclass
class Load:
    """What every instance's containers use."""

    cores: float = 0.0
    asked: list[str] = field(default_factory=list[str])
    away: bool = False
    # Seconds that a node takes to answer.
    slow: float = 0.0

    async def measure(self, node: state.Node, instances: Sequence[str]) -> Sequence[v1.DataPoint]:
        del node
        await asyncio.sleep(self.slow)
        self.asked += instances
        labels = {"snow.service.container.name": "main"}
        return [
            v1.DataPoint(
                instance=one, metric="container.cpu.usage", value=self.cores, labels=labels
            )
            for one in instances
            if not self.away
        ]


# ---- pools


@pytest.mark.parametrize("seed", SEEDS)
def test_fewer_max_nodes_move_services_away_while_half_of_them_go_on(seed: int):
    async def shrink(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 4)
        await world.catalog.service(SERVICE, POOL, 4, cpu_milli=500)
        await world.catalog.service(SERVICE + 1, POOL, 4, cpu_milli=500)
        await until(lambda: world.is_running(4) and world.is_running(4, SERVICE + 1))
        await world.catalog.service(SERVICE + 1, POOL, 1, cpu_milli=300)
        await world.catalog.service(SERVICE, POOL, 4, cpu_milli=200, digest="small")
        await until(lambda: {one.spec_digest for one in world.assignments()} == {"small", "v1"})
        await until(lambda: world.is_running(4) and world.is_running(1, SERVICE + 1))
        least = [4]

        def shrunk() -> bool:
            least.append(world.ready())
            there = world.pool()
            return there.target_nodes == 2 and len(world.host.agents) == 2

        await world.catalog.pool(POOL, 1, 2)
        await until(shrunk, within=600)
        await until(lambda: world.is_running(4))
        assert min(least) >= 2
        assert world.pool().state == "ACTIVE"

    scenario(seed, shrink, most_nodes=4)


def test_a_job_on_a_node_that_is_taken_away_fails_and_is_not_run_again():
    async def shrink(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 2)
        await world.catalog.service(SERVICE, POOL, 2, is_job=True, cpu_milli=900)
        await until(lambda: world.status().status == "RUNNING")
        await until(lambda: all(row.status == "READY" for row in world.status().instances))
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        assert world.status().status == "FAILED"
        assert sorted(row.status for row in world.status().instances) == ["FAILED", "READY"]
        (failed,) = [row for row in world.status().instances if row.status == "FAILED"]
        assert failed.message == "Compute pool node was lost"
        await asyncio.sleep(300)
        assert len(world.assignments()) == 1

    scenario(1, shrink, most_nodes=2)


def test_a_pool_nobody_uses_falls_asleep_after_its_time_and_not_before():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1, auto_suspend_secs=600)
        await world.catalog.service(SERVICE, POOL, 1)
        await until(lambda: world.is_running(1))
        await asyncio.sleep(2000)
        assert world.pool().state == "ACTIVE"
        await world.catalog.drop("service", SERVICE)
        await until(lambda: world.pool().state == "IDLE")
        await asyncio.sleep(540)
        assert world.pool().state == "IDLE"
        await until(lambda: world.pool().state == "SUSPENDED", within=120)
        assert world.pool().target_nodes == 0
        # It is woken, and its time begins anew.
        await world.catalog.pool(POOL, 1, 1, auto_suspend_secs=600)
        await until(lambda: world.pool().state == "IDLE")
        await asyncio.sleep(540)
        assert world.pool().state == "IDLE"
        await until(lambda: world.pool().state == "SUSPENDED", within=120)

    scenario(3, idle, most_nodes=1)


def test_a_pool_with_nothing_but_sleeping_services_falls_asleep_too():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1, auto_suspend_secs=300)
        await world.catalog.service(SERVICE, POOL, 1)
        await until(lambda: world.is_running(1))
        await world.catalog.service(SERVICE, POOL, 1, suspended=True)
        await until(lambda: world.pool().state == "SUSPENDED", within=400)

    scenario(4, idle, most_nodes=1)


def test_a_pool_without_auto_suspend_secs_stays_awake():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: world.pool().state == "IDLE")
        await asyncio.sleep(20_000)
        assert world.pool().state == "IDLE"

    scenario(5, idle, most_nodes=1)


def test_instances_of_a_distributed_pool_go_to_different_nodes():
    async def spread(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 3, 3, placement_group="DISTRIBUTED")
        await until(lambda: world.pool().idle_nodes == 3)
        await world.catalog.service(SERVICE, POOL, 3, cpu_milli=100)
        await until(lambda: world.is_running(3))
        assert len({one.node for one in world.assignments()}) == 3

    scenario(6, spread)


# ---- traffic


def test_a_probe_that_fails_after_ready_takes_an_instance_out_of_traffic_and_back():
    async def flap(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 2, cpu_milli=100)
        await until(lambda: world.is_running(2))
        (agent,) = world.host.agents.values()
        before = {one.instance for one in world.assignments()}
        flapping = next(one for one in world.assignments() if one.instance_id == 1)
        for _ in range(3):
            await agent.end(flapping, "PENDING")
            await until(lambda: world.ready() == 1 and world.status().status == "PENDING")
            await agent.end(flapping, "READY")
            await until(lambda: world.is_running(2))
        # It was neither moved nor started anew.
        assert {one.instance for one in world.assignments()} == before

    scenario(9, flap, most_nodes=1)


def test_an_upgrade_to_a_broken_image_stops_at_the_first_instance_and_can_be_mended():
    async def upgrade(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 3, cpu_milli=100)
        await until(lambda: world.is_running(3))
        (agent,) = world.host.agents.values()
        agent.stuck[2] = "PENDING"
        await world.catalog.service(SERVICE, POOL, 3, cpu_milli=100, digest="broken")
        await until(lambda: {one.spec_digest for one in world.assignments()} == {"v1", "broken"})
        await asyncio.sleep(300)
        assert (world.ready(), world.status().is_upgrading) == (2, True)
        digests = [one.spec_digest for one in world.status().instances]
        assert digests == ["v1", "v1", "broken"]
        del agent.stuck[2]
        await world.catalog.service(SERVICE, POOL, 3, cpu_milli=100, digest="mended")
        await until(lambda: {one.spec_digest for one in world.assignments()} == {"mended"})
        await until(lambda: world.is_running(3))

    scenario(10, upgrade, most_nodes=1)


# ---- services that nobody calls


async def call(world: Ground, service: int = SERVICE) -> None:
    """As the functions daemon tells it."""
    store = MemoryStore(Role.FUNCTIONS, world.backend)
    use = state.ServiceUse()
    use.called_on.FromDatetime(VirtualClock().now())
    await store.put(keys.SERVICE_USE.key(service), use.SerializeToString())


def test_a_service_nobody_calls_falls_asleep_and_each_call_keeps_it_awake():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 1, auto_suspend_secs=300)
        await until(lambda: world.is_running(1))
        for _ in range(6):
            await asyncio.sleep(250)
            await call(world)
            assert world.is_running(1)
        await asyncio.sleep(280)
        assert world.is_running(1)
        await until(lambda: world.status().status == "SUSPENDED", within=60)
        # Resumed, it has its time again, however long ago the last call was.
        await world.catalog.service(SERVICE, POOL, 1, auto_suspend_secs=300)
        await until(lambda: world.is_running(1))
        await asyncio.sleep(280)
        assert world.is_running(1)

    scenario(7, idle, most_nodes=1)


def test_a_service_that_is_not_running_does_not_fall_asleep():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        next(iter(world.host.agents.values())).stuck[0] = "PENDING"
        await world.catalog.service(SERVICE, POOL, 1, auto_suspend_secs=300)
        await asyncio.sleep(2000)
        assert world.status().status == "PENDING"

    scenario(8, idle, most_nodes=1)


# ---- autoscaling


@pytest.mark.parametrize("seed", SEEDS)
def test_a_busy_service_grows_one_by_one_to_its_most_and_shrinks_when_it_is_quiet(seed: int):
    load = Load(cores=0.45)

    async def busy(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 1, most=3, cpu_milli=500)
        await until(lambda: world.is_running(1))
        await asyncio.sleep(270)
        assert world.is_running(1)  # five minutes are not over
        await until(lambda: world.is_running(2), within=120)
        await until(lambda: world.is_running(3), within=600)
        await asyncio.sleep(1000)
        assert world.status().target_instances == 3
        load.cores = 0.01
        await asyncio.sleep(270)
        assert world.is_running(3)
        await until(lambda: world.is_running(1) and len(world.assignments()) == 1, within=1000)
        assert [row.instance_id for row in world.status().instances] == [0]
        await asyncio.sleep(1000)
        assert world.is_running(1)

    scenario(seed, busy, measures=load)


def test_nodes_that_take_long_to_answer_do_not_keep_a_service_from_growing():
    load = Load(cores=0.5, slow=15.0)

    async def busy(world: Ground, _: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 1, cpu_milli=500, most=2)
        await until(lambda: world.is_running(2), within=600)

    scenario(14, busy, measures=load)


def test_a_service_with_as_many_at_most_as_at_least_is_never_measured():
    load = Load(cores=4.0)

    async def fixed(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 2)
        await until(lambda: world.is_running(2))
        await asyncio.sleep(1000)
        assert world.is_running(2)
        assert load.asked == []

    scenario(11, fixed, measures=load)


def test_nodes_that_do_not_answer_change_nothing():
    load = Load(cores=0.45, away=True)

    async def silent(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 2, most=3)
        await until(lambda: world.is_running(2))
        await asyncio.sleep(2000)
        assert world.is_running(2)

    scenario(12, silent, measures=load)


def policies(up: float = 0.4, rest: float = 0.05) -> state.AutoScalingPolicies:
    def condition(target: float, period: int) -> state.MetricCondition:
        return state.MetricCondition(
            metric_name="container.cpu.usage",
            aggregation="avg",
            stabilization_period_secs=period,
            target_value=target,
        )

    return state.AutoScalingPolicies(scale_up=[condition(up, 60)], suspend=[condition(rest, 120)])


def test_policies_go_before_cpu_and_put_to_rest_what_they_say():
    load = Load(cores=0.8)

    async def scaled(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 1, most=3, policies=policies())
        await until(lambda: world.is_running(1))
        # 0.8 of 0.4 twice over: two at once, and again.
        await until(lambda: world.is_running(2), within=120)
        await until(lambda: world.is_running(3), within=300)
        load.cores = 0.0
        await until(lambda: world.status().status == "SUSPENDED", within=600)
        # Awake again it begins with MIN_INSTANCES.
        load.cores = 0.2
        await world.catalog.service(SERVICE, POOL, 1, most=3, policies=policies())
        await until(lambda: world.is_running(1))
        await asyncio.sleep(1000)
        assert world.is_running(1)

    scenario(13, scaled, measures=load)
