"""A container's own words: found by the assignment's node, read from that node's agent."""

from collections.abc import Iterable

from snowcave.api.contract import LogRequest
from snowcave.api.settings import CallSettings
from snowcave.model.errors import ObjectNotFound, Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import grpc as rpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.store.mirror import Mirror
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state


def latest(
    assignments: Iterable[state.Assignment], service: int, instance_id: int
) -> state.Assignment | None:
    """The newest incarnation of an instance: a stopping one counts only where there is no other."""
    mine = [a for a in assignments if a.service == service and a.instance_id == instance_id]
    if not mine:
        return None
    return max(mine, key=lambda a: (not a.stopping, a.created_on.ToNanoseconds()))


class AgentLogs:
    """Connects for each reading: logs are read seldom, and nodes come and go."""

    def __init__(
        self,
        mesh: Mesh,
        calls: CallSettings,
        assignments: Mirror[state.Assignment],
        nodes: Mirror[state.Node],
    ) -> None:
        self._mesh = mesh
        self._calls = calls
        self._assignments = assignments
        self._nodes = nodes

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
        tls = self._mesh.folder("tls")
        async with rpc.connect(node.agent_address, tls, me=Role.API, to=Role.AGENT) as channel:
            stub = stubs.AgentServiceStub(channel)
            return (await self._collect(stub, wanted, found.node)).decode(errors="replace")

    async def _collect(
        self, stub: stubs.AgentServiceStub, request: v1.ReadLogsRequest, node: str
    ) -> bytes:
        """The newest bytes, up to the bound."""
        text = bytearray()
        bound = self._calls.log_bytes
        with translated(f"Node {node}"):
            async for chunk in stub.ReadLogs(request, timeout=self._calls.agent):
                text += chunk.text
                if len(text) > 2 * bound:
                    del text[:-bound]
        return bytes(text[-bound:])
