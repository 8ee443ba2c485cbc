"""The hypervisor as a daemon with the real store, and real agents over the simulated engine."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from snowcave.hypervisor import agents, fabric, namespaces, teardown
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.store.client import open_store
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running
from tests.kit.fabric import a_plan

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")

NODE = "tutorial-1"


async def _a_home(folder: Path) -> Mesh:
    plan = await a_plan()
    base = a_mesh(folder).port_base
    (folder / "mesh.toml").write_text(
        f"port_base = {base}\n[plan]\nunderlay = '{plan.underlay}'\n"
        f"instances = '{plan.instances}'\nservices = '{plan.services}'\n"
    )
    (folder / "snowcave.toml").write_text("[agent]\nengine = 'simulated'\n")
    tls.ensure(folder / "tls")
    return Mesh(home=folder, port_base=base, plan=plan)


@asynccontextmanager
async def _store(mesh: Mesh, role: Role) -> AsyncGenerator[Store]:
    async with open_store(
        mesh.store_address,
        role,
        credentials=tls.channel_credentials(mesh.folder("tls"), role),
        target_name=tls.server_name(Role.STATESTORE),
    ) as store:
        yield store


async def test_a_vm_in_the_store_becomes_a_node_that_outlives_the_hypervisor(tmp_path: Path):
    mesh = await _a_home(tmp_path)
    vm = state.Vm(
        node=NODE,
        host=mesh.host,
        compute_pool=77,
        cpu_milli=1000,
        memory_bytes=1 << 30,
        underlay_address=mesh.plan.node_underlay(1),
        instance_network=mesh.plan.node_network(1),
    )
    try:
        await fabric.ensure(mesh)
        async with (
            running(mesh, "statestore"),
            _store(mesh, Role.SCHEDULER) as store,
            follow(store, keys.NODES) as nodes,
            follow(store, keys.HOSTS) as hosts,
        ):
            async with running(mesh, "hypervisor") as hypervisor, asyncio.timeout(60):
                await hosts.wait(lambda mirror: mirror.get(mesh.host) is not None)
                await store.put(keys.VMS.key(mesh.host, NODE), vm.SerializeToString())
                await nodes.wait(lambda mirror: mirror.get(NODE) is not None)
                agent = agents.recall(teardown.pid_file(mesh, NODE), NODE)
                hypervisor.kill()
                await hypervisor.process.wait()
            node = nodes.get(NODE)
            assert node is not None
            assert (node.compute_pool, node.host) == (77, mesh.host)
            assert node.agent_address.startswith(vm.underlay_address)
            async with running(mesh, "hypervisor"), asyncio.timeout(60):
                assert agent is not None
                assert agents.recall(teardown.pid_file(mesh, NODE), NODE) == agent
                await store.delete(keys.VMS.key(mesh.host, NODE))
                await nodes.wait(lambda mirror: mirror.get(NODE) is None)
                while namespaces.exists(mesh.vm_namespace(NODE)):
                    await asyncio.sleep(0.05)
            assert not agents.is_alive(agent)
    finally:
        await fabric.remove(mesh)
