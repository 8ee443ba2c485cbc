"""A container's words as it says them, from run to run, for those who may see its logs.

The agent of the instance's node reads one run of the container to its end; this part goes on with the next
run, wherever that is, and asks again and again whether the caller may still listen.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from snowcave.api.logs import latest
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import grpc as rpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.store.mirror import Mirror
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import nodes_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

# Between two looks for the next run, and two questions whether the caller may still listen.
_PAUSE = 0.5
_ASK_AGAIN = 15.0
_PASSING = (Kind.NOT_FOUND, Kind.UNAVAILABLE, Kind.TIMEOUT)
_OVER = ("DONE", "FAILED", "CANCELLED", "DELETED")


@dataclass(frozen=True, slots=True)
class Wanted:
    service: int
    instance_id: int
    container: str
    tail_lines: int


@dataclass(frozen=True, slots=True)
class Following:
    mesh: Mesh
    assignments: Mirror[state.Assignment]
    nodes: Mirror[state.Node]
    services: Mirror[state.ServiceStatus]

    async def follow(self, wanted: Wanted, check: Callable[[], None]) -> AsyncGenerator[bytes]:
        """`check` raises where the caller may not listen any more; ends with the job."""
        read_run, tail = "", wanted.tail_lines
        while True:
            check()
            over = self._is_over(wanted.service)
            async with aclosing(self._run(wanted, read_run, tail)) as chunks:
                try:
                    async for chunk in _interrupted(chunks, check):
                        read_run = chunk.run or read_run
                        if chunk.text:
                            yield chunk.text
                            tail = 0
                except SnowcaveError as error:
                    if error.kind not in _PASSING:
                        raise
            if over:
                return
            await asyncio.sleep(_PAUSE)

    def _is_over(self, service: int) -> bool:
        """Of a job: nothing more will be said. A service that has failed is started again."""
        known = self.services.get(service)
        return known is not None and known.HasField("ended_on") and known.status in _OVER

    async def _run(
        self, wanted: Wanted, read_run: str, tail_lines: int
    ) -> AsyncGenerator[v1.LogChunk]:
        """The container's latest run. Nothing where the instance has no node yet."""
        found = latest(self.assignments.values(), wanted.service, wanted.instance_id)
        node = self.nodes.get(found.node) if found is not None else None
        if found is None or node is None:
            return
        request = v1.ReadLogsRequest(
            instance=found.instance,
            container=wanted.container,
            tail_lines=tail_lines,
            follow=True,
            read_run=read_run,
        )
        tls = self.mesh.folder("tls")
        async with rpc.connect(node.agent_address, tls, me=Role.API, to=Role.AGENT) as channel:
            call = stubs.AgentServiceStub(channel).ReadLogs(request)
            try:
                with translated(f"Node {found.node}"):
                    async for chunk in call:
                        yield chunk
            finally:
                call.cancel()


async def _interrupted(
    chunks: AsyncIterator[v1.LogChunk], check: Callable[[], None]
) -> AsyncGenerator[v1.LogChunk]:
    """`check` is asked now and then, though nothing comes."""
    while True:
        coming = asyncio.ensure_future(anext(chunks, None))
        try:
            while not coming.done():
                await asyncio.wait((coming,), timeout=_ASK_AGAIN)
                check()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait((coming,))
        chunk = coming.result()
        if chunk is None:
            return
        yield chunk
