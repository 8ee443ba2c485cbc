"""The next step of one compute pool: from what is seen to the writes of one transaction. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from snowcave.model import keys
from snowcave.model.families import FAMILIES
from snowcave.model.spec import Need
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler import addresses, pools
from snowcave.scheduler.service_step import Step
from snowcave.store.api import Delete, Put, Write
from snowcave.v1 import state_pb2 as state

NO_MACHINE = "No machine is there to take a node"


@dataclass(frozen=True, slots=True)
class PoolView:
    uid: int
    # None: the catalog knows it no longer.
    pool: state.Object | None
    vms: Sequence[state.Vm]
    # The same VMs, as the plan sees them.
    seen: Sequence[pools.PoolVm]
    waiting: Sequence[Need]
    services: int
    jobs: int
    before: state.PoolStatus
    # Machines that are alive, the one with the fewest VMs first.
    hosts: Sequence[str]
    # Indices of all nodes of all pools: their networks must not overlap.
    indices: Set[int]
    plan: AddressPlan
    now: datetime
    idle_after: float


def next_step(view: PoolView, book: state.SchedulerLedger) -> Step:
    """`book` is advanced by the numbers that the step gives out."""
    want = _want(view)
    planned = pools.plan(want, view.seen, idle_after=view.idle_after)
    by_node = {vm.node: vm for vm in view.vms}
    made = _new_vms(view, planned.add, book)
    writes = [_put(vm) for vm in made]
    writes += [_put(_stopping(by_node[node])) for node in planned.stop]
    writes += [Delete(keys.VMS.key(by_node[node].host, node)) for node in planned.forget]
    told = _status(view, want, planned.target)
    if view.pool is None and not view.vms:
        writes += [Delete(keys.POOL_STATUS.key(view.uid))] if view.before.state else []
    elif told != view.before:
        writes.append(Put(keys.POOL_STATUS.key(view.uid), told.SerializeToString()))
    dropped = view.pool is not None and view.pool.HasField("dropped_on")
    return Step(writes, forget=dropped and not view.vms, more=bool(writes))


def _want(view: PoolView) -> pools.PoolWant:
    if view.pool is None or view.pool.HasField("dropped_on"):
        return pools.PoolWant(0, 0, released=True, size=Need())
    pool = view.pool.compute_pool
    family = FAMILIES[pool.instance_family]
    return pools.PoolWant(
        min_nodes=pool.min_nodes,
        max_nodes=pool.max_nodes,
        released=pool.suspended,
        size=Need(family.cpu_milli, family.memory_bytes, family.gpu_count),
        waiting=view.waiting,
    )


def _new_vms(view: PoolView, count: int, book: state.SchedulerLedger) -> list[state.Vm]:
    if view.pool is None or not view.hosts:
        return []
    used, made = set(view.indices), list[state.Vm]()
    family = FAMILIES[view.pool.compute_pool.instance_family]
    for turn in range(min(count, addresses.MOST_NODES - len(used))):
        book.last_node = addresses.node_number(used, book.last_node)
        index = addresses.node_index(book.last_node)
        used.add(index)
        made.append(
            state.Vm(
                node=f"n{book.last_node}",
                host=view.hosts[turn % len(view.hosts)],
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


def _stopping(vm: state.Vm) -> state.Vm:
    changed = state.Vm()
    changed.CopyFrom(vm)
    changed.stopping = True
    return changed


def _put(vm: state.Vm) -> Write:
    return Put(keys.VMS.key(vm.host, vm.node), vm.SerializeToString())


def _status(view: PoolView, want: pools.PoolWant, target: int) -> state.PoolStatus:
    up = [vm for vm in view.seen if vm.up and not vm.stopping]
    active = sum(vm.instances > 0 for vm in up)
    now_state = pools.state_of(want, view.seen, target)
    return state.PoolStatus(
        state=now_state,
        active_nodes=active,
        idle_nodes=len(up) - active,
        target_nodes=target,
        services=view.services,
        jobs=view.jobs,
        message=_message(view, now_state, len(view.vms) < target),
    )


def _message(view: PoolView, now_state: str, short: bool) -> str:
    if view.pool is None or now_state not in ("STARTING", "RESIZING"):
        return ""
    if short and not view.hosts:
        return NO_MACHINE
    pool = view.pool
    resumed = pool.compute_pool.HasField("resumed_on")
    since = pool.compute_pool.resumed_on if resumed else pool.created_on
    minutes = max(0, int((view.now.timestamp() - since.seconds) // 60))
    return f"Compute pool is {now_state.lower()} for last {minutes} minutes"
