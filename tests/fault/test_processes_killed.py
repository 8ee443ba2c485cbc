"""SIGKILL of every process of a mesh, one by one, while clients call.

The mesh is whole again by itself, no container notices, and nothing that was acknowledged is lost.
"""

import asyncio
import random
import time

import pytest

from tests.fault.kit import checks
from tests.fault.kit.faults import injected
from tests.fault.kit.ground import Ground
from tests.fault.kit.processes import Kill
from tests.kit.mesh import snowcave

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.ours,
    # The first test pays for the mesh.
    pytest.mark.timeout(300),
]

WHOLE_AGAIN = 15.0
DAEMONS = (
    "statestore",
    "api",
    "warehouse",
    "registry",
    "scheduler",
    "hypervisor",
    "dns",
    "ingress",
    "functions",
    "events",
)


async def survives(ground: Ground, fault: Kill, *, missing_lines: int = 0) -> None:
    """Before, during and after the kill."""
    assert await ground.broken() == []
    view = ground.view
    before = view.containers()
    async with ground.clients():
        killed = time.monotonic()
        async with injected(fault, view, random.Random(0)):
            seconds = await ground.whole_again(
                killed, within=WHOLE_AGAIN, healed=lambda: fault.replaced(view)
            )
            await ground.clients_answered()
    assert checks.restarted(before, view.containers()) == []
    assert await ground.violations(missing_lines=missing_lines) == []
    ground.note(fault.name, seconds)


@pytest.mark.parametrize("daemon", DAEMONS)
async def test_a_mesh_is_whole_again_after_sigkill(ground: Ground, daemon: str):
    await survives(ground, Kill(daemon))


async def test_a_mesh_is_whole_again_after_sigkill_of_an_agent(ground: Ground):
    agent = f"agent-{ground.view.nodes()[0]}"
    await survives(ground, Kill(agent))


async def test_containers_outlive_sigkill_of_our_own_engine(ground: Ground):
    # A line that is inside dockerd at that moment dies with it.
    await survives(ground, Kill("engine"), missing_lines=2)


async def test_a_second_up_is_whole_after_sigkill_of_the_first(ground: Ground):
    mesh = ground.snowcave.mesh
    fault = Kill("up")
    before = ground.view.containers()
    async with ground.clients(), injected(fault, ground.view, random.Random(0)):
        killed = time.monotonic()
        await asyncio.to_thread(snowcave, mesh.home, "up", "--detach")
        ground.note(fault.name, await ground.whole_again(killed, within=60))
    assert fault.replaced(ground.view)
    assert checks.restarted(before, ground.view.containers()) == []
    assert await ground.violations() == []
