"""Where data points come from: the agents of the nodes on which a service's instances stand."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import grpc as rpc
from snowcave.runtime.outcomes import translated
from snowcave.scheduler.autoscaling.policy import Point
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# Nodes that are asked at once.
_AT_ONCE = 16


class Measures(Protocol):
    async def measure(self, node: state.Node, instances: Sequence[str]) -> Sequence[v1.DataPoint]:
        """Raises SnowcaveError where the node does not answer."""
        ...


@dataclass(frozen=True)
class AgentMeasures:
    """Connects for each evaluation: they are half a minute apart, and nodes come and go."""

    tls: Path
    deadline: float

    async def measure(self, node: state.Node, instances: Sequence[str]) -> Sequence[v1.DataPoint]:
        async with rpc.connect(
            node.agent_address, self.tls, me=Role.SCHEDULER, to=Role.AGENT
        ) as channel:
            with translated(f"Node {node.name}"):
                reply = await stubs.AgentServiceStub(channel).Measure(
                    v1.MeasureRequest(instances=instances), timeout=self.deadline
                )
        return list(reply.points)


@dataclass
class Collector:
    """One evaluation's worth of points for many services, each node asked once."""

    measures: Measures
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def collect(
        self, wanted: Iterable[tuple[state.Node, state.Assignment]]
    ) -> dict[int, list[Point]]:
        """By service. A node that does not answer has no points."""
        nodes: dict[str, state.Node] = {}
        instances: defaultdict[str, dict[str, state.Assignment]] = defaultdict(dict)
        for node, one in wanted:
            nodes[node.name] = node
            instances[node.name][one.instance] = one
        points: defaultdict[int, list[Point]] = defaultdict(list)
        async with asyncio.TaskGroup() as tasks:
            for name, here in instances.items():
                tasks.create_task(self._ask(nodes[name], here, points))
        return points

    async def _ask(
        self,
        node: state.Node,
        here: dict[str, state.Assignment],
        points: defaultdict[int, list[Point]],
    ) -> None:
        try:
            async with self._turns:
                told = await self.measures.measure(node, sorted(here))
        except SnowcaveError as error:
            log.info("node_not_measured", node=node.name, error=error.message)
            return
        for point in told:
            if (one := here.get(point.instance)) is not None:
                found = Point(one.instance_id, point.metric, point.value, dict(point.labels))
                points[one.service].append(found)
