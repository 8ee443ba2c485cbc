"""Container logs, read from the agent of the node where the instance is assigned."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from snowcave.api.contract import LogRequest
from snowcave.api.logs import AgentLogs
from snowcave.api.settings import CallSettings
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound, RemoteError, Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import serve
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import follow
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.ports import free_port_base

CALLS = CallSettings(agent=5.0, log_bytes=1000)


class FakeAgent(stubs.AgentServiceServicer):
    def __init__(self) -> None:
        self.asked: list[v1.ReadLogsRequest] = []

    async def ReadLogs(  # noqa: N802
        self, request: v1.ReadLogsRequest, context: Any
    ) -> AsyncGenerator[v1.LogChunk]:
        self.asked.append(request)
        if request.container == "nobody":
            raise ObjectNotFound("Container", "nobody")
        for n in range(200):
            yield v1.LogChunk(text=f"line {n:04}\n".encode())


@asynccontextmanager
async def reader(home: Path) -> AsyncGenerator[tuple[FakeAgent, AgentLogs]]:
    """An agent with instance 8-0-1 on node n1; node n2 is gone, but 8-1-1 is still assigned to it."""
    tls.ensure(home / "tls")
    mesh = Mesh(home=home, port_base=free_port_base())
    address = mesh.grpc_address(Role.AGENT)
    backend = MemoryBackend()
    scheduler = MemoryStore(Role.SCHEDULER, backend)
    for node, instance, number in (("n1", "8-0-1", 0), ("n2", "8-1-1", 1)):
        one = state.Assignment(instance=instance, node=node, service=8, instance_id=number)
        await scheduler.put(keys.ASSIGNMENTS.key(node, instance), one.SerializeToString())
    node = state.Node(name="n1", agent_address=address)
    store = MemoryStore(Role.AGENT, backend)
    await store.put(keys.NODES.key("n1"), node.SerializeToString())
    agent = FakeAgent()
    add = partial(stubs.add_AgentServiceServicer_to_server, agent)
    async with AsyncExitStack() as stack:
        served = serve(
            Role.AGENT,
            [address],
            mesh.folder("tls"),
            [("snowcave.v1.AgentService", add)],
            callers=[Role.API],
            grace=0.0,
        )
        await stack.enter_async_context(served)
        assignments = await stack.enter_async_context(follow(store, keys.ASSIGNMENTS))
        nodes = await stack.enter_async_context(follow(store, keys.NODES))
        yield agent, AgentLogs(mesh, CALLS, assignments, nodes)


async def test_logs_come_from_the_node_of_the_instance_the_newest_bytes_first(
    tmp_path: Path,
) -> None:
    async with reader(tmp_path) as (agent, logs):
        text = await logs.read(LogRequest(8, 0, "main", tail_lines=3, timestamps=True))
        again = await logs.read(LogRequest(8, 0, "main"))
    assert text.endswith("line 0199\n")
    assert len(text) == len(again) == 1000
    (asked, _) = agent.asked
    assert (asked.instance, asked.container, asked.tail_lines) == ("8-0-1", "main", 3)
    assert asked.timestamps


async def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    async with reader(tmp_path) as (_, logs):
        with pytest.raises(RemoteError, match="nobody"):
            await logs.read(LogRequest(8, 0, "nobody"))
        with pytest.raises(Unavailable, match="n2"):
            await logs.read(LogRequest(8, 1, "main"))
        with pytest.raises(ObjectNotFound):
            await logs.read(LogRequest(8, 2, "main"))
