"""What the scheduler sees: the mirrors, and for how long each node has been away."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from snowcave.kit.clock import Clock
from snowcave.model.families import FAMILIES, Family
from snowcave.model.spec import Need, need_of, node_size
from snowcave.scheduler.placement import Room, less
from snowcave.scheduler.rollout import FINISHED
from snowcave.store.mirror import Mirror
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

Key = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mirrors:
    databases: Mirror[state.Object]
    schemas: Mirror[state.Object]
    roles: Mirror[state.Object]
    pools: Mirror[state.Object]
    services: Mirror[state.Object]
    hosts: Mirror[state.Host]
    nodes: Mirror[state.Node]
    reports: Mirror[state.InstanceReport]
    uses: Mirror[state.ServiceUse]
    blocks: Mirror[state.BlockSet]
    # One object, uid 0.
    accounts: Mirror[state.Object]
    # Platform events that the event table does not have yet.
    events: Mirror[events.AppendRequest]
    # What we write ourselves.
    pool_statuses: Mirror[state.PoolStatus]
    statuses: Mirror[state.ServiceStatus]
    vms: Mirror[state.Vm]
    assignments: Mirror[state.Assignment]
    endpoints: Mirror[state.Endpoint]


def service_of(instance: str) -> int:
    """`<service uid>-<instance id>-<incarnation>`"""
    return int(instance.split("-", 1)[0])


def _drop(groups: dict[int, set[T]], group: int, member: T) -> None:
    """Out of its group, which goes when it is empty."""
    held = groups.get(group)
    if held is not None:
        held.discard(member)
        if not held:
            del groups[group]


def has_blocks(service: state.Service) -> bool:
    return any(volume.source == "block" for volume in service.spec.volumes)


@dataclass
class World:
    """Questions over the mirrors, with the indices that keep them cheap."""

    mirrors: Mirrors
    clock: Clock
    node_grace: float
    _by_service: dict[int, set[Key]] = field(default_factory=dict[int, set[Key]])
    _by_pool: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    _pool_of: dict[int, int] = field(default_factory=dict[int, int])
    _vms: dict[str, state.Vm] = field(default_factory=dict[str, state.Vm])
    _vms_by_pool: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    # Services with an instance that has no node.
    _unplaced: set[int] = field(default_factory=set[int])
    # As they were when they were asked for last; gone with whatever they depend on.
    _rooms: dict[str, Room] = field(default_factory=dict[str, Room])
    _away_since: dict[str, float] = field(default_factory=dict[str, float])
    _idle_since: dict[str, float] = field(default_factory=dict[str, float])

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        mirrors = self.mirrors
        unsubscribe: list[Callable[[], None]] = [
            mirrors.services.subscribe(self._service_changed),
            mirrors.vms.subscribe(self._vm_changed),
            mirrors.assignments.subscribe(self._assigned),
            mirrors.nodes.subscribe(self._node_changed),
            mirrors.reports.subscribe(self._reported),
            mirrors.statuses.subscribe(self._status_changed),
        ]
        for key, service in mirrors.services.items():
            self._service_changed(key, service)
        for key, vm in mirrors.vms.items():
            self._vm_changed(key, vm)
        for key, assignment in mirrors.assignments.items():
            self._assigned(key, assignment)
        for key, status in mirrors.statuses.items():
            self._status_changed(key, status)
        try:
            yield
        finally:
            for stop in unsubscribe:
                stop()

    def _service_changed(self, key: Key, service: state.Object | None) -> None:
        uid = int(key[0])
        _drop(self._by_pool, self._pool_of.pop(uid, 0), uid)
        if service is not None:
            self._pool_of[uid] = service.service.compute_pool
            self._by_pool.setdefault(service.service.compute_pool, set()).add(uid)

    def _vm_changed(self, key: Key, vm: state.Vm | None) -> None:
        node = key[1]
        before = self._vms.pop(node, None)
        self._rooms.pop(node, None)
        if before is not None:
            _drop(self._vms_by_pool, before.compute_pool, node)
        if vm is not None:
            self._vms[node] = vm
            self._vms_by_pool.setdefault(vm.compute_pool, set()).add(node)

    def _assigned(self, key: Key, assignment: state.Assignment | None) -> None:
        service = service_of(key[1])
        if assignment is None:
            _drop(self._by_service, service, key)
        else:
            self._by_service.setdefault(service, set()).add(key)
        self._idle_since.pop(key[0], None)
        self._rooms.pop(key[0], None)

    def _node_changed(self, key: Key, node: state.Node | None) -> None:
        if node is None:
            self._away_since[key[0]] = self.clock.monotonic()
        else:
            self._away_since.pop(key[0], None)

    def _reported(self, key: Key, report: state.InstanceReport | None) -> None:
        if report is None or report.status in FINISHED:
            self._rooms.pop(key[0], None)  # a job's instance may have given its room back

    def _status_changed(self, key: Key, status: state.ServiceStatus | None) -> None:
        uid = int(key[0])
        waits = status is not None and any(not row.node for row in status.instances)
        (self._unplaced.add if waits else self._unplaced.discard)(uid)
        for node, _ in self._by_service.get(uid, ()):
            found = self.mirrors.services.get(uid)
            if found is None or found.service.is_job:
                self._rooms.pop(node, None)

    # ---- services

    def services_with_assignments(self) -> set[int]:
        return set(self._by_service)

    def assignments_of(self, service: int) -> list[state.Assignment]:
        found = [self.mirrors.assignments.get(*key) for key in self._by_service.get(service, ())]
        return sorted((one for one in found if one is not None), key=lambda one: one.instance)

    def report_of(self, one: state.Assignment) -> state.InstanceReport | None:
        return self.mirrors.reports.get(one.node, one.instance)

    def endpoints_of(self, service: int) -> dict[int, state.Endpoint]:
        return {int(key[1]): found for key, found in self.mirrors.endpoints.items(service)}

    def homes_of(self, service: int) -> dict[int, str]:
        """By instance id: the machine that has its block volumes, which never leave it."""
        found = self.mirrors.services.get(service)
        if found is None or not has_blocks(found.service):
            return {}
        return {int(key[1]): one.host for key, one in self.mirrors.blocks.items(service)}

    def services_in(self, pool: int) -> Iterator[tuple[int, state.Object]]:
        for uid in sorted(self._by_pool.get(pool, ())):
            found = self.mirrors.services.get(uid)
            if found is not None:
                yield uid, found

    def waiting_in(self, pool: int) -> list[int]:
        """Services with an instance that waits for a node."""
        return sorted(self._unplaced & self._by_pool.get(pool, set()))

    # ---- nodes

    def vms_of(self, pool: int) -> list[state.Vm]:
        return [self._vms[node] for node in sorted(self._vms_by_pool.get(pool, ()))]

    def vm(self, node: str) -> state.Vm | None:
        return self._vms.get(node)

    def is_up(self, node: str) -> bool:
        return self.mirrors.nodes.get(node) is not None

    def lost_in(self, node: str) -> float | None:
        """Seconds until the node counts as lost, 0 where it does; None while it is up."""
        if self.is_up(node):
            return None
        now = self.clock.monotonic()
        since = self._away_since.setdefault(node, now)
        return max(0.0, since + self.node_grace - now)

    def idle_secs(self, node: str) -> float:
        now = self.clock.monotonic()
        return now - self._idle_since.setdefault(node, now)

    def assignments_on(self, node: str) -> list[state.Assignment]:
        return [one for _, one in self.mirrors.assignments.items(node)]

    def live_on(self, node: str) -> list[state.Assignment]:
        """Without the instances of jobs that have come to their end: nothing of them runs."""
        held = self.assignments_on(node)
        return [one for one in held if not (one.is_job and self._has_ended(one))]

    def room_on(self, vm: state.Vm) -> Room:
        if (known := self._rooms.get(vm.node)) is not None:
            return known
        size = node_size(vm.cpu_milli, vm.memory_bytes, vm.gpu)
        free, family = size, FAMILIES[vm.instance_family]
        for one in self.assignments_on(vm.node):
            free = less(free, self._need_now(one, family))
        self._rooms[vm.node] = Room(vm.node, free, size, vm.host)
        return self._rooms[vm.node]

    def _need_now(self, one: state.Assignment, family: Family) -> Need:
        """A job's instance that has come to its end takes no room any more."""
        return Need() if one.is_job and self._has_ended(one) else need_of(one.spec, family)

    def _has_ended(self, one: state.Assignment) -> bool:
        """As its agent says, or said before it was restarted."""
        report = self.report_of(one)
        if report is not None:
            return report.status in FINISHED
        told = self.mirrors.statuses.get(one.service) or state.ServiceStatus()
        return any(
            row.instance_id == one.instance_id and row.status in FINISHED for row in told.instances
        )

    def forget_node(self, node: str) -> None:
        self._away_since.pop(node, None)
        self._idle_since.pop(node, None)

    # ---- names

    def identity_of(self, service: state.Object) -> state.ServiceIdentity | None:
        """None while a mirror does not show yet what the service belongs to."""
        schema = self.mirrors.schemas.get(service.parent)
        database = self.mirrors.databases.get(schema.parent) if schema else None
        role = self.mirrors.roles.get(service.owner_role)
        pool = self.mirrors.pools.get(service.service.compute_pool)
        if schema is None or database is None or role is None or pool is None:
            return None
        return state.ServiceIdentity(
            service_name=service.name,
            database_name=database.name,
            schema_name=schema.name,
            dns_hash=schema.schema.dns_hash,
            owner_role=service.owner_role,
            owner_role_name=role.name,
            compute_pool=pool.uid,
            compute_pool_name=pool.name,
            database=database.uid,
            schema=schema.uid,
        )
