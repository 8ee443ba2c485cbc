"""The next step of one compute pool: from what is seen to the writes of one transaction. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from snowcave.model import keys
from snowcave.model.families import FAMILIES
from snowcave.model.spec import Need, size_of
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler import addresses, hosts, pools
from snowcave.scheduler.hosts import HostRoom
from snowcave.scheduler.placement import fits
from snowcave.scheduler.step import Step, soonest
from snowcave.store.api import Delete, Put, Write
from snowcave.v1 import state_pb2 as state

NO_MACHINE = "No machine is there to take a node"
# Snowflake's own number for a pool that finds no capacity.
CAPACITY_CODE = "392507"
# New VMs, and changed ones, in one transaction, of which etcd takes 128 operations.
_MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class PoolView:
    uid: int
    # None: the catalog knows it no longer.
    pool: state.Object | None
    vms: Sequence[state.Vm]
    # The same VMs, as the plan sees them.
    seen: Sequence[pools.PoolVm]
    waiting: Sequence[Need]
    # The same of those that can only be on one machine, by it.
    bound: Mapping[str, Sequence[Need]]
    # Machines that have block volumes of its services.
    homes: Set[str]
    services: int
    jobs: int
    # Something in it runs or is to run.
    in_use: bool
    before: state.PoolStatus
    # Machines that are alive.
    hosts: Sequence[HostRoom]
    # A machine takes no more VMs than it has room for.
    strict_capacity: bool
    # Indices of all nodes of all pools: their networks must not overlap.
    indices: Set[int]
    plan: AddressPlan
    now: datetime
    idle_after: float


def next_step(view: PoolView, book: state.SchedulerLedger) -> Step:
    """`book` is advanced by the numbers that the step gives out."""
    want = _want(view)
    planned = pools.plan(want, view.seen, idle_after=view.idle_after)
    made = _new_vms(view, want, planned.add, book)
    writes = [_put(vm) for vm in (*made, *_changed(view, planned)[:_MOST_AT_ONCE])]
    by_node = {vm.node: vm for vm in view.vms}
    gone = planned.forget[: _MOST_AT_ONCE // 2]
    writes += [Delete(keys.VMS.key(by_node[node].host, node)) for node in gone]
    told = _status(view, want, planned, len(made))
    if view.pool is None and not view.vms:
        writes += [Delete(keys.POOL_STATUS.key(view.uid))] if view.before.state else []
    elif told != view.before:
        writes.append(Put(keys.POOL_STATUS.key(view.uid), told.SerializeToString()))
    dropped = view.pool is not None and view.pool.HasField("dropped_on")
    rest = _until_suspended(view, told)
    return Step(
        writes,
        forget=dropped and not view.vms,
        suspend=rest == 0.0,
        more=bool(writes),
        again_in=soonest(
            rest or None, pools.next_idle(want, view.seen, idle_after=view.idle_after)
        ),
    )


def _want(view: PoolView) -> pools.PoolWant:
    if view.pool is None or view.pool.HasField("dropped_on"):
        return pools.PoolWant(0, 0, released=True, size=Need())
    pool = view.pool.compute_pool
    size = size_of(FAMILIES[pool.instance_family])
    return pools.PoolWant(
        min_nodes=pool.min_nodes,
        max_nodes=pool.max_nodes,
        released=pool.suspended,
        size=size,
        waiting=view.waiting,
        bound={
            host.name: view.bound[host.name]
            for host in view.hosts
            if host.name in view.bound and (not view.strict_capacity or fits(size, host.free))
        },
    )


def _until_suspended(view: PoolView, told: state.PoolStatus) -> float | None:
    """Seconds, 0 where it is time; None where it is in use, rests already, or never does by itself."""
    limit = view.pool.compute_pool.auto_suspend_secs if view.pool else 0
    if not limit or not told.HasField("idle_since"):
        return None
    idle = view.now - told.idle_since.ToDatetime(view.now.tzinfo)
    return max(0.0, limit - idle.total_seconds())


def _new_vms(
    view: PoolView, want: pools.PoolWant, count: int, book: state.SchedulerLedger
) -> list[state.Vm]:
    if view.pool is None:
        return []
    used, made = set(view.indices), list[state.Vm]()
    family = FAMILIES[view.pool.compute_pool.instance_family]
    size = Need(family.cpu_milli, family.memory_bytes, family.gpu_count)
    most = view.plan.most_nodes
    possible = min(count, most - len(used), _MOST_AT_ONCE)
    first = _first(view, want)
    for host in hosts.choose(view.hosts, size, possible, strict=view.strict_capacity, first=first):
        book.last_node = addresses.node_number(used, book.last_node, most)
        index = addresses.node_index(book.last_node, most)
        used.add(index)
        made.append(
            state.Vm(
                node=f"n{book.last_node}",
                host=host,
                compute_pool=view.uid,
                instance_family=family.name,
                cpu_milli=family.cpu_milli,
                memory_bytes=family.memory_bytes,
                gpu=family.gpu_count,
                underlay_address=view.plan.node_underlay(index),
                instance_network=view.plan.node_network(index),
            )
        )
    return made


def _first(view: PoolView, want: pools.PoolWant) -> list[str]:
    """Machines that should get a node before others: somebody's volumes are there, and wait."""
    staying = [vm for vm in view.seen if not vm.stopping]
    lacking = pools.lacking(want, staying)
    here = {vm.host for vm in staying}
    urgent = [host for host in sorted(lacking) for _ in range(lacking[host])]
    return urgent + sorted(view.homes - here - lacking.keys())


def _changed(view: PoolView, planned: pools.PoolPlan) -> list[state.Vm]:
    """Those that stop now, and those that begin or cease to drain."""
    changed: list[state.Vm] = []
    for vm in view.vms:
        after = state.Vm()
        after.CopyFrom(vm)
        after.stopping = vm.stopping or vm.node in planned.stop
        after.draining = vm.node in planned.drain
        if after != vm and not vm.stopping:
            changed.append(after)
    return changed


def _put(vm: state.Vm) -> Write:
    return Put(keys.VMS.key(vm.host, vm.node), vm.SerializeToString())


def _status(
    view: PoolView, want: pools.PoolWant, planned: pools.PoolPlan, made: int
) -> state.PoolStatus:
    up = [vm for vm in view.seen if vm.up and not vm.stopping]
    active = sum(vm.instances > 0 for vm in up)
    told = state.PoolStatus(
        state=pools.state_of(want, view.seen, planned.target),
        active_nodes=active,
        idle_nodes=len(up) - active,
        target_nodes=planned.target,
        services=view.services,
        jobs=view.jobs,
    )
    _explain(view, told, short=made < min(planned.add, _MOST_AT_ONCE))
    if not (view.in_use or want.released):
        if view.before.HasField("idle_since"):
            told.idle_since.CopyFrom(view.before.idle_since)
        else:
            told.idle_since.FromDatetime(view.now)
    return told


def _explain(view: PoolView, told: state.PoolStatus, *, short: bool) -> None:
    """What DESCRIBE COMPUTE POOL says of a pool that is not there yet. `short`: no machine takes a node."""
    if view.pool is None or told.state not in ("STARTING", "RESIZING"):
        return
    pool = view.pool
    resumed = pool.compute_pool.HasField("resumed_on")
    since = pool.compute_pool.resumed_on if resumed else pool.created_on
    minutes = max(0, int((view.now.timestamp() - since.seconds) // 60))
    told.message = f"Compute pool is {told.state.lower()} for last {minutes} minutes"
    if short and not view.hosts:
        told.message = NO_MACHINE
    elif short:
        told.error_code = CAPACITY_CODE
        told.message += (
            " due to: CAPACITY_ERROR, no machine has room for a node of "
            f"{pool.compute_pool.instance_family}"
        )
