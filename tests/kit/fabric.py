"""Simulated VMs made for real, without hypervisor, agent or container engine: namespaces, links and rules.

An instance is a process in a network namespace of its own that answers on some ports; a node is a process
inside its VM that runs the agent's network part over a store in memory.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from snowcave.hypervisor import fabric, vms
from snowcave.hypervisor.settings import HypervisorSettings
from snowcave.runtime.mesh import AddressPlan, Mesh
from snowcave.v1 import state_pb2 as state

_KIT = Path(__file__).parent
_SERVICES = _KIT.parent.parent / "services"
_PATIENCE = 20.0
# Commands that change what the store holds.
_WRITES = ("publish", "withdraw", "catalog")


async def a_plan() -> AddressPlan:
    """Networks of the test's own: other tests of this kind may be running."""
    taken = {destination for destination, _ in await fabric.machine_routes()}
    free = [n for n in range(128, 240) if f"10.{n}.0.0/16" not in taken]
    first, second, third = random.SystemRandom().sample(free, 3)
    return AddressPlan(f"10.{first}.0.0/16", f"10.{second}.0.0/16", f"10.{third}.0.0/16")


@asynccontextmanager
async def child(*argv: str, **options: Any) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*argv, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def serving(
    enter: Sequence[str], name: str, ports: Sequence[int]
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process behind `enter` (unshare or nsenter) that answers on all of the ports."""
    command = (*enter, "--", sys.executable, str(_KIT / "fabric_serve.py"), name)
    output = asyncio.subprocess.PIPE
    async with child(*command, *map(str, ports), stdout=output) as process:
        assert process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            await process.stdout.readline()
        yield process


@dataclass
class Node:
    """A VM with the agent's network part in it."""

    name: str
    vm: state.Vm
    namespace: str
    command: tuple[str, ...]
    stack: AsyncExitStack
    _process: asyncio.subprocess.Process | None = None
    # What the store got so far: a new process of the agent finds it there.
    _kept: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """The agent, beside what is in the kernel. One that runs is killed before."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
        self._process = await self.stack.enter_async_context(
            child(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 24,
                env={**os.environ, "PYTHONPATH": f"{_SERVICES}:{_KIT.parent.parent}"},
            )
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._kept).encode() + b"\n")
        await self.ask("settle")

    async def ask(self, command: str, **values: Any) -> Any:
        order = {"command": command, **values}
        if command in _WRITES:
            self._kept.append(order)
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock, asyncio.timeout(_PATIENCE):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            line = await self._process.stdout.readline()
        answer = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["result"]


@dataclass
class Instance:
    name: str
    address: str
    node: Node
    process: asyncio.subprocess.Process

    async def call(
        self, host: str, port: int, *, times: int = 1, source: str = "", patience: float = 3.0
    ) -> list[str]:
        """What each connection brought: the server's words, or `refused`, `timeout`, `unreachable`."""
        return await call_from(
            f"/proc/{self.process.pid}/ns/net", host, port, times, source, patience
        )

    @asynccontextmanager
    async def talk(self, host: str, port: int) -> AsyncGenerator["Talk"]:
        async with child(
            *("nsenter", f"--net=/proc/{self.process.pid}/ns/net", "--"),
            *(sys.executable, str(_KIT / "fabric_talk.py"), host, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        ) as process:
            yield Talk(process)


@dataclass
class Talk:
    """A conversation line by line over one connection."""

    process: asyncio.subprocess.Process

    async def greeting(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def say(self, line: str) -> str:
        """The other side's answer; `gone` where the connection has ended."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        return await self.greeting()


async def call_from(
    namespace: str, host: str, port: int, times: int = 1, source: str = "", patience: float = 3.0
) -> list[str]:
    enter = ("nsenter", f"--net={namespace}", "--") if namespace else ()
    arguments = (host, str(port), str(times), source, str(patience))
    script = str(_KIT / "fabric_call.py")
    async with (
        asyncio.timeout(_PATIENCE + patience * times),
        child(
            *enter, sys.executable, script, *arguments, stdout=asyncio.subprocess.PIPE
        ) as process,
    ):
        output, _ = await process.communicate()
    return json.loads(output)


@dataclass
class Cluster:
    mesh: Mesh
    nodes: tuple[Node, ...]
    stack: AsyncExitStack

    async def start(self, node: Node, name: str, number: int, ports: Sequence[int]) -> Instance:
        """An instance on the node, plugged, answering on all of `ports`; no endpoint yet."""
        network = node.vm.instance_network.removesuffix("0/24")
        process = await self.stack.enter_async_context(serving(("unshare", "--net"), name, ports))
        instance = Instance(name, f"{network}{number}", node, process)
        await node.ask("plug", pid=process.pid, name=name, address=instance.address)
        return instance

    async def publish(self, *endpoints: state.Endpoint) -> None:
        """Every node has taken the endpoints into its rules when this is back."""
        written = [MessageToDict(endpoint) for endpoint in endpoints]
        await asyncio.gather(*(node.ask("publish", endpoints=written) for node in self.nodes))

    async def withdraw(self, service: int) -> None:
        await asyncio.gather(*(node.ask("withdraw", service=service) for node in self.nodes))


@asynccontextmanager
async def a_cluster(
    home: Path, nodes: int = 2, port_base: int = 20_000
) -> AsyncGenerator[Cluster]:
    mesh = Mesh(home=home, plan=await a_plan(), port_base=port_base)
    settings = HypervisorSettings(mesh)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fabric.remove, mesh)
        await fabric.ensure(mesh)
        made = [await a_node(stack, settings, index) for index in range(1, nodes + 1)]
        yield Cluster(mesh, tuple(made), stack)


async def a_node(
    stack: AsyncExitStack, settings: HypervisorSettings, index: int, etcd: str = ""
) -> Node:
    """Where an `etcd` is named, the rules follow what stands in it."""
    mesh, name = settings.mesh, f"node-{index}"
    vm = state.Vm(
        node=name,
        host=mesh.host,
        underlay_address=mesh.plan.node_underlay(index),
        instance_network=mesh.plan.node_network(index),
    )
    await vms.ensure_network(settings, vm)
    namespace = f"/run/netns/{mesh.vm_namespace(name)}"
    plan = ",".join((mesh.plan.underlay, mesh.plan.instances, mesh.plan.services))
    command = (
        *("nsenter", f"--net={namespace}", "--", sys.executable),
        *(str(_KIT / "fabric_node.py"), str(mesh.home), str(mesh.port_base), plan),
        vm.instance_network,
        etcd,
    )
    node = Node(name, vm, namespace, command, stack)
    await node.start()
    return node
