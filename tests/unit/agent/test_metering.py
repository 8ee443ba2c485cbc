"""What a node says its instances use: rates, from look to look."""

import pytest

from snowcave.agent.engine.api import ContainerId, Phase, Recipe, Usage
from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, RUN_LABEL
from snowcave.agent.metering import (
    CPU_USAGE,
    ENDPOINT_LABEL,
    INGRESS_RATE,
    MEMORY_USAGE,
    NAME_LABEL,
    RESTARTS,
    Meter,
    Rates,
)
from snowcave.agent.scraping import Scraper
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.store.mirror import follow
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

ONE, OTHER = "7-0-1", "7-1-2"
OURS = {"io.snowcave.node": "n1"}


class Counted:
    """Requests of ingress and functions."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, int], int] = {}
        self.away = False

    async def requests(self) -> dict[tuple[str, int], int]:
        if self.away:
            raise Unavailable("nft")
        return self.sent


class Unasked(Scraper):
    """No instance here has a metric of its own."""

    def __init__(self) -> None:
        pass


class Bench:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.engine = SimulatedEngine(self.clock)
        self.counts = Counted()

    async def runs(self, instance: str, container: str) -> ContainerId:
        labels = OURS | {INSTANCE_LABEL: instance, CONTAINER_LABEL: container, RUN_LABEL: "2"}
        self.engine.images.add("image")
        made = await self.engine.create(Recipe(f"{instance}-{container}", "image", labels))
        await self.engine.start(made)
        return made

    def uses(self, container: ContainerId, cpu_seconds: float) -> None:
        self.engine.usages[container] = Usage(cpu_seconds, 5 << 20)


def values(points: list[v1.DataPoint]) -> dict[tuple[str, str, str], float]:
    return {
        (p.instance, p.metric, p.labels[NAME_LABEL] or p.labels[ENDPOINT_LABEL]): p.value
        for p in points
    }


async def test_a_rate_is_told_from_the_second_look_on():
    bench, backend = Bench(), MemoryBackend()
    scheduler = MemoryStore(Role.SCHEDULER, backend)
    for name, address in ((ONE, "10.244.1.10"), (OTHER, "10.244.1.11")):
        assigned = state.Assignment(instance=name, node="n1", address=address)
        assigned.spec.endpoints.add(name="web", port=80)
        await scheduler.put(keys.ASSIGNMENTS.key("n1", name), assigned.SerializeToString())
    main = await bench.runs(ONE, "main")
    await bench.runs(ONE, "sandbox")
    await bench.runs(OTHER, "main")
    async with follow(MemoryStore(Role.AGENT, backend), keys.ASSIGNMENTS, "n1") as mirror:
        rates, scraper = Rates(bench.clock), Unasked()
        meter = Meter("n1", bench.engine, bench.counts, mirror, OURS, rates, scraper)
        bench.uses(main, 10.0)
        bench.counts.sent = {("10.244.1.10", 80): 7}
        first = values(await meter.measure({ONE}))
        assert first == {(ONE, MEMORY_USAGE, "main"): 5 << 20, (ONE, RESTARTS, "main"): 2}

        await bench.clock.sleep(30)
        bench.uses(main, 25.0)
        bench.counts.sent = {("10.244.1.10", 80): 67}
        second = values(await meter.measure({ONE}))
        assert second[ONE, CPU_USAGE, "main"] == pytest.approx(0.5)
        assert second[ONE, INGRESS_RATE, "web"] == pytest.approx(2.0)

        # A counter that began anew has not grown; what ended is not measured; the rest goes on.
        await bench.clock.sleep(30)
        bench.counts.sent = {}
        bench.engine.exit(main, 0)
        third = values(await meter.measure({ONE, OTHER}))
        assert third[ONE, INGRESS_RATE, "web"] == 0.0
        assert (ONE, MEMORY_USAGE, "main") not in third
        assert (OTHER, MEMORY_USAGE, "main") in third

        bench.counts.away = True
        await bench.clock.sleep(30)
        fourth = values(await meter.measure({ONE, OTHER}))
        assert set(fourth) == {
            (OTHER, CPU_USAGE, "main"),
            (OTHER, MEMORY_USAGE, "main"),
            (OTHER, RESTARTS, "main"),
        }
        assert bench.engine.containers[main].phase is Phase.EXITED
