"""Losing the store stops changes, not traffic."""

import asyncio
import random
import time

import pytest

from tests.fault.kit import checks
from tests.fault.kit.faults import injected
from tests.fault.kit.ground import Ground
from tests.fault.kit.processes import Kill, Pause

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.ours,
    # The first test pays for the mesh.
    pytest.mark.timeout(300),
]

# Longer than every lease: the scheduler's reign, the nodes' and the machine's heartbeat.
AWAY = 20.0


async def test_calls_and_names_go_on_while_the_store_is_away(ground: Ground):
    assert await ground.broken() == []
    view, rng = ground.view, random.Random(0)
    before = view.containers()
    async with ground.clients():
        # Nobody starts it again while the supervisor stands still.
        async with injected(Pause("up"), view, rng), injected(Kill("statestore"), view, rng):
            gone = time.monotonic()
            await asyncio.sleep(AWAY)
            for client in ("ingress", "function"):
                await ground.answered_since(client, gone + AWAY / 2)
            assert await ground.names_answered() == []
        seconds = await ground.whole_again(time.monotonic(), within=15)
        await ground.clients_answered()
    ground.note("store away for 20 s", seconds)
    assert checks.restarted(before, view.containers()) == []
    assert await ground.violations() == []
