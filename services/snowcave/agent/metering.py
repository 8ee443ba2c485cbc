"""What the containers of this node use right now: platform metrics, by their documented names.

CPU is a rate, so it is told from the second look at a container on. Containers that end meanwhile, and an
engine that does not answer for one of them, leave out its points and no others.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from snowcave.agent.engine.api import Container, Engine, Phase
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, SANDBOX, Run
from snowcave.agent.scraping import CONTAINER_LABEL as NAME_LABEL
from snowcave.agent.scraping import ENDPOINT_LABEL, Scraper
from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.store.mirror import Mirror
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state

CPU_USAGE = "container.cpu.usage"
MEMORY_USAGE = "container.memory.usage"
RESTARTS = "container.restarts"
INGRESS_RATE = "network.ingress.cps"

# A rate over less time than this says little: the look before it counts on.
_LEAST_INTERVAL = 0.5
# Containers that the engine is asked about at once.
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    count: float


class Counts(Protocol):
    async def requests(self) -> Mapping[tuple[str, int], int]:
        """Of ingress and functions so far, by address and port. Raises SnowcaveError."""
        ...


@dataclass
class Rates:
    """What grew by how much a second since the look before; a counter that began anew has not grown."""

    clock: Clock
    _looks: dict[tuple[str, str], _Look] = field(default_factory=dict[tuple[str, str], _Look])

    def of(self, key: tuple[str, str], count: float) -> float | None:
        now, before = self.clock.monotonic(), self._looks.get(key)
        if before is not None and now - before.at < _LEAST_INTERVAL:
            return None
        self._looks[key] = _Look(now, count)
        if before is None:
            return None
        return max(0.0, count - before.count) / (now - before.at)

    def forget_others(self, owners: Collection[str]) -> None:
        self._looks = {key: look for key, look in self._looks.items() if key[0] in owners}


@dataclass
class Meter:
    node: str
    engine: Engine
    counts: Counts
    assigned: Mirror[state.Assignment]
    # Those of every container of ours on this node.
    labels: Mapping[str, str]
    # Kept by container for CPU, by instance for requests.
    rates: Rates
    scraper: Scraper

    async def measure(self, instances: Collection[str]) -> list[v1.DataPoint]:
        """Raises EngineUnavailable where not even the containers are known."""
        found = await self.engine.list(self.labels)
        alive = {container.id for container in found if container.phase is Phase.RUNNING}
        here = {parts[1]: one for parts, one in self.assigned.items(self.node)}
        self.rates.forget_others(alive | here.keys())
        wanted = [
            container
            for container in found
            if container.id in alive
            and container.labels.get(INSTANCE_LABEL) in instances
            and container.labels.get(CONTAINER_LABEL) not in (None, SANDBOX)
        ]
        turns = asyncio.Semaphore(_AT_ONCE)
        parts = await asyncio.gather(*(self._points(container, turns) for container in wanted))
        points = [point for part in parts for point in part]
        asked = [here[name] for name in instances if name in here]
        ingress, own = await asyncio.gather(self._ingress(asked), self.scraper.scrape(asked))
        return [*points, *ingress, *own]

    async def _ingress(self, instances: Iterable[state.Assignment]) -> list[v1.DataPoint]:
        try:
            sent = await self.counts.requests()
        except SnowcaveError:
            return []
        points: list[v1.DataPoint] = []
        for one in instances:
            for endpoint in one.spec.endpoints:
                count = sent.get((one.address, endpoint.port), 0)
                rate = self.rates.of((one.instance, endpoint.name), count)
                if rate is not None:
                    labels = {ENDPOINT_LABEL: endpoint.name}
                    points.append(
                        v1.DataPoint(
                            instance=one.instance, metric=INGRESS_RATE, value=rate, labels=labels
                        )
                    )
        return points

    async def _points(self, container: Container, turns: asyncio.Semaphore) -> list[v1.DataPoint]:
        try:
            async with turns:
                usage = await self.engine.usage(container.id)
        except SnowcaveError:
            return []
        values = {
            MEMORY_USAGE: float(usage.memory_bytes),
            RESTARTS: float(Run.of(container).number),
        }
        rate = self.rates.of((container.id, CPU_USAGE), usage.cpu_seconds)
        if rate is not None:
            values[CPU_USAGE] = rate
        return list(_data_points(container, values))


def _data_points(container: Container, values: Mapping[str, float]) -> Iterable[v1.DataPoint]:
    for metric, value in values.items():
        yield v1.DataPoint(
            instance=container.labels[INSTANCE_LABEL],
            metric=metric,
            value=value,
            labels={NAME_LABEL: container.labels[CONTAINER_LABEL]},
        )
