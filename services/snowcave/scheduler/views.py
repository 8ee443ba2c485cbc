"""From the world to the view that one step decides upon."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from snowcave.kit.clock import Clock
from snowcave.model import platform_events
from snowcave.model.families import FAMILIES
from snowcave.model.spec import Need, need_of
from snowcave.runtime.mesh import AddressPlan
from snowcave.runtime.outbox import MOST_WAITING
from snowcave.scheduler import hosts
from snowcave.scheduler.placement import Room
from snowcave.scheduler.pool_step import PoolView
from snowcave.scheduler.pools import PoolVm
from snowcave.scheduler.service_view import ServiceView
from snowcave.scheduler.world import World
from snowcave.v1 import state_pb2 as state

# A pool's PLACEMENT_GROUP: instances of one service go to different nodes where they can.
DISTRIBUTED = "DISTRIBUTED"


@dataclass(frozen=True, slots=True)
class Views:
    world: World
    plan: AddressPlan
    clock: Clock
    idle_node: float
    job_linger: float
    strict_capacity: bool = False
    # In the attributes of events.
    account: str = ""
    # What autoscaling has just decided, by service.
    scales: dict[int, int] = field(default_factory=dict[int, int])

    # ---- services

    def service(self, uid: int) -> ServiceView:
        world, mirrors = self.world, self.world.mirrors
        service = mirrors.services.get(uid)
        pool_uid = service.service.compute_pool if service else 0
        pool = mirrors.pools.get(pool_uid)
        assignments = world.assignments_of(uid)
        reports = {one.instance: world.report_of(one) for one in assignments}
        return ServiceView(
            uid=uid,
            service=service,
            pool_released=is_released(pool),
            pool_may_grow=self._may_grow(pool),
            assignments=assignments,
            reports={name: report for name, report in reports.items() if report is not None},
            lost_nodes={one.node for one in assignments if self._is_lost(one.node)},
            draining_nodes={one.node for one in assignments if self._is_draining(one.node)},
            before=mirrors.statuses.get(uid) or state.ServiceStatus(),
            endpoints=world.endpoints_of(uid),
            identity=world.identity_of(service) if service else None,
            need=_need(service, pool),
            rooms=lambda: self._rooms(pool_uid),
            network_of=self._network_of,
            addresses_on=lambda node: {one.address for one in world.assignments_on(node)},
            service_addresses=lambda: {
                status.service_address for status in mirrors.statuses.values()
            },
            plan=self.plan,
            now=self.clock.now(),
            job_linger=self.job_linger,
            spread=pool is not None and pool.compute_pool.placement_group == DISTRIBUTED,
            scale_to=self.scales.get(uid),
            called_on=self._called_on(uid),
            homes=world.homes_of(uid),
            event_level=self._event_level(service),
            events_are_full=len(mirrors.events) >= MOST_WAITING,
            account=self.account,
            family_of=self._family_of,
        )

    def _event_level(self, service: state.Object | None) -> str:
        if service is None:
            return platform_events.OFF
        mirrors = self.world.mirrors
        schema = mirrors.schemas.get(service.parent)
        database = mirrors.databases.get(schema.parent) if schema else None
        return platform_events.level(service, schema, database, mirrors.accounts.get(0))

    def _family_of(self, node: str) -> str:
        vm = self.world.vm(node)
        return vm.instance_family if vm else ""

    def _called_on(self, uid: int) -> datetime | None:
        use = self.world.mirrors.uses.get(uid)
        return use.called_on.ToDatetime(UTC) if use else None

    def next_loss(self, uid: int) -> float | None:
        """Seconds until the next of a service's nodes counts as lost, if none comes back."""
        waits = [self.world.lost_in(one.node) for one in self.world.assignments_of(uid)]
        return min((wait for wait in waits if wait), default=None)

    def _network_of(self, node: str) -> str:
        vm = self.world.vm(node)
        assert vm is not None, "only nodes with a VM have room"
        return vm.instance_network

    def _rooms(self, pool: int) -> list[Room]:
        return [
            self.world.room_on(vm)
            for vm in self.world.vms_of(pool)
            if not (vm.stopping or vm.draining) and self.world.is_up(vm.node)
        ]

    def _may_grow(self, pool: state.Object | None) -> bool:
        if pool is None or is_released(pool):
            return True  # it waits for nodes, whatever they could hold
        staying = [vm for vm in self.world.vms_of(pool.uid) if not vm.stopping]
        coming = any(not self.world.is_up(vm.node) for vm in staying)
        return coming or len(staying) < pool.compute_pool.max_nodes

    def _is_lost(self, node: str) -> bool:
        return self.world.vm(node) is None or self.world.lost_in(node) == 0.0

    def _is_draining(self, node: str) -> bool:
        vm = self.world.vm(node)
        return vm is not None and vm.draining

    # ---- pools

    def pool(self, uid: int) -> PoolView:
        world, mirrors = self.world, self.world.mirrors
        vms = world.vms_of(uid)
        members = [found for _, found in world.services_in(uid) if not _is_dropped(found)]
        seen = [self._pool_vm(vm) for vm in vms]
        waiting, bound = self._waiting(uid)
        services = [found for found in members if not found.service.is_job]
        jobs = sum(found.service.is_job and not self._has_ended(found) for found in members)
        return PoolView(
            uid=uid,
            pool=mirrors.pools.get(uid),
            vms=vms,
            seen=seen,
            waiting=waiting,
            bound=bound,
            homes={home for one, _ in world.services_in(uid) for home in self._homes(one)},
            services=len(services),
            jobs=jobs,
            in_use=jobs > 0
            or any(not found.service.suspended for found in services)
            or any(vm.instances for vm in seen),
            before=mirrors.pool_statuses.get(uid) or state.PoolStatus(),
            hosts=hosts.rooms(mirrors.hosts.values(), mirrors.vms.values()),
            strict_capacity=self.strict_capacity,
            indices={self._index(vm) for vm in mirrors.vms.values()},
            plan=self.plan,
            now=self.clock.now(),
            idle_after=self.idle_node,
        )

    def _pool_vm(self, vm: state.Vm) -> PoolVm:
        live = self.world.live_on(vm.node)
        return PoolVm(
            node=vm.node,
            host=vm.host,
            up=self.world.is_up(vm.node),
            instances=len(live),
            stopping=vm.stopping,
            draining=vm.draining,
            jobs=sum(one.is_job for one in live),
            lost=self.world.lost_in(vm.node) == 0.0,
            idle_secs=0.0 if live else self.world.idle_secs(vm.node),
            free=self.world.room_on(vm).free,
        )

    def _waiting(self, pool: int) -> tuple[list[Need], dict[str, list[Need]]]:
        """Of the instances that have no node, as the last step of their service left them.

        Those that could go anywhere, and those that are bound to a machine, by it.
        """
        found = self.world.mirrors.pools.get(pool)
        waiting: list[Need] = []
        bound: dict[str, list[Need]] = {}
        for uid, service in self.world.services_in(pool):
            status = self.world.mirrors.statuses.get(uid)
            if status is None or _is_dropped(service):
                continue
            rows = [row for row in status.instances if not row.node and row.status == "PENDING"]
            homes = self.world.homes_of(uid) if rows else {}
            need = _need(service, found)
            for row in rows:
                home = homes.get(row.instance_id)
                (bound.setdefault(home, []) if home else waiting).append(need)
        return waiting, bound

    def _homes(self, service: int) -> Iterable[str]:
        return self.world.homes_of(service).values()

    def _has_ended(self, service: state.Object) -> bool:
        status = self.world.mirrors.statuses.get(service.uid)
        return status is not None and status.status in ("DONE", "FAILED", "CANCELLED")

    def _index(self, vm: state.Vm) -> int:
        """Which of the plan's node networks it has."""
        return self.plan.node_index(vm.instance_network)


def is_released(pool: state.Object | None) -> bool:
    return pool is None or pool.compute_pool.suspended or _is_dropped(pool)


def _is_dropped(found: state.Object) -> bool:
    return found.HasField("dropped_on")


def _need(service: state.Object | None, pool: state.Object | None) -> Need:
    if service is None or pool is None:
        return Need()
    return need_of(service.service.spec, FAMILIES[pool.compute_pool.instance_family])
