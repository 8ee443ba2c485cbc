"""A node that dies, is cut off or stands still; a leader that sleeps longer than it may reign."""

import asyncio
import random
import time

import pytest

from snowcave.model import keys
from snowcave.model.keys import Role
from tests.fault.kit import checks
from tests.fault.kit.faults import injected
from tests.fault.kit.ground import Ground
from tests.fault.kit.processes import Pause
from tests.fault.kit.vms import CutLink, KillVm

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.ours,
    # The first test pays for the mesh.
    pytest.mark.timeout(300),
]

# A little longer than the leases of leaders and nodes, shorter than the grace of a node that vanished.
LONGER_THAN_A_LEASE = 12.0
WHOLE_AGAIN = 15.0
# The lease of a node, the grace after it, and what starting instances takes.
PLACED_ANEW = 45.0


async def test_a_leader_that_slept_longer_than_its_reign_goes_on(ground: Ground):
    assert await ground.broken() == []
    view = ground.view
    before = view.containers()
    async with ground.clients():
        async with injected(Pause("scheduler"), view, random.Random(0)):
            await asyncio.sleep(LONGER_THAN_A_LEASE)
            await ground.clients_answered()
        woken = time.monotonic()
        ground.note("scheduler paused", await ground.whole_again(woken, within=WHOLE_AGAIN))
        async with asyncio.timeout(WHOLE_AGAIN):
            while not await view.dump(keys.reign(Role.SCHEDULER).prefix):
                await asyncio.sleep(0.1)
    assert checks.restarted(before, view.containers()) == []
    assert await ground.violations() == []


async def test_containers_outlive_a_link_that_was_cut_for_longer_than_a_lease(ground: Ground):
    assert await ground.broken() == []
    view, node = ground.view, await ground.node_without_lines()
    before = view.containers()
    async with ground.clients():
        async with injected(CutLink(node), view, random.Random(0)):
            await asyncio.sleep(LONGER_THAN_A_LEASE)
        healed = time.monotonic()
        seconds = await ground.whole_again(healed, within=WHOLE_AGAIN, ready=True)
        ground.note("link cut", seconds)
        await ground.clients_answered()
    assert checks.restarted(before, view.containers()) == []
    assert await ground.violations() == []


async def test_instances_of_a_killed_vm_run_again_and_only_once(ground: Ground):
    assert await ground.broken() == []
    view, node = ground.view, await ground.node_without_lines()
    before = view.containers()
    async with ground.clients():
        killed = time.monotonic()
        fault = KillVm(node)
        async with injected(fault, view, random.Random(0)):
            seconds = await ground.whole_again(killed, within=WHOLE_AGAIN, ready=True)
        ground.note("kill VM", seconds)
        await ground.clients_answered()
    await ground.tidy(containers=len(before))
    assert await ground.violations() == []


async def test_instances_of_a_node_that_stands_still_move_and_do_not_run_twice(ground: Ground):
    assert await ground.broken() == []
    view, node = ground.view, await ground.node_without_lines()
    before = view.containers()
    async with ground.clients():
        paused = time.monotonic()
        async with injected(Pause(f"agent-{node}"), view, random.Random(0)):
            async with asyncio.timeout(PLACED_ANEW):
                while node in await ground.nodes_in_use() or await ground.ready_instances() < 3:
                    await asyncio.sleep(0.2)
            ground.note("placed anew", time.monotonic() - paused)
            await ground.clients_answered()
        woken = time.monotonic()
        await ground.whole_again(woken, within=WHOLE_AGAIN, ready=True)
    # The node that woke up ends what is no longer its own.
    await ground.tidy(containers=len(before))
    assert await ground.violations() == []
