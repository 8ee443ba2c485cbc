"""A container's own words: found by the assignment's node, read from that node's agent."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import grpc.aio

from snowcave.api.contract import LogRequest
from snowcave.api.settings import CallSettings
from snowcave.model.errors import ObjectNotFound, Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import grpc as rpc
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import Mirror
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

# Channels to agents that are kept open.
_CHANNELS = 64


def latest(
    assignments: Iterable[state.Assignment], service: int, instance_id: int
) -> state.Assignment | None:
    """The newest incarnation of an instance: a stopping one counts only where there is no other."""
    mine = [a for a in assignments if a.service == service and a.instance_id == instance_id]
    if not mine:
        return None
    return max(mine, key=lambda a: (not a.stopping, a.created_on.ToNanoseconds()))


class AgentLogs:
    """Made by `open_logs`, which closes the channels to the agents."""

    def __init__(
        self,
        mesh: Mesh,
        calls: CallSettings,
        assignments: Mirror[state.Assignment],
        nodes: Mirror[state.Node],
        channels: AsyncExitStack,
    ) -> None:
        self._mesh = mesh
        self._calls = calls
        self._assignments = assignments
        self._nodes = nodes
        self._stack = channels
        self._channels: OrderedDict[str, grpc.aio.Channel] = OrderedDict()

    async def read(self, request: LogRequest) -> str:
        """Raises ObjectNotFound where the instance has no node, Unavailable where it does not answer."""
        found = latest(self._assignments.values(), request.service, request.instance_id)
        if found is None:
            raise ObjectNotFound("Instance", str(request.instance_id))
        node = self._nodes.get(found.node)
        if node is None:
            raise Unavailable(f"Node {found.node} does not answer.")
        wanted = v1.ReadLogsRequest(
            instance=found.instance,
            container=request.container,
            tail_lines=request.tail_lines,
            previous=request.previous,
            since=request.since,
            timestamps=request.timestamps,
        )
        stub = stubs.AgentServiceStub(await self._channel(node.agent_address))
        return (await self._collect(stub, wanted, found.node)).decode(errors="replace")

    async def _collect(
        self, stub: stubs.AgentServiceStub, request: v1.ReadLogsRequest, node: str
    ) -> bytes:
        """The newest bytes, up to the bound."""
        text = bytearray()
        bound = self._calls.log_bytes
        with rpc.translated(f"Node {node}"):
            async for chunk in stub.ReadLogs(request, timeout=self._calls.agent):
                text += chunk.text
                if len(text) > 2 * bound:
                    del text[:-bound]
        return bytes(text[-bound:])

    async def _channel(self, address: str) -> grpc.aio.Channel:
        """One a node; grpc connects it again by itself."""
        known = self._channels.get(address)
        if known is not None:
            self._channels.move_to_end(address)
            return known
        opened = await self._stack.enter_async_context(
            rpc.connect(address, self._mesh.folder("tls"), me=Role.API, to=Role.AGENT)
        )
        self._channels[address] = opened
        if len(self._channels) > _CHANNELS:
            _, oldest = self._channels.popitem(last=False)
            async with asyncio.timeout(self._calls.agent):
                await oldest.close(grace=0.0)
        return opened


@asynccontextmanager
async def open_logs(
    mesh: Mesh,
    calls: CallSettings,
    assignments: Mirror[state.Assignment],
    nodes: Mirror[state.Node],
) -> AsyncGenerator[AgentLogs]:
    async with AsyncExitStack() as channels:
        yield AgentLogs(mesh, calls, assignments, nodes, channels)
