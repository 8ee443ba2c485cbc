"""Two dns daemons of one mesh: containers ask both, and go on when one of them is killed."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from snowcave.agent.ground import API_HOST
from snowcave.hypervisor.settings import HypervisorSettings
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from tests.kit import store_processes
from tests.kit.daemons import Running, a_mesh, running
from tests.kit.fabric import Cluster, Instance, a_cluster, a_node

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")

# What dig is told, by transport.
ASKED = {"udp": "+notcp", "tcp": "+tcp"}


@dataclass
class Scene:
    """An instance, and two replicas with port bases of their own."""

    cluster: Cluster
    client: Instance
    meshes: tuple[Mesh, Mesh]
    replicas: tuple[Running, Running]

    async def ask(self, *options: str) -> str:
        """What dig says inside of the instance; one try only, unless `options` say otherwise."""
        server = self.cluster.mesh.plan.dns_address
        process = await asyncio.create_subprocess_exec(
            *("nsenter", f"--net=/proc/{self.client.process.pid}/ns/net", "--"),
            *("dig", f"@{server}", "+short", "+tries=1", "+time=1", *options, API_HOST),
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate()
        return output.decode().strip()

    async def named(self) -> set[int]:
        """The replicas that the node's rules name, by their ports."""
        rules = await self.client.node.ask("describe")
        inside = rules.partition("map resolvers")[2].partition("}\n\t}")[0]
        return {mesh.port("dns") for mesh in self.meshes if f" . {mesh.port('dns')}" in inside}

    async def until_named(self, *meshes: Mesh) -> None:
        async with asyncio.timeout(60):
            while await self.named() != {mesh.port("dns") for mesh in meshes}:
                await asyncio.sleep(0.05)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    first = a_mesh(tmp_path)
    second = Mesh(home=tmp_path, port_base=first.port_base + 1)
    tls.ensure(first.folder("tls"))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cluster = await enter(a_cluster(tmp_path, nodes=0, port_base=first.port_base))
        plan = cluster.mesh.plan
        (tmp_path / "etcd").mkdir()
        etcd = store_processes.etcd(tmp_path / "etcd", plan.machine)
        stack.enter_context(store_processes.running(etcd))
        port = etcd.address.partition(":")[2]
        (tmp_path / "mesh.toml").write_text(
            f"store = '{etcd.address}'\n[plan]\nunderlay = '{plan.underlay}'\n"
            f"instances = '{plan.instances}'\nservices = '{plan.services}'\n"
        )
        replicas = [
            await enter(running(mesh, "dns", {"SNOWCAVE_MESH__PORT_BASE": str(mesh.port_base)}))
            for mesh in (first, second)
        ]
        settings = HypervisorSettings(cluster.mesh)
        node = await a_node(stack, settings, 1, etcd=f"{plan.machine}:{port}")
        client = await cluster.start(node, "client", 10, (8000,))
        yield Scene(cluster, client, (first, second), (replicas[0], replicas[1]))


async def test_names_are_resolved_though_a_replica_is_killed(scene: Scene):
    (first, second), address = scene.meshes, scene.cluster.mesh.plan.api_address
    await scene.until_named(first, second)
    for transport in ASKED:
        silent = set(scene.meshes)
        async with asyncio.timeout(60):
            while silent:
                assert await scene.ask(ASKED[transport]) == address
                silent -= {mesh for mesh in silent if await answered(mesh, transport)}
    # Programs that ask from the same port again and again: the kernel sees one connection each.
    ports = range(40_000, 40_008)
    assert {await scene.ask("-b", f"0.0.0.0#{port}") for port in ports} == {address}
    scene.replicas[0].kill()
    await scene.replicas[0].process.wait()
    await scene.until_named(second)
    for transport in ASKED:
        assert [await scene.ask(ASKED[transport]) for _ in range(6)] == [address] * 6
    assert {await scene.ask("-b", f"0.0.0.0#{port}") for port in ports} == {address}


async def answered(mesh: Mesh, transport: str) -> float:
    """How many questions the daemon has answered."""
    label = f'snowcave_dns_answers_total{{transport="{transport}"}} '
    port = mesh.admin_port(Role.DNS)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: admin\r\n\r\n")
    async with asyncio.timeout(20):
        lines = (await reader.read()).decode().splitlines()
    writer.close()
    return next((float(one.removeprefix(label)) for one in lines if one.startswith(label)), 0.0)
