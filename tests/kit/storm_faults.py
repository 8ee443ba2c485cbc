"""What breaks in a storm. Every fault heals by itself."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.kit.simulated_vms import SimulatedVm
from tests.kit.storm_cluster import Cluster

Fault = Callable[[Cluster], Awaitable[None]]


async def _scheduler_crashes(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if replica.scheduler is None:
        return  # it is down already
    await replica.crash()
    await asyncio.sleep(cluster.rng.uniform(0, 5))
    await replica.start()


async def _leader_pauses(cluster: Cluster) -> None:
    leaders = [
        r.scheduler for r in cluster.schedulers if r.scheduler and r.scheduler.reign.leading
    ]
    for leader in leaders:
        leader.store.pause()
        await asyncio.sleep(cluster.rng.uniform(1, 20))
        leader.store.resume()


async def _scheduler_loses_answers(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if (scheduler := replica.scheduler) is not None:
        scheduler.store.losing_answers = True
        await asyncio.sleep(cluster.rng.uniform(0, 3))
        scheduler.store.losing_answers = False


async def _scheduler_is_cut_off(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if (scheduler := replica.scheduler) is not None:
        scheduler.store.reachable = False
        await asyncio.sleep(cluster.rng.uniform(0, 20))
        if replica.scheduler is scheduler:
            scheduler.store.reachable = True


def _a_vm(cluster: Cluster) -> SimulatedVm | None:
    names = sorted(cluster.machine.vms)
    return cluster.machine.vms[cluster.rng.choice(names)] if names else None


async def _agent_crashes(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        await vm.crash_agent(cluster.rng.choice([0.0, 2.0, 20.0, 40.0]))


async def _vm_crashes(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        await vm.crash(cluster.rng.choice([0.5, 5.0, 60.0]))


async def _vm_is_cut_off(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        vm.cut()
        await asyncio.sleep(cluster.rng.choice([2.0, 12.0, 40.0]))
        vm.heal()


async def _engine_goes_away(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        engine = vm.engine
        engine.go_away()
        await asyncio.sleep(cluster.rng.uniform(0, 10))
        engine.come_back()


async def _programs_end(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        for found in vm.engine.programs():
            if cluster.rng.random() < 0.5:
                vm.engine.exit(found.id, cluster.rng.choice([0, 1, 137]))


async def _api_crashes(cluster: Cluster) -> None:
    if cluster.api.account is None:
        return
    await cluster.api.stop()
    await asyncio.sleep(cluster.rng.uniform(0, 3))
    await cluster.api.start()


async def _api_loses_answers(cluster: Cluster) -> None:
    if (account := cluster.api.account) is not None:
        account.store.losing_answers = True
        await asyncio.sleep(cluster.rng.uniform(0, 2))
        account.store.losing_answers = False


async def _store_is_away(cluster: Cluster) -> None:
    if not cluster.backend.available:
        return
    cluster.backend.available = False
    await asyncio.sleep(cluster.rng.uniform(0, 8))
    cluster.backend.available = True


async def _store_forgets_history(cluster: Cluster) -> None:
    cluster.backend.compact()


FAULTS: tuple[Fault, ...] = (
    _scheduler_crashes,
    _leader_pauses,
    _scheduler_loses_answers,
    _scheduler_is_cut_off,
    _agent_crashes,
    _agent_crashes,
    _vm_crashes,
    _vm_is_cut_off,
    _engine_goes_away,
    _programs_end,
    _api_crashes,
    _api_loses_answers,
    _store_is_away,
    _store_forgets_history,
)
