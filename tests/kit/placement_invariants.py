"""What must hold of the scheduler's keys at every revision, whatever happens meanwhile."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from snowcave.model import keys
from snowcave.model.families import FAMILIES
from snowcave.model.keys import KeySpace, M
from snowcave.model.spec import Need, need_of, size_of
from snowcave.scheduler.placement import fits
from snowcave.scheduler.rollout import FINISHED
from snowcave.scheduler.status import GRAPH
from snowcave.store.api import Change
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend

# What is looked at together; other keys are only noted.
_SPACES: tuple[KeySpace[Any], ...] = (
    keys.ASSIGNMENTS,
    keys.VMS,
    keys.ENDPOINTS,
    keys.SERVICE_STATUS,
    keys.REPORTS,
)
# A decision may be as old as a reign lives after the leader heard from the store last.
_STALE = 15.0


@dataclass
class Watcher:
    """Sees every revision as it is made, and keeps what it saw broken."""

    # By pool; empty: as the catalog says.
    most_nodes: Mapping[int, int] = field(default_factory=dict[int, int])
    broken: list[str] = field(default_factory=list[str])
    revisions: int = 0
    # Of every change, for comparing two runs.
    digest: Any = field(default_factory=hashlib.sha256)
    _seen: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {space.prefix: {} for space in _SPACES}
    )
    _once: set[str] = field(default_factory=set[str])
    # MAX_NODES by pool, with the time of each change.
    _limits: dict[int, list[tuple[float, int]]] = field(
        default_factory=dict[int, list[tuple[float, int]]]
    )

    def see(self, revision: int, changes: Sequence[Change]) -> None:
        looked_at = False
        for change in changes:
            # A reign says since when by the wall clock.
            value = b"" if change.key.startswith("reign/") else change.value
            self.digest.update(f"{change.key} {value!r}\n".encode())
            looked_at |= self._apply(change.key, change.value)
        self.revisions += 1
        if looked_at:
            self._check(revision)

    def _apply(self, key: str, value: bytes | None) -> bool:
        if key.startswith(keys.catalog("compute_pool").prefix) and value is not None:
            pool = state.Object.FromString(value)
            now = asyncio.get_running_loop().time()
            self._limits.setdefault(pool.uid, []).append((now, pool.compute_pool.max_nodes))
        space = next((one for one in _SPACES if key.startswith(one.prefix)), None)
        if space is None:
            return False
        held = self._seen[space.prefix]
        if value is None:
            held.pop(key, None)
            return True
        found, is_new = space.message.FromString(value), key not in held
        if space is keys.SERVICE_STATUS:
            self._follows_the_graph(key, held.get(key, space.message()).status, found.status)
        held[key] = found
        if is_new and space in (keys.ASSIGNMENTS, keys.VMS):
            self._is_new(key)
        if is_new and space is keys.VMS and not self.most_nodes:
            self._may_be_added(found)
        return True

    def _is_new(self, key: str) -> None:
        name = key.rsplit("/", 1)[1]
        if name in self._once:
            self.broken.append(f"{name} was given out twice")
        self._once.add(name)

    def _may_be_added(self, vm: state.Vm) -> None:
        """A pool whose limit is lowered gives nodes back as they become idle; it gets no new ones."""
        count = sum(
            one.compute_pool == vm.compute_pool and not one.stopping for one in self._all(keys.VMS)
        )
        now, changes = asyncio.get_running_loop().time(), self._limits.get(vm.compute_pool, [])
        last = [limit for at, limit in changes if at < now - _STALE][-1:]
        limits = last + [limit for at, limit in changes if at >= now - _STALE]
        if count > max(limits, default=0):
            self.broken.append(f"{vm.node} is node {count} of pool {vm.compute_pool}: {limits}")

    def _follows_the_graph(self, key: str, old: str, new: str) -> None:
        if new != old and new not in GRAPH[old]:
            self.broken.append(f"{key} went from {old} to {new}")

    def _all(self, space: KeySpace[M]) -> list[M]:
        return list(self._seen[space.prefix].values())

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
            if not fits(sum(used, Need()), size_of(family)):
                found.append(f"{vm.node} has more than it can hold")
        if not self.most_nodes:
            return found
        nodes = Counter(vm.compute_pool for vm in vms if not vm.stopping)
        for pool, count in nodes.items():
            if count > self.most_nodes.get(pool, 0):
                found.append(f"pool {pool} has {count} nodes")
        return found

    def _has_ended(self, one: state.Assignment) -> bool:
        """A job's instance that has ended takes no room. Reports go with their agent, the status stays."""
        reports, statuses = self._seen[keys.REPORTS.prefix], self._seen[keys.SERVICE_STATUS.prefix]
        report = reports.get(keys.REPORTS.key(one.node, one.instance), state.InstanceReport())
        rows = statuses.get(keys.SERVICE_STATUS.key(one.service), state.ServiceStatus()).instances
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
    backend: MemoryBackend, most_nodes: Mapping[int, int] | None = None
) -> AsyncGenerator[Watcher]:
    """Raises AssertionError when left, where something was broken meanwhile."""
    watcher = Watcher(most_nodes or {})
    stop = backend.observe(watcher.see)
    try:
        yield watcher
    finally:
        stop()
    assert watcher.revisions > 0
    if watcher.broken:
        raise AssertionError(f"{len(watcher.broken)} broken: {watcher.broken[:5]}")
