"""Machines, hypervisors and agents without containers: what the scheduler has to do with, in memory.

    async with simulated_host("local", backend, rng) as host:
        host.agents["n1"].cut()        # its lease runs out, its containers do not know

`Containers` counts what "runs", so tests can ask whether an instance ran twice.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.store.api import Put
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

HEARTBEAT = 10.0


@dataclass
class Agent:
    """One node. Takes its assignments from the store, reports after delays drawn from `rng`."""

    node: str
    host: str
    pool: int
    store: MemoryStore
    rng: random.Random
    # Longest time a step of an instance takes.
    slowness: float = 2.0
    # Instances that never get beyond this status.
    stuck: dict[int, str] = field(default_factory=dict[int, str])
    running: set[str] = field(default_factory=set[str])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _busy: dict[str, state.Assignment | None] = field(
        default_factory=dict[str, state.Assignment | None]
    )

    def cut(self) -> None:
        """Off the network: nothing it says is heard, nothing is heard by it."""
        self.store.reachable = False

    def heal(self) -> None:
        self.store.reachable = True

    async def end(self, one: state.Assignment, status: str) -> None:
        """The instance comes to its end, as a job's does."""
        self.stuck[one.instance_id] = status
        await self._report(one, status, 0)

    async def run(self) -> None:
        """Endless: with a lease, until it is lost; then anew."""
        while True:
            try:
                await self._live()
            except SnowcaveError:
                await asyncio.sleep(self.rng.uniform(0.1, 1.0))

    async def _live(self) -> None:
        async with self.store.lease(HEARTBEAT) as lease:
            node = state.Node(name=self.node, host=self.host, compute_pool=self.pool)
            await self.store.put(
                keys.NODES.key(self.node), node.SerializeToString(), lease=lease.id
            )
            async with follow(self.store, keys.ASSIGNMENTS, self.node) as assigned:
                for key, one in assigned.items():
                    self._wake(assigned, key[1], lease.id)
                    del one
                for instance in sorted(self.running):
                    self._wake(assigned, instance, lease.id)
                stop = assigned.subscribe(lambda key, _: self._wake(assigned, key[1], lease.id))
                try:
                    await lease.wait_lost()
                finally:
                    stop()
                    for task in self._tasks:
                        task.cancel()
                    await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self, assigned: Mirror[state.Assignment], instance: str, lease: int) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(assigned, instance, lease))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, assigned: Mirror[state.Assignment], instance: str, lease: int) -> None:
        try:
            await asyncio.sleep(self.rng.uniform(0, self.slowness))
            one = assigned.get(self.node, instance)
            if one is None or one.stopping:
                await self._stop(one, instance, lease)
                return
            self.running.add(instance)
            await self._report(one, "PENDING", lease)
            await asyncio.sleep(self.rng.uniform(0, self.slowness))
            one = assigned.get(self.node, instance)
            if one is not None and not one.stopping:
                await self._report(one, self.stuck.get(one.instance_id, "READY"), lease)
        except SnowcaveError:
            return  # the lease is gone with the store; `run` begins anew

    async def _stop(self, one: state.Assignment | None, instance: str, lease: int) -> None:
        if one is not None and instance in self.running:
            await self._report(one, "TERMINATING", lease)
            await asyncio.sleep(self.rng.uniform(0, self.slowness))
        self.running.discard(instance)
        if one is not None:
            await self._report(one, "GONE", lease)
        else:
            await self.store.delete(keys.REPORTS.key(self.node, instance))

    async def _report(self, one: state.Assignment, status: str, lease: int) -> None:
        report = state.InstanceReport(
            instance=one.instance,
            node=self.node,
            service=one.service,
            instance_id=one.instance_id,
            status=status,
            address=one.address,
            spec_digest=one.spec_digest,
        )
        key = keys.REPORTS.key(self.node, one.instance)
        await self.store.txn((), [Put(key, report.SerializeToString(), lease)])


@dataclass
class Host:
    """A machine whose hypervisor starts an agent for each VM."""

    name: str
    backend: MemoryBackend
    rng: random.Random
    slowness: float
    agents: dict[str, Agent] = field(default_factory=dict[str, Agent])
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])

    def changed(self, node: str, vm: state.Vm | None) -> None:
        wanted = vm is not None and not vm.stopping
        if vm is not None and wanted and node not in self.agents:
            store = MemoryStore(Role.AGENT, self.backend)
            agent = Agent(node, self.name, vm.compute_pool, store, self.rng, self.slowness)
            self.agents[node] = agent
            self._running[node] = asyncio.get_running_loop().create_task(agent.run())
        elif not wanted and node in self.agents:
            self.kill(node)
            del self.agents[node]

    def kill(self, node: str) -> None:
        """The VM dies with all that runs in it."""
        self._running[node].cancel()
        self.agents[node].running.clear()

    async def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)


@asynccontextmanager
async def simulated_host(
    name: str, backend: MemoryBackend, rng: random.Random, *, slowness: float = 2.0
) -> AsyncGenerator[Host]:
    store = MemoryStore(Role.HYPERVISOR, backend)
    host = Host(name, backend, rng, slowness)

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
        stop = vms.subscribe(lambda key, vm: host.changed(key[1], vm))
        for key, vm in vms.items():
            host.changed(key[1], vm)
        async with background(announce()):
            try:
                yield host
            finally:
                stop()
                await host.close()
