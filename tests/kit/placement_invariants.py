"""What must hold of the scheduler's keys at every revision, whatever happens meanwhile."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.families import FAMILIES
from snowcave.model.keys import KeySpace, M, Role
from snowcave.model.spec import Need, need_of
from snowcave.scheduler.placement import fits
from snowcave.scheduler.rollout import FINISHED
from snowcave.scheduler.status import GRAPH
from snowcave.store.api import WatchBatch
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore


@dataclass
class Watcher:
    """Sees every revision, one after the other, and keeps what it saw broken."""

    backend: MemoryBackend
    most_nodes: Mapping[int, int]
    broken: list[str] = field(default_factory=list[str])
    revisions: int = 0
    _values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _once: set[str] = field(default_factory=set[str])

    async def run(self) -> None:
        store = MemoryStore(Role.ADMIN, self.backend)
        async for batch in store.watch("", 1):
            self._see(batch)

    def _see(self, batch: WatchBatch) -> None:
        """A batch may hold several revisions; each is looked at by itself."""
        for revision in sorted({change.mod_revision for change in batch.changes}):
            for change in batch.changes:
                if change.mod_revision == revision:
                    self._apply(change.key, change.value)
            self.revisions += 1
            self._check(revision)

    def _apply(self, key: str, value: bytes | None) -> None:
        self._statuses_follow_the_graph(key, value)
        if value is not None and key not in self._values and key.startswith(("assign/", "vm/")):
            name = key.rsplit("/", 1)[1]
            if name in self._once:
                self.broken.append(f"{name} was given out twice")
            self._once.add(name)
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def _statuses_follow_the_graph(self, key: str, value: bytes | None) -> None:
        if not key.startswith(keys.SERVICE_STATUS.prefix) or value is None:
            return
        old = state.ServiceStatus.FromString(self._values.get(key, b"")).status
        new = state.ServiceStatus.FromString(value).status
        if new != old and new not in GRAPH[old]:
            self.broken.append(f"{key} went from {old} to {new}")

    def _all(self, space: KeySpace[M]) -> list[M]:
        return [
            space.message.FromString(value)
            for key, value in self._values.items()
            if key.startswith(space.prefix)
        ]

    def _check(self, revision: int) -> None:
        assigned, vms = self._all(keys.ASSIGNMENTS), self._all(keys.VMS)
        endpoints = self._all(keys.ENDPOINTS)
        problems = [
            *_repeated("ordinal", Counter((one.service, one.instance_id) for one in assigned)),
            *_repeated("address", Counter(one.address for one in assigned)),
            *_repeated("network", Counter(vm.instance_network for vm in vms)),
            *_repeated(
                "service address",
                Counter(s.service_address for s in self._all(keys.SERVICE_STATUS)),
            ),
            *self._overfull(assigned, vms),
            *_strays(endpoints, {one.instance: one for one in assigned}),
        ]
        self.broken += [f"revision {revision}: {problem}" for problem in problems]

    def _overfull(self, assigned: list[state.Assignment], vms: list[state.Vm]) -> list[str]:
        found: list[str] = []
        for vm in vms:
            family = FAMILIES[vm.instance_family]
            used = [
                need_of(one.spec, family)
                for one in assigned
                if one.node == vm.node and not self._has_ended(one)
            ]
            size = Need(family.cpu_milli, family.memory_bytes, family.gpu_count)
            if not fits(sum(used, Need()), size):
                found.append(f"{vm.node} has more than it can hold")
        nodes = Counter(vm.compute_pool for vm in vms if not vm.stopping)
        for pool, count in nodes.items():
            if count > self.most_nodes.get(pool, 0):
                found.append(f"pool {pool} has {count} nodes")
        return found

    def _has_ended(self, one: state.Assignment) -> bool:
        """A job's instance that has ended takes no room. Reports go with their agent, the status stays."""
        held = self._values.get(keys.REPORTS.key(one.node, one.instance), b"")
        report = state.InstanceReport.FromString(held)
        told = self._values.get(keys.SERVICE_STATUS.key(one.service), b"")
        rows = state.ServiceStatus.FromString(told).instances
        row = next((r.status for r in rows if r.instance_id == one.instance_id), "")
        return one.is_job and (report.status in FINISHED or row in FINISHED)


def _repeated(what: str, counted: Counter[object]) -> list[str]:
    return [f"{what} {value} has {count}" for value, count in counted.items() if count > 1]


def _strays(endpoints: list[state.Endpoint], assigned: dict[str, state.Assignment]) -> list[str]:
    found: list[str] = []
    for endpoint in endpoints:
        one = assigned.get(endpoint.instance)
        if one is None or one.address != endpoint.address:
            found.append(f"endpoint of {endpoint.instance}, which has no assignment")
        elif endpoint.ready and one.stopping:
            found.append(f"{endpoint.instance} is stopping and ready")
    return found


@asynccontextmanager
async def watched(
    backend: MemoryBackend, most_nodes: Mapping[int, int]
) -> AsyncGenerator[Watcher]:
    """Raises AssertionError when left, where something was broken meanwhile."""
    watcher = Watcher(backend, most_nodes)
    async with background(watcher.run()):
        yield watcher
    assert watcher.revisions > 0
    assert watcher.broken == []
