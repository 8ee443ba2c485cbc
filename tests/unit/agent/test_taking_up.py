"""An agent takes up what its predecessor ran: who follows its reports sees no ready instance falter."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import NODE, assignment, running_node, spec
from tests.kit.memory_store import MemoryBackend, MemoryStore


@asynccontextmanager
async def probed(code: bytes) -> AsyncGenerator[state.Assignment]:
    """An instance whose readiness probe is answered so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + code + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        main = spec("main")
        main.readiness_probe.port = server.sockets[0].getsockname()[1]
        main.readiness_probe.path = "/healthz"
        yield assignment("7-0-1", main, address="127.0.0.1")


async def _told_by_the_next(backend: MemoryBackend, engine: SimulatedEngine, folder: Path) -> str:
    """What the next agent says first."""
    told: list[str] = []
    async with follow(MemoryStore(Role.ADMIN, backend), keys.REPORTS, NODE) as reports:
        reports.subscribe(lambda _, report: told.append(report.status if report else "gone"))
        async with running_node(engine, folder, backend=backend):
            await reports.wait(lambda _: bool(told))
    return told[0]


async def test_an_instance_that_was_ready_is_never_told_to_be_anything_else(tmp_path: Path):
    backend, engine = MemoryBackend(), SimulatedEngine(LoopClock())
    async with asyncio.timeout(60), probed(b"200 OK") as want:
        async with running_node(engine, tmp_path, backend=backend) as node:
            await node.assign(want)
            await node.until("7-0-1", "READY", 60.0)
        # Its reports went with its lease.
        assert backend.get(keys.REPORTS.key(NODE, "7-0-1")) is None
        assert await _told_by_the_next(backend, engine, tmp_path) == "READY"


async def test_an_instance_whose_probe_fails_is_told_to_be_pending(tmp_path: Path):
    backend, engine = MemoryBackend(), SimulatedEngine(LoopClock())
    async with asyncio.timeout(60), probed(b"503 Not Now") as want:
        async with running_node(engine, tmp_path, backend=backend) as node:
            await node.assign(want)
            await node.until_message(
                "7-0-1",
                "Readiness probe is failing at path: /healthz,"
                f" port: {want.spec.containers[0].readiness_probe.port}",
                60.0,
            )
        assert await _told_by_the_next(backend, engine, tmp_path) == "PENDING"
