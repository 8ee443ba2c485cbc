"""The scheduler among simulated machines: each seed another interleaving, the invariants always."""

import asyncio
import random
from collections.abc import Sequence

import pytest
import structlog

from snowcave.model import keys
from snowcave.store.api import Change
from snowcave.v1 import state_pb2 as state
from tests.kit.seeded_loop import run
from tests.kit.simulated_ground import POOL, SERVICE, Ground, ground, scenario
from tests.kit.simulated_scheduler import Scheduler, simulated_scheduler, until

SEEDS = range(12)


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@pytest.mark.parametrize("seed", SEEDS)
def test_a_service_lives_from_create_to_drop_and_leaves_nothing(seed: int):
    async def life(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 3)
        await until(lambda: world.is_running(3))
        assert (world.pool().state, world.pool().active_nodes) == ("ACTIVE", 2)
        address = world.status().service_address
        await world.catalog.service(SERVICE, POOL, 3, digest="v2")
        await until(lambda: all(one.spec_digest == "v2" for one in world.assignments()))
        await until(lambda: world.is_running(3))
        await world.catalog.service(SERVICE, POOL, 3, digest="v2", suspended=True)
        await until(lambda: world.status().status == "SUSPENDED")
        assert (world.assignments(), world.ready()) == ([], 0)
        await world.catalog.service(SERVICE, POOL, 2, digest="v2")
        await until(lambda: world.is_running(2))
        assert world.status().service_address == address
        await world.catalog.drop("service", SERVICE)
        await world.catalog.drop("compute_pool", POOL)
        await until(lambda: world.leftovers() == [])

    scenario(seed, life)


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_in_any_order_end_in_what_was_asked_for_last(seed: int):
    async def storm(world: Ground, scheduler: Scheduler) -> None:
        services = range(SERVICE, SERVICE + 3)
        await world.catalog.pool(POOL, 1, 3)
        for _ in range(25):
            await world.catalog.service(
                world.rng.choice(services),
                POOL,
                world.rng.randint(1, 3),
                digest=world.rng.choice(["a", "b"]),
                suspended=world.rng.random() < 0.3,
                cpu_milli=world.rng.choice([100, 300]),
            )
            await asyncio.sleep(world.rng.uniform(0, 3))
        for service in services:
            await world.catalog.service(service, POOL, 2, digest="c", cpu_milli=300)
        for service in services:
            await until(lambda service=service: world.is_running(2, service))
        assert {one.spec_digest for one in world.assignments()} == {"c"}

    scenario(seed, storm)


@pytest.mark.parametrize("seed", SEEDS)
def test_instances_of_a_node_that_is_cut_off_are_placed_anew_and_the_old_ones_end(seed: int):
    async def cut(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 2, 3)
        await world.catalog.service(SERVICE, POOL, 4, cpu_milli=300)
        await until(lambda: world.is_running(4))
        node = world.assignments()[0].node
        agent = world.host.agents[node]
        agent.cut()
        await until(lambda: all(one.node != node for one in world.assignments()))
        await until(lambda: world.is_running(4))
        assert agent.running  # it does not know
        agent.heal()
        await until(lambda: not agent.running)
        await until(lambda: world.is_running(4))

    scenario(seed, cut)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_agents_short_absence_moves_nothing(seed: int):
    async def blink(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 2)
        await until(lambda: world.is_running(2))
        before = {one.instance for one in world.assignments()}
        agent = next(iter(world.host.agents.values()))
        agent.cut()
        await until(lambda: world.backend.get(keys.NODES.key(agent.node)) is None)
        await asyncio.sleep(10)
        assert world.ready() == 2  # its containers go on
        agent.heal()
        await asyncio.sleep(60)
        assert {one.instance for one in world.assignments()} == before
        assert world.is_running(2)

    scenario(seed, blink, most_nodes=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_paused_leader_cannot_place_after_its_reign_ended(seed: int):
    async def pause(rng: random.Random) -> None:
        async with (
            ground(rng) as world,
            simulated_scheduler(world.backend, world.catalog) as first,
        ):
            await until(lambda: first.reign.leading)
            async with simulated_scheduler(world.backend, world.catalog) as second:
                await world.catalog.pool(POOL, 1, 3)
                await asyncio.sleep(rng.uniform(0, 10))
                await world.catalog.service(SERVICE, POOL, 3)
                await asyncio.sleep(rng.uniform(0, 1))
                first.store.pause()
                await until(lambda: second.reign.leading)
                await world.catalog.service(SERVICE, POOL, 2, digest="v2")
                await asyncio.sleep(rng.uniform(0, 5))
                assert first.store.held > 0
                first.store.resume()
                await until(lambda: world.is_running(2))
                assert (first.reign.leading, second.reign.leading) == (False, True)
                assert (first.bugs, second.bugs) == (0, 0)

    run(seed, pause)


@pytest.mark.parametrize("seed", SEEDS)
def test_writes_whose_answers_are_lost_place_nothing_twice(seed: int):
    async def deaf(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await until(lambda: scheduler.reign.leading)
        for turn in range(8):
            scheduler.store.losing_answers = turn % 2 == 0
            await world.catalog.service(SERVICE + turn % 3, POOL, 1 + turn % 2, cpu_milli=300)
            await asyncio.sleep(world.rng.uniform(0, 2))
        scheduler.store.losing_answers = False
        for service in range(SERVICE, SERVICE + 3):
            await world.catalog.service(service, POOL, 2, cpu_milli=300)
        for service in range(SERVICE, SERVICE + 3):
            await until(lambda service=service: world.is_running(2, service))

    scenario(seed, deaf)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_stores_absence_is_sat_out(seed: int):
    async def away(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 2)
        await world.catalog.service(SERVICE, POOL, 2)
        await until(lambda: world.is_running(2))
        before = {one.instance for one in world.assignments()}
        world.backend.available = False
        await asyncio.sleep(5)
        world.backend.available = True
        await world.catalog.service(SERVICE, POOL, 3)
        await until(lambda: world.is_running(3))
        assert before < {one.instance for one in world.assignments()}

    scenario(seed, away)


def test_what_does_not_fit_waits_with_the_reason_and_starts_when_there_is_room():
    async def wait(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 1, cpu_milli=800)
        await until(lambda: world.is_running(1))
        await world.catalog.service(SERVICE + 1, POOL, 1, cpu_milli=800)
        await until(lambda: len(world.status(SERVICE + 1).instances) == 1)
        await asyncio.sleep(30)
        row = world.status(SERVICE + 1).instances[0]
        assert row.message == "Unschedulable due to insufficient CPU resources"
        assert (row.node, world.status(SERVICE + 1).status) == ("", "PENDING")
        await world.catalog.drop("service", SERVICE)
        await until(lambda: world.is_running(1, SERVICE + 1))

    scenario(1, wait, most_nodes=1)


def test_suspending_a_pool_stops_its_services_and_gives_its_nodes_back():
    async def suspend(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 2, 2)
        await world.catalog.service(SERVICE, POOL, 2)
        await until(lambda: world.is_running(2))
        await world.catalog.pool(POOL, 2, 2, suspended=True)
        await until(lambda: world.status().status == "SUSPENDED")
        await until(lambda: world.pool().state == "SUSPENDED")
        assert (world.host.agents, world.pool().target_nodes) == ({}, 0)
        await world.catalog.pool(POOL, 2, 2)
        await until(lambda: world.is_running(2))

    scenario(2, suspend)


def test_idle_nodes_beyond_the_least_are_given_back():
    async def idle(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 3, cpu_milli=900)
        await until(lambda: world.is_running(3))
        assert len(world.host.agents) == 3
        await world.catalog.service(SERVICE, POOL, 1, cpu_milli=900)
        await until(lambda: len(world.host.agents) == 1, within=1000)
        assert world.is_running(1)

    scenario(3, idle)


def test_a_service_with_an_instance_that_never_becomes_ready_stays_pending():
    async def stuck(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        next(iter(world.host.agents.values())).stuck[1] = "PENDING"
        await world.catalog.service(SERVICE, POOL, 2)
        await until(lambda: world.ready() == 1)
        await asyncio.sleep(60)
        assert (world.status().status, world.ready()) == ("PENDING", 1)

    scenario(4, stuck, most_nodes=1)


def test_a_job_ends_and_its_instances_are_not_run_again():
    async def job(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        agent = next(iter(world.host.agents.values()))
        agent.stuck.update({0: "SUCCEEDED", 1: "SUCCEEDED"})
        await world.catalog.service(SERVICE, POOL, 2, is_job=True)
        await until(lambda: world.status().status == "DONE")
        await asyncio.sleep(100)
        assert [row.status for row in world.status().instances] == ["SUCCEEDED", "SUCCEEDED"]
        # What has ended takes no room.
        await world.catalog.service(SERVICE + 1, POOL, 1, cpu_milli=900)
        await until(lambda: any(row.node for row in world.status(SERVICE + 1).instances))

    scenario(5, job, most_nodes=1)


@pytest.mark.parametrize("ends", ["SUCCEEDED", "FAILED"])
def test_a_job_that_has_ended_gives_back_everything_but_its_story(ends: str):
    async def job(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        next(iter(world.host.agents.values())).stuck.update({0: ends, 1: "SUCCEEDED"})
        await world.catalog.service(SERVICE, POOL, 2, is_job=True)
        await until(lambda: world.status().HasField("ended_on"))
        await until(lambda: (world.pool().state, world.pool().jobs) == ("IDLE", 0))
        assert len(world.assignments()) == 2
        await until(lambda: world.assignments() == [])
        told = world.status()
        assert told.status == ("DONE" if ends == "SUCCEEDED" else "FAILED")
        assert [row.status for row in told.instances] == [ends, "SUCCEEDED"]
        await world.catalog.pool(POOL, 1, 1, suspended=True)
        await until(lambda: world.pool().state == "SUSPENDED")
        assert world.status() == told

    scenario(6, job, most_nodes=1)


def test_a_pool_that_is_suspended_waits_for_its_jobs_and_for_nothing_else():
    async def job(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await until(lambda: len(world.host.agents) == 1)
        agent = next(iter(world.host.agents.values()))
        await world.catalog.service(SERVICE, POOL, 1, is_job=True, cpu_milli=100)
        await world.catalog.service(SERVICE + 1, POOL, 1, cpu_milli=100)
        await until(lambda: world.is_running(1) and world.is_running(1, SERVICE + 1))
        await world.catalog.pool(POOL, 1, 1, suspended=True)
        await until(lambda: world.status(SERVICE + 1).status == "SUSPENDED")
        await asyncio.sleep(100)
        assert (world.status().status, world.pool().state) == ("RUNNING", "STOPPING")
        (mine,) = world.assignments()
        await agent.end(mine, "SUCCEEDED")
        await until(lambda: world.pool().state == "SUSPENDED")
        assert world.status().status == "DONE"

    scenario(7, job, most_nodes=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cancelled_job_stops_and_does_not_come_back(seed: int):
    async def job(world: Ground, scheduler: Scheduler) -> None:
        seen: list[str] = []
        await world.catalog.pool(POOL, 1, 2)
        await world.catalog.service(SERVICE, POOL, 2, is_job=True)
        await asyncio.sleep(world.rng.uniform(0, 10))
        await world.catalog.service(SERVICE, POOL, 2, is_job=True, cancelled=True)

        def note() -> bool:
            seen.append(world.status().status)
            return seen[-1] == "CANCELLED"

        await until(note)
        assert "CANCELLING" in seen
        assert world.assignments() == []
        await asyncio.sleep(200)
        assert world.status().status == "CANCELLED"
        await world.catalog.drop("service", SERVICE)
        await world.catalog.drop("compute_pool", POOL)
        await until(lambda: world.leftovers() == [])

    scenario(seed, job)


def test_the_same_seed_is_the_same_run():
    async def trace(rng: random.Random) -> list[str]:
        async with (
            ground(rng) as world,
            simulated_scheduler(world.backend, world.catalog),
        ):
            await world.catalog.pool(POOL, 1, 3)
            await world.catalog.service(SERVICE, POOL, 3)
            await until(lambda: world.is_running(3))
            held = [f"{i.key}@{i.mod_revision}" for i in world.backend.listing("").items]
            return [f"{asyncio.get_running_loop().time():.6f}", *held]

    assert run(7, trace) == run(7, trace)
    assert run(7, trace) != run(8, trace)


def test_an_upgrade_keeps_its_service_running_until_the_last_instance_is_ready():
    async def upgrade(world: Ground, scheduler: Scheduler) -> None:
        seen: list[tuple[str, bool, int]] = []

        def note(_revision: int, changes: Sequence[Change]) -> None:
            for change in changes:
                if change.key == keys.SERVICE_STATUS.key(SERVICE) and change.value:
                    told = state.ServiceStatus.FromString(change.value)
                    seen.append((told.status, told.is_upgrading, told.ready_instances))

        await world.catalog.pool(POOL, 1, 3)
        await world.catalog.service(SERVICE, POOL, 4, cpu_milli=100)
        await until(lambda: world.is_running(4))
        stop = world.backend.observe(note)
        await world.catalog.service(SERVICE, POOL, 4, cpu_milli=100, digest="v2")
        await until(lambda: {one.spec_digest for one in world.assignments()} == {"v2"})
        await until(lambda: world.is_running(4))
        stop()
        assert {status for status, _, _ in seen} == {"RUNNING"}
        assert {ready for _, _, ready in seen} == {3, 4}
        assert all(upgrading for _, upgrading, _ in seen[:-1])

    scenario(7, upgrade)
