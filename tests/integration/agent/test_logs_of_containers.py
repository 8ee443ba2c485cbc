"""What real containers of a real engine write, counted in the table of a real events daemon (S8)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from snowcave.agent.engine.docker import DockerEngine
from snowcave.agent.peers import EventCollector
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from tests.kit.agent_node import Node, assignment, running_node, spec
from tests.kit.daemons import a_mesh, running
from tests.kit.stored_events import dropped, stored, texts

pytestmark = pytest.mark.docker

# Three seconds of 50 MB/s; two without a limit, over which the engine rotates twice.
FLOOD, UNLIMITED, WIDTH = 150_000, 100_000, 1000
# On a machine with much else to do.
_LONG = 180.0


def flood(lines: int) -> tuple[str, ...]:
    """Numbered lines, as fast as the engine takes them."""
    rest = f'rest = sprintf("%{WIDTH - 8}s", ""); gsub(/ /, "x", rest)'
    write = f'for (i = 0; i < {lines}; i++) printf "%07d%s\\n", i, rest'
    return "/bin/busybox", "awk", f"BEGIN {{ {rest}; {write} }}"


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    made = a_mesh(tmp_path)
    tls.ensure(made.folder("tls"))
    return made


@asynccontextmanager
async def node_of(mesh: Mesh, engine: DockerEngine, limit: int) -> AsyncGenerator[Node]:
    address = mesh.grpc_address(Role.EVENTS)
    async with (
        connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel,
        running_node(
            engine,
            mesh.home,
            events_daemon=EventCollector(channel),
            log_bytes_per_second=limit,
        ) as node,
    ):
        yield node


async def run_to_its_end(node: Node, digest: str, *command: str) -> None:
    """As a job, which is removed as soon as it has ended."""
    want = assignment("7-0-1", spec("main", "web", digest, *command), is_job=True)
    await node.assign(want)
    await node.until("7-0-1", "SUCCEEDED", _LONG)
    await node.withdraw(want)
    await node.until("7-0-1", "GONE", _LONG)
    await node.forget("7-0-1")


async def all_acknowledged(mesh: Mesh) -> None:
    """The agent has forgotten the container: its files were read to their end."""
    async with asyncio.timeout(_LONG):
        while list((mesh.home / "logs").glob("*.json")):
            await asyncio.sleep(0.1)


async def test_the_last_words_of_a_container_that_exits_at_once_and_is_removed_are_all_there(
    engine: DockerEngine, web_digest: str, mesh: Mesh
):
    async with running(mesh, "events"), node_of(mesh, engine, limit=0) as node:
        await run_to_its_end(node, web_digest, "/bin/seq", "10000")
        await all_acknowledged(mesh)
        assert texts(await stored(mesh)) == [str(number) for number in range(1, 10_001)]


async def test_of_a_flood_above_the_limit_stored_and_counted_make_up_what_was_written(
    engine: DockerEngine, web_digest: str, mesh: Mesh
):
    async with running(mesh, "events"), node_of(mesh, engine, limit=1_000_000) as node:
        await run_to_its_end(node, web_digest, *flood(FLOOD))
        await all_acknowledged(mesh)
        found = await stored(mesh)
    numbers = [int(text[:7]) for text in texts(found)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + dropped(found) == FLOOD
    assert dropped(found, "files") == 0


async def test_of_a_flood_without_a_limit_all_is_stored_though_events_is_killed(
    engine: DockerEngine, web_digest: str, mesh: Mesh
):
    async with node_of(mesh, engine, limit=0) as node:
        async with running(mesh, "events") as daemon:
            flooding = asyncio.create_task(run_to_its_end(node, web_digest, *flood(UNLIMITED)))
            async with asyncio.timeout(_LONG):
                while not list(mesh.folder("events").glob("parquet/*/*.parquet")):
                    await asyncio.sleep(0.05)
            daemon.kill()
        async with running(mesh, "events"):
            await flooding
            await all_acknowledged(mesh)
            found = await stored(mesh)
    assert [int(text[:7]) for text in texts(found)] == list(range(UNLIMITED))
