"""From the world to the view that one step decides upon."""

from dataclasses import dataclass

from snowcave.kit.clock import Clock
from snowcave.model.families import FAMILIES
from snowcave.model.spec import Need, need_of
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler.placement import Room
from snowcave.scheduler.pool_step import PoolView
from snowcave.scheduler.pools import PoolVm
from snowcave.scheduler.service_step import ServiceView
from snowcave.scheduler.world import World
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True, slots=True)
class Views:
    world: World
    plan: AddressPlan
    clock: Clock
    idle_node: float
    job_linger: float

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
            before=mirrors.statuses.get(uid) or state.ServiceStatus(),
            endpoints=world.endpoints_of(uid),
            identity=world.identity_of(service) if service else None,
            need=_need(service, pool),
            rooms=lambda: self._rooms(pool_uid),
            network_of=lambda node: self._vms()[node].instance_network,
            addresses_on=lambda node: {one.address for one in world.assignments_on(node)},
            service_addresses=lambda: {
                status.service_address for status in mirrors.statuses.values()
            },
            plan=self.plan,
            now=self.clock.now(),
            job_linger=self.job_linger,
        )

    def next_loss(self, uid: int) -> float | None:
        """Seconds until the next of a service's nodes counts as lost, if none comes back."""
        waits = [self.world.lost_in(one.node) for one in self.world.assignments_of(uid)]
        return min((wait for wait in waits if wait), default=None)

    def _vms(self) -> dict[str, state.Vm]:
        return {vm.node: vm for vm in self.world.mirrors.vms.values()}

    def _rooms(self, pool: int) -> list[Room]:
        return [
            self.world.room_on(vm)
            for vm in self.world.vms_of(pool)
            if not vm.stopping and self.world.is_up(vm.node)
        ]

    def _may_grow(self, pool: state.Object | None) -> bool:
        if pool is None or is_released(pool):
            return True  # it waits for nodes, whatever they could hold
        staying = [vm for vm in self.world.vms_of(pool.uid) if not vm.stopping]
        coming = any(not self.world.is_up(vm.node) for vm in staying)
        return coming or len(staying) < pool.compute_pool.max_nodes

    def _is_lost(self, node: str) -> bool:
        return node not in self._vms() or self.world.lost_in(node) == 0.0

    # ---- pools

    def pool(self, uid: int) -> PoolView:
        world, mirrors = self.world, self.world.mirrors
        vms = world.vms_of(uid)
        members = [found for _, found in world.services_in(uid) if not _is_dropped(found)]
        return PoolView(
            uid=uid,
            pool=mirrors.pools.get(uid),
            vms=vms,
            seen=[self._pool_vm(vm) for vm in vms],
            waiting=self._waiting(uid),
            services=sum(not found.service.is_job for found in members),
            jobs=sum(found.service.is_job and not self._has_ended(found) for found in members),
            before=mirrors.pool_statuses.get(uid) or state.PoolStatus(),
            hosts=self._hosts(),
            indices={self._index(vm) for vm in mirrors.vms.values()},
            plan=self.plan,
            now=self.clock.now(),
            idle_after=self.idle_node,
        )

    def _pool_vm(self, vm: state.Vm) -> PoolVm:
        instances = len(self.world.live_on(vm.node))
        return PoolVm(
            node=vm.node,
            up=self.world.is_up(vm.node),
            instances=instances,
            stopping=vm.stopping,
            lost=self.world.lost_in(vm.node) == 0.0,
            idle_secs=0.0 if instances else self.world.idle_secs(vm.node),
            free=self.world.room_on(vm).free,
        )

    def _waiting(self, pool: int) -> list[Need]:
        """Of the instances that have no node, as the last step of their service left them."""
        found = self.world.mirrors.pools.get(pool)
        waiting: list[Need] = []
        for uid, service in self.world.services_in(pool):
            status = self.world.mirrors.statuses.get(uid)
            if status is not None and not _is_dropped(service):
                without = sum(not row.node and row.status == "PENDING" for row in status.instances)
                waiting += [_need(service, found)] * without
        return waiting

    def _has_ended(self, service: state.Object) -> bool:
        status = self.world.mirrors.statuses.get(service.uid)
        return status is not None and status.status in ("DONE", "FAILED", "CANCELLED")

    def _hosts(self) -> list[str]:
        mirrors = self.world.mirrors
        held = [vm.host for vm in mirrors.vms.values()]
        return sorted((h.name for h in mirrors.hosts.values()), key=lambda n: (held.count(n), n))

    def _index(self, vm: state.Vm) -> int:
        """Which of the plan's node networks it has."""
        return int(vm.instance_network.split(".")[2])


def is_released(pool: state.Object | None) -> bool:
    return pool is None or pool.compute_pool.suspended or _is_dropped(pool)


def _is_dropped(found: state.Object) -> bool:
    return found.HasField("dropped_on")


def _need(service: state.Object | None, pool: state.Object | None) -> Need:
    if service is None or pool is None:
        return Need()
    return need_of(service.service.spec, FAMILIES[pool.compute_pool.instance_family])
