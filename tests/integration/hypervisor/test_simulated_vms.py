"""The hypervisor's VMs for real: namespaces, cgroups and processes; the agent is a stand-in that waits."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from snowcave.hypervisor import (
    agents,
    announce,
    cgroups,
    fabric,
    machine,
    names,
    namespaces,
    teardown,
)
from snowcave.hypervisor.main import reconciling
from snowcave.hypervisor.service import open_service
from snowcave.hypervisor.settings import HypervisorSettings
from snowcave.hypervisor.vms import Vms
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import follow
from snowcave.v1 import nodes_pb2, nodes_pb2_grpc
from snowcave.v1 import state_pb2 as state
from tests.kit.fabric import a_plan
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.ports import free_port_base

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")

NODE = "pool-1-node-1"
MIB = 1 << 20
AGENT = """
import json, os, signal, sys
said = {k: v for k, v in os.environ.items() if k.startswith("SNOWCAVE_")} | {"pid": str(os.getpid())}
signal.signal(signal.SIGTERM, lambda *_: (print("goodbye", flush=True), sys.exit(0)))
print(json.dumps(said), flush=True)
while True:
    signal.pause()
"""


@dataclass
class Machine:
    settings: HypervisorSettings
    backend: MemoryBackend

    @property
    def mesh(self) -> Mesh:
        return self.settings.mesh

    @property
    def vm(self) -> state.Vm:
        return state.Vm(
            node=NODE,
            host=self.mesh.host,
            cpu_milli=1000,
            memory_bytes=64 * MIB,
            underlay_address=self.mesh.plan.node_underlay(7),
            instance_network=self.mesh.plan.node_network(7),
        )

    @property
    def log(self) -> Path:
        return self.mesh.folder("log") / f"agent-{NODE}.log"

    def agent(self) -> agents.Agent | None:
        return agents.recall(teardown.pid_file(self.mesh, NODE), NODE)

    async def want(self, vm: state.Vm | None) -> None:
        scheduler = MemoryStore(Role.SCHEDULER, self.backend)
        key = keys.VMS.key(self.mesh.host, NODE)
        if vm is None:
            await scheduler.delete(key)
        else:
            await scheduler.put(key, vm.SerializeToString())

    @asynccontextmanager
    async def hypervisor(self) -> AsyncGenerator[Vms]:
        store = MemoryStore(Role.HYPERVISOR, self.backend)
        async with (
            follow(store, keys.VMS, self.mesh.host) as wanted,
            reconciling(self.settings, wanted, LoopClock(), {"PATH": os.environ["PATH"]}) as vms,
        ):
            yield vms

    async def started(self, *, other_than: int = 0) -> agents.Agent:
        """The node's agent, once it has said its first word."""
        async with asyncio.timeout(20):
            while True:
                agent = self.agent()
                spoken = {said["pid"] for said in self.words()}
                if agent and agent.pid != other_than and str(agent.pid) in spoken:
                    return agent
                await asyncio.sleep(0.02)

    async def gone(self) -> None:
        async with asyncio.timeout(20):
            while NODE in teardown.nodes_on_machine(self.mesh):
                await asyncio.sleep(0.02)

    def words(self) -> list[dict[str, str]]:
        """What each start of the agent said: its pid and its settings."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def run_container(self) -> subprocess.Popen[bytes]:
        """A process in a group below the VM's, in every tree where the VM has one, as an engine makes it."""
        process = subprocess.Popen(["sleep", "1000"])
        trees = cgroups.of_machine()
        for root in {*trees.controllers.values(), trees.unified}:
            if root is not None and (group := root / self.group.lstrip("/")).is_dir():
                (group / "container").mkdir()
                (group / "container" / "cgroup.procs").write_text(str(process.pid))
        return process

    @property
    def group(self) -> str:
        return f"{self.mesh.cgroup}/{NODE}"


@pytest.fixture
async def host(tmp_path: Path) -> AsyncGenerator[Machine]:
    mesh = Mesh(home=tmp_path, plan=await a_plan(), port_base=free_port_base())
    settings = HypervisorSettings(
        mesh, agent_command=(sys.executable, "-c", AGENT), agent_grace=5.0
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fabric.remove, mesh)
        await fabric.ensure(mesh)
        yield Machine(settings, MemoryBackend())


async def test_a_vm_is_a_namespace_a_cgroup_and_an_agent_inside(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        agent = await host.started()
        namespace = host.mesh.vm_namespace(NODE)
        assert agents.namespace_inode(agent) == namespaces.inode(namespace)
        assert os.getsid(agent.pid) == agent.pid
        listed = await namespaces.inside(namespace, "ip", "-br", "addr")
        (said,) = host.words()
    assert host.vm.underlay_address in listed
    assert said["SNOWCAVE_AGENT__NODE"] == NODE
    assert said["SNOWCAVE_AGENT__ADDRESS"] == host.vm.underlay_address
    assert said["SNOWCAVE_AGENT__NETWORK"] == host.vm.instance_network
    assert said["SNOWCAVE_AGENT__CGROUP_PARENT"] == host.group
    assert said["SNOWCAVE_AGENT__MEMORY_BYTES"] == str(64 * MIB)
    assert said["SNOWCAVE_HOME"] == str(host.mesh.home)


async def test_a_vm_has_the_memory_of_its_family_and_no_more(host: Machine):
    await host.want(host.vm)
    hungry = "import sys; taken = bytearray(200 << 20); print(len(taken))"
    async with host.hypervisor():
        await host.started()
        process = host.run_container()
        try:
            procs = [
                str(folder / "cgroup.procs")
                for root in cgroups.of_machine().controllers.values()
                if (folder := root / host.group.lstrip("/") / "container").is_dir()
            ]
            enter = "".join(f"echo $$ > {path}; " for path in procs)
            ended = await asyncio.to_thread(
                subprocess.run,
                ["sh", "-c", f'{enter} exec "$@"', "sh", sys.executable, "-c", hungry],
                capture_output=True,
                check=False,
                timeout=30,
            )
        finally:
            process.kill()
            process.wait()
    assert ended.returncode == -signal.SIGKILL


async def test_an_agent_that_dies_is_started_again_beside_its_containers(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        first = await host.started()
        container = host.run_container()
        try:
            os.kill(first.pid, signal.SIGKILL)
            second = await host.started(other_than=first.pid)
            assert agents.namespace_inode(second) == namespaces.inode(host.mesh.vm_namespace(NODE))
            assert container.poll() is None
        finally:
            container.kill()
            container.wait()


async def test_a_link_that_was_cut_stays_cut_when_the_vm_is_looked_at(host: Machine):
    fabric_namespace, port = host.mesh.fabric_namespace, names.vm_port(NODE)
    await host.want(host.vm)
    async with host.hypervisor() as vms:
        await host.started()
        await namespaces.batch(fabric_namespace, [f"link set {port} down"])
        await vms.reconcile(NODE)
        flags = (await namespaces.links(fabric_namespace))[port]["flags"]
    assert "UP" not in flags


async def test_the_router_keeps_its_address_whatever_port_comes_to_the_switch(host: Machine):
    def router() -> str:
        inside = ("ip", "-n", host.mesh.fabric_namespace)
        shown = subprocess.run(
            [*inside, "-json", "link", "show", names.BRIDGE], check=True, capture_output=True
        )
        return json.loads(shown.stdout)[0]["address"]

    def ip(*command: str) -> None:
        subprocess.run(("ip", "-n", host.mesh.fabric_namespace, *command), check=True)

    before = router()
    # Lower than any other: what a bridge would take for its own.
    ip("link", "add", "low0", "address", "02:00:00:00:00:01", "type", "veth", "peer", "low1")
    ip("link", "set", "low0", "master", names.BRIDGE)
    assert router() == before


async def test_agents_outlive_the_hypervisor_and_are_adopted(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        agent = await host.started()
    assert agents.is_alive(agent)
    async with host.hypervisor() as vms:
        await vms.reconcile(NODE)
        assert host.agent() == agent
        os.kill(agent.pid, signal.SIGKILL)
        await host.started(other_than=agent.pid)
    assert len(host.words()) == 2


async def test_an_agent_whose_pid_was_never_written_down_is_found(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        agent = await host.started()
    teardown.pid_file(host.mesh, NODE).unlink()
    async with host.hypervisor() as vms:
        await vms.reconcile(NODE)
        assert host.agent() == agent


async def test_a_vm_that_is_not_wanted_goes_with_everything_in_it(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        agent = await host.started()
        container = host.run_container()
        await host.want(None)
        await asyncio.to_thread(container.wait, 20)
        await host.gone()
    assert container.returncode == -signal.SIGKILL
    assert not agents.is_alive(agent)
    assert host.log.read_text().endswith("goodbye\n")
    assert not cgroups.of_machine().exists(host.group)
    routes = await namespaces.routes(host.mesh.fabric_namespace)
    assert host.vm.instance_network not in {route["dst"] for route in routes}


async def test_a_vm_that_was_removed_while_the_hypervisor_was_away_goes_when_it_is_back(
    host: Machine,
):
    await host.want(host.vm)
    async with host.hypervisor():
        await host.started()
    await host.want(None)
    async with host.hypervisor():
        await host.gone()


async def test_a_frozen_vm_can_be_stopped(host: Machine):
    await host.want(host.vm)
    async with host.hypervisor():
        agent = await host.started()
        container = host.run_container()
        freezer = cgroups.of_machine().controllers["freezer"] / host.group.lstrip("/")
        (freezer / "freezer.state").write_text("FROZEN")
        stopping = host.vm
        stopping.stopping = True
        await host.want(stopping)
        await asyncio.to_thread(container.wait, 20)
        await host.gone()
    assert not agents.is_alive(agent)


async def test_an_agent_that_keeps_dying_is_started_ever_more_rarely(host: Machine):
    doomed = (sys.executable, "-c", 'import os; print(\'{"pid": "0"}\', flush=True); os._exit(3)')
    eager = Machine(
        HypervisorSettings(host.mesh, agent_command=doomed, agent_backoff=30.0), host.backend
    )
    await eager.want(eager.vm)
    async with eager.hypervisor() as vms:
        async with asyncio.timeout(20):
            while len(eager.words()) < 4:
                await asyncio.sleep(0.02)
        done = await vms.reconcile(NODE)
    assert done.again_in is not None
    assert done.again_in > 0


async def test_the_service_lists_what_is_on_the_machine(host: Machine):
    await host.want(host.vm)
    tls.ensure(host.mesh.folder("tls"))
    address = host.mesh.grpc_address(Role.HYPERVISOR)
    async with (
        host.hypervisor() as vms,
        open_service(host.mesh, vms),
        connect(address, host.mesh.folder("tls"), me=Role.ADMIN, to=Role.HYPERVISOR) as channel,
    ):
        agent = await host.started()
        stub = nodes_pb2_grpc.HypervisorServiceStub(channel)
        reply = await stub.ListVms(nodes_pb2.ListVmsRequest(), timeout=10)
    assert list(reply.vms) == [
        nodes_pb2.RunningVm(
            node=NODE,
            agent_pid=agent.pid,
            namespace=host.mesh.vm_namespace(NODE),
            cgroup=host.group,
        )
    ]


async def test_the_machine_is_announced_again_after_its_lease_was_lost():
    backend, clock = MemoryBackend(), LoopClock()
    store = MemoryStore(Role.HYPERVISOR, backend)
    message = announce.host(Mesh(), machine.read(), clock)
    key = keys.HOSTS.key("local")
    async with (
        follow(store, keys.HOSTS) as hosts,
        background(announce.announce(store, message, ttl=1.0, clock=clock)),
        asyncio.timeout(20),
    ):
        await hosts.wait(lambda mirror: mirror.get("local") is not None)
        held = await store.get(key)
        assert held is not None
        backend.revoke(held.lease)
        await hosts.wait(lambda mirror: mirror.get("local") is None)
        await hosts.wait(lambda mirror: mirror.get("local") is not None)
        again = await store.get(key)
    assert again is not None
    assert again.lease != held.lease
    assert state.Host.FromString(again.value).cpu_milli >= 1000
