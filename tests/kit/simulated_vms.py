"""A machine whose VMs have real agents over simulated engines: they crash, are cut off, come back.

    async with simulated_machine("local", backend, rng) as machine:
        await machine.vms["n1"].crash_agent()      # its containers go on
        machine.vms["n1"].cut()                    # its lease runs out, it does not know

Every engine tells its `Witness` what it starts and signals, so that what must never happen to
containers is seen when it happens.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from snowcave.agent import node as node_part
from snowcave.agent.engine.api import Container, ContainerId, Credential, Phase
from snowcave.agent.engine.simulated import Behaviour, SimulatedEngine
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, SANDBOX
from snowcave.agent.reports import ReportSettings, open_reports
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import (
    GROUND,
    PACE,
    QuietNetwork,
    QuietSecrets,
    QuietSessions,
    QuietVolumes,
    VirtualClock,
)
from tests.kit.memory_store import MemoryBackend, MemoryStore

HEARTBEAT = 10.0


class QuietLogs:
    """Nobody reads the containers' logs."""

    def follow(self, want: state.Assignment, container: Container) -> None: ...

    async def keep(self, container: Container) -> None: ...


@dataclass
class Witness:
    """Sees what all engines do, and keeps what was wrong."""

    backend: MemoryBackend
    broken: list[str] = field(default_factory=list[str])
    # Instances of jobs by service and index, as far as a container of theirs has been started.
    _begun: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def starts(self, node: str, instance: str) -> None:
        held = self.backend.get(keys.ASSIGNMENTS.key(node, instance))
        if held is None or not state.Assignment.FromString(held.value).is_job:
            return
        service, index, _ = instance.split("-")
        first = self._begun.setdefault((service, index), instance)
        if first != instance:
            self.broken.append(f"a job's instance was run twice: {first}, then {instance}")

    def signals(self, instance: str, name: str) -> None:
        """Out of traffic first, then SIGTERM."""
        service, ordinal, _ = instance.split("-")
        held = self.backend.get(keys.ENDPOINTS.key(service, ordinal))
        endpoint = state.Endpoint.FromString(held.value if held else b"")
        if endpoint.instance == instance and endpoint.ready:
            self.broken.append(f"{name} went to {instance}, which takes traffic")


class WatchedEngine(SimulatedEngine):
    def __init__(self, node: str, witness: Witness, behaviours: dict[str, Behaviour]) -> None:
        super().__init__(VirtualClock())
        self.behaviours = behaviours
        self.images.add(node_part.SANDBOX_IMAGE)
        self._node = node
        self._witness = witness

    async def start(self, container: ContainerId) -> None:
        await super().start(container)
        found = self.containers[container]
        if found.labels[CONTAINER_LABEL] != SANDBOX:
            self._witness.starts(self._node, found.labels[INSTANCE_LABEL])

    async def signal(self, container: ContainerId, name: str) -> None:
        if (found := self.containers.get(container)) is not None:
            self._witness.signals(found.labels[INSTANCE_LABEL], name)
        await super().signal(container, name)

    def instances(self) -> set[str]:
        """Those that have a container, running or not."""
        return {found.labels[INSTANCE_LABEL] for found in self.containers.values()}

    def programs(self) -> list[Container]:
        """Running containers but for sandboxes."""
        return [
            found
            for found in self.containers.values()
            if found.phase is Phase.RUNNING and found.labels[CONTAINER_LABEL] != SANDBOX
        ]


async def _credential(_repository: str) -> Credential:
    return Credential("puller", "secret")


@dataclass
class SimulatedVm:
    """One VM: an engine, and the agent that is started again whenever it ends."""

    vm: state.Vm
    backend: MemoryBackend
    rng: random.Random
    witness: Witness
    behaviours: dict[str, Behaviour]
    bugs: int = 0
    # Agents that have lived here.
    lives: int = 0
    _reachable: bool = True
    _stopped: bool = False
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.engine = WatchedEngine(self.vm.node, self.witness, self.behaviours)
        self._agent = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                await self._live()
            except SnowcaveError:
                await asyncio.sleep(self.rng.uniform(0.1, 1.0))
            except Exception as error:
                self.witness.broken.append(f"the agent of {self.vm.node} failed: {error!r}")
                raise

    async def _live(self) -> None:
        """One agent, as agent.main wires it, until it is cancelled or the store is away at its start."""
        self.lives += 1
        store = self._store = MemoryStore(Role.AGENT, self.backend)
        store.reachable = self._reachable
        clock, node = VirtualClock(), self.vm.node
        announced = state.Node(name=node, host=self.vm.host, compute_pool=self.vm.compute_pool)
        async with (
            follow(store, keys.ASSIGNMENTS, node) as assigned,
            open_reports(store, announced, ReportSettings(HEARTBEAT), clock, self.rng) as reports,
            node_part.open_instances(
                replace(GROUND, node=node),
                assigned,
                node_part.Surroundings(
                    engine=self.engine,
                    network=QuietNetwork(),
                    issue=_credential,
                    reports=reports,
                    logs=QuietLogs(),
                    sessions=QuietSessions(),
                    volumes=QuietVolumes(),
                    secrets=QuietSecrets(),
                    clock=clock,
                    rng=self.rng,
                ),
                PACE,
            ) as instances,
        ):
            try:
                await asyncio.Event().wait()
            finally:
                self.bugs += instances.reconciler.bugs

    def cut(self) -> None:
        """Off the network: nothing it says is heard, nothing is heard by it."""
        self._reachable = self._store.reachable = False

    def heal(self) -> None:
        self._reachable = self._store.reachable = True

    async def crash_agent(self, pause: float = 0.0) -> None:
        """As by SIGKILL: nothing is revoked, containers go on; another agent is started after the pause."""
        async with self._one_at_a_time:
            self._store.reachable = False
            await self._end()
            await self._begin_again(pause)

    async def crash(self, pause: float = 0.0) -> None:
        """The VM with all that runs in it; it comes up empty."""
        async with self._one_at_a_time:
            self._store.reachable = False
            await self._end()
            self.engine = WatchedEngine(self.vm.node, self.witness, self.behaviours)
            await self._begin_again(pause)

    async def stop(self) -> None:
        """As its hypervisor does: the agent takes leave, then everything is gone."""
        self._stopped = True
        await self._end()

    async def _begin_again(self, pause: float) -> None:
        await asyncio.sleep(pause)
        if not self._stopped:
            self._agent = asyncio.get_running_loop().create_task(self._run())

    async def _end(self) -> None:
        self._agent.cancel()
        await asyncio.gather(self._agent, return_exceptions=True)


@dataclass
class Machine:
    """A hypervisor: as many VMs as the scheduler asks for."""

    name: str
    backend: MemoryBackend
    rng: random.Random
    witness: Witness
    behaviours: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    vms: dict[str, SimulatedVm] = field(default_factory=dict[str, SimulatedVm])
    # Of VMs that are gone.
    past_bugs: int = 0
    _ends: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def bugs(self) -> int:
        return self.past_bugs + sum(vm.bugs for vm in self.vms.values())

    def changed(self, node: str, vm: state.Vm | None) -> None:
        wanted = vm is not None and not vm.stopping
        if vm is not None and wanted and node not in self.vms:
            self.vms[node] = SimulatedVm(vm, self.backend, self.rng, self.witness, self.behaviours)
        elif not wanted and node in self.vms:
            ending = asyncio.get_running_loop().create_task(self._end(self.vms.pop(node)))
            self._ends.add(ending)
            ending.add_done_callback(self._ends.discard)

    async def _end(self, vm: SimulatedVm) -> None:
        await vm.stop()
        self.past_bugs += vm.bugs

    async def close(self) -> None:
        for vm in list(self.vms.values()):
            await self._end(vm)
        self.vms.clear()
        await asyncio.gather(*self._ends)


@asynccontextmanager
async def simulated_machine(
    name: str, backend: MemoryBackend, rng: random.Random, witness: Witness
) -> AsyncGenerator[Machine]:
    store = MemoryStore(Role.HYPERVISOR, backend)
    machine = Machine(name, backend, rng, witness)

    async def announce() -> None:
        while True:
            try:
                async with store.lease(HEARTBEAT) as lease:
                    message = state.Host(name=name).SerializeToString()
                    await store.put(keys.HOSTS.key(name), message, lease=lease.id)
                    await lease.wait_lost()
            except SnowcaveError:
                await asyncio.sleep(0.5)

    async with follow(store, keys.VMS, name) as vms:
        unsubscribe = vms.subscribe(lambda key, vm: machine.changed(key[1], vm))
        for key, vm in vms.items():
            machine.changed(key[1], vm)
        async with background(announce()):
            try:
                yield machine
            finally:
                unsubscribe()
                await machine.close()
