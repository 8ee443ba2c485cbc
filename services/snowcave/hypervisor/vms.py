"""The VMs of this machine, kept as the scheduler wants them.

Owns each VM's namespace, link, cgroup and agent process. Everything here outlives this process: after a
restart of the hypervisor, agents that live are adopted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from snowcave.hypervisor import (
    agents,
    cgroups,
    decide,
    machine,
    names,
    namespaces,
    switch,
    teardown,
)
from snowcave.hypervisor.decide import Starts, Step
from snowcave.hypervisor.settings import HypervisorSettings
from snowcave.kit.clock import Clock
from snowcave.runtime.reconciler import Done
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_UNREACHABLE_METRIC = 4096


@dataclass
class Vms:
    """`environment` is what agents inherit; `changed` is called with a node whose agent has died."""

    settings: HypervisorSettings
    wanted: Mirror[state.Vm]
    clock: Clock
    environment: Mapping[str, str]
    command: tuple[str, ...]
    changed: Callable[[str], None]
    _trees: cgroups.Cgroups = field(default_factory=cgroups.of_machine)
    _machine: machine.Machine = field(default_factory=machine.read)
    _starts: dict[str, Starts] = field(default_factory=dict[str, Starts])
    _watched: dict[str, tuple[agents.Agent, Callable[[], None]]] = field(
        default_factory=dict[str, tuple[agents.Agent, Callable[[], None]]]
    )

    async def nodes(self) -> Iterable[str]:
        """All that are wanted and all that have left something behind."""
        wanted = {parts[1] for parts, _ in self.wanted.items(self.settings.mesh.host)}
        return wanted | teardown.nodes_on_machine(self.settings.mesh)

    async def reconcile(self, node: str) -> Done:
        """Raises Unavailable where the machine refuses; the reconciler tries again."""
        vm = self.wanted.get(self.settings.mesh.host, node)
        found = self.find(node)
        agent = found.agent
        for step in decide.steps(vm, found):
            match step:
                case Step.REMOVE:
                    await self._remove(node)
                    agent = None
                case Step.PREPARE:
                    assert vm is not None
                    await self._prepare(vm)
                case Step.START_AGENT:
                    assert vm is not None
                    pause = self._pause(node)
                    if pause > 0:
                        return Done(again_in=pause)
                    agent = self._start(vm)
        self._watch(node, agent)
        return Done()

    def find(self, node: str) -> decide.Found:
        mesh = self.settings.mesh
        inode = namespaces.inode(mesh.vm_namespace(node))
        agent = agents.recall(teardown.pid_file(mesh, node), node)
        if agent is None and (agent := agents.search(inode, node)) is not None:
            # We died between starting it and writing its pid down.
            agents.remember(teardown.pid_file(mesh, node), agent)
        return decide.Found(
            traces=node in teardown.nodes_on_machine(mesh),
            namespace=inode,
            agent=agent,
            agent_namespace=agents.namespace_inode(agent) if agent else 0,
        )

    def stop_watching(self) -> None:
        """At our own end: the agents go on."""
        for _, stop in self._watched.values():
            stop()
        self._watched.clear()

    async def _prepare(self, vm: state.Vm) -> None:
        mesh = self.settings.mesh
        await ensure_network(self.settings, vm)
        self._trees.make(f"{mesh.cgroup}/{vm.node}", machine.limits(vm, self._machine))

    async def _remove(self, node: str) -> None:
        self._starts.pop(node, None)
        _, stop = self._watched.pop(node, (None, lambda: None))
        stop()
        await teardown.remove_vm(self.settings.mesh, node, grace=self.settings.agent_grace)

    def _pause(self, node: str) -> float:
        return decide.pause_before_start(
            self._starts.get(node, Starts()),
            self.clock.monotonic(),
            steady=self.settings.agent_steady,
            cap=self.settings.agent_backoff,
        )

    def _start(self, vm: state.Vm) -> agents.Agent:
        mesh, now = self.settings.mesh, self.clock.monotonic()
        logs = mesh.folder("log")
        logs.mkdir(parents=True, exist_ok=True)
        teardown.node_folder(mesh, vm.node).mkdir(parents=True, exist_ok=True)
        agent = agents.start(
            mesh.vm_namespace(vm.node),
            self.command,
            {**self.environment, **self._agent_settings(vm)},
            logs / f"agent-{vm.node}.log",
        )
        agents.remember(teardown.pid_file(mesh, vm.node), agent)
        self._trees.adopt_agent(f"{mesh.cgroup}/{vm.node}", agent.pid)
        self._starts[vm.node] = decide.after_start(
            self._starts.get(vm.node, Starts()), now, steady=self.settings.agent_steady
        )
        log.info("agent_started", node=vm.node, pid=agent.pid)
        return agent

    def _agent_settings(self, vm: state.Vm) -> dict[str, str]:
        mesh = self.settings.mesh
        limits = machine.limits(vm, self._machine)
        return {
            "SNOWCAVE_HOME": str(mesh.home),
            agents.NODE_VARIABLE: vm.node,
            "SNOWCAVE_AGENT__ADDRESS": vm.underlay_address,
            "SNOWCAVE_AGENT__NETWORK": vm.instance_network,
            "SNOWCAVE_AGENT__ENGINE_SOCKET": engine_socket(self.settings),
            "SNOWCAVE_AGENT__CGROUP_PARENT": f"{mesh.cgroup}/{vm.node}",
            "SNOWCAVE_AGENT__STATE_FOLDER": str(teardown.node_folder(mesh, vm.node)),
            "SNOWCAVE_AGENT__MEMORY_BYTES": str(limits.memory_bytes),
            "SNOWCAVE_AGENT__CPU_MILLI": str(limits.cpu_milli),
            "SNOWCAVE_AGENT__GPU": str(vm.gpu),
        }

    def _watch(self, node: str, agent: agents.Agent | None) -> None:
        watched, stop = self._watched.get(node, (None, lambda: None))
        if agent == watched:
            return
        stop()
        self._watched.pop(node, None)
        if agent is not None:
            self._watched[node] = (agent, agents.when_dead(agent, lambda: self._died(node)))

    def _died(self, node: str) -> None:
        self._watched.pop(node, None)
        log.warning("agent_died", node=node)
        self.changed(node)


async def ensure_network(settings: HypervisorSettings, vm: state.Vm) -> None:
    """The VM's namespace with its link to the fabric, addresses and routes; may be repeated."""
    mesh, port = settings.mesh, names.vm_port(vm.node)
    namespace, fabric = mesh.vm_namespace(vm.node), mesh.fabric_namespace
    router = mesh.plan.underlay_address(names.ROUTER)
    await namespaces.ensure(namespace, namespaces.ROUTER_SYSCTLS)
    await namespaces.ensure_veth(fabric, port, namespace, names.UPLINK)
    await namespaces.batch(
        namespace,
        [
            f"addr replace {names.GATEWAY}/32 dev lo",
            f"addr replace {vm.underlay_address}/16 dev {names.UPLINK}",
            f"route replace default via {mesh.plan.machine} dev {names.UPLINK}",
            f"route replace {mesh.plan.instances} via {router} dev {names.UPLINK}",
            # An instance that is gone must not send its packets round and round between us and the fabric.
            f"route replace unreachable {vm.instance_network} metric {_UNREACHABLE_METRIC}",
        ],
    )
    await switch.connect_port(mesh, port, [vm.underlay_address, vm.instance_network])
    await namespaces.batch(
        fabric, [f"route replace {vm.instance_network} via {vm.underlay_address}"]
    )


def engine_socket(settings: HypervisorSettings) -> str:
    mesh = settings.mesh
    if chosen := settings.engine_socket or mesh.engine_socket:
        return chosen
    own = mesh.own_engine_socket
    return str(own) if own.exists() else "/var/run/docker.sock"


def agent_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What an agent inherits: not our own settings, and no file descriptor of a service manager."""
    dropped = ("SNOWCAVE_HYPERVISOR__", "SNOWCAVE_AGENT__", "LISTEN_", "NOTIFY_SOCKET")
    return {name: value for name, value in environ.items() if not name.startswith(dropped)}
