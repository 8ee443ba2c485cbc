"""AgentService: what other daemons may ask a node."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from snowcave.agent.engine.api import Container, Phase
from snowcave.agent.instances.keeper import Keeper
from snowcave.agent.logs import reading
from snowcave.agent.metering import Meter
from snowcave.model.errors import ContainerGone, EngineUnavailable, ValueInvalid
from snowcave.v1 import nodes_pb2 as nodes
from snowcave.v1 import nodes_pb2_grpc

NAME = nodes.DESCRIPTOR.services_by_name["AgentService"].full_name


class Describes(Protocol):
    async def describe(self) -> str: ...


class AgentServicer(nodes_pb2_grpc.AgentServiceServicer):
    def __init__(self, keeper: Keeper, network: Describes, meter: Meter) -> None:
        self._keeper = keeper
        self._network = network
        self._meter = meter

    async def ReadLogs(  # noqa: N802
        self, request: nodes.ReadLogsRequest, context: Any
    ) -> AsyncIterator[nodes.LogChunk]:
        wish = reading.Wish(
            tail_lines=max(0, request.tail_lines),
            since=request.since,
            timestamps=request.timestamps,
        )
        run, path = await self._run(request)
        if request.follow:
            yield nodes.LogChunk(run=run)
            if run == request.read_run:
                return
            async for text in reading.follow(path, wish, lambda: self._has_ended(request, run)):
                for chunk in reading.chunks(text):
                    yield nodes.LogChunk(text=chunk)
            return
        text = await reading.read_in_thread(path, wish)
        for chunk in reading.chunks(text):
            yield nodes.LogChunk(text=chunk)

    async def DescribeNetwork(  # noqa: N802
        self, request: nodes.DescribeNetworkRequest, context: Any
    ) -> nodes.DescribeNetworkReply:
        return nodes.DescribeNetworkReply(ruleset=await self._network.describe())

    async def Measure(  # noqa: N802
        self, request: nodes.MeasureRequest, context: Any
    ) -> nodes.MeasureReply:
        return nodes.MeasureReply(points=await self._meter.measure(set(request.instances)))

    async def _has_ended(self, request: nodes.ReadLogsRequest, run: str) -> bool:
        """An engine that does not answer may well run it."""
        try:
            found = await self._keeper.runs(request.instance, request.container)
        except EngineUnavailable:
            return False
        return not any(one.id == run and one.phase is Phase.RUNNING for one in found)

    async def _run(self, request: nodes.ReadLogsRequest) -> tuple[str, Path]:
        """Raises ContainerGone where there is no such run, ValueInvalid where it has no log."""
        found = await self._keeper.runs(request.instance, request.container)
        run: Container | None = None
        if request.previous:
            run = found[-2] if len(found) > 1 else None
        elif found:
            run = found[-1]
        if run is None:
            raise ContainerGone(f"{request.instance}/{request.container}")
        if run.log_path is None:
            raise ValueInvalid(f"Container '{request.container}' keeps no log on this node.")
        return run.id, run.log_path
