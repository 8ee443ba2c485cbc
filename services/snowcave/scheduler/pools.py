"""How many VMs a pool has, which of them go, and what its status says. Pure.

A node that is to go first has nothing on it, or becomes empty: it drains. Draining nodes take nothing more;
what services have there moves away, jobs end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowcave.model.spec import Need
from snowcave.scheduler.placement import Room, nodes_for


@dataclass(frozen=True, slots=True)
class PoolVm:
    node: str
    # Its agent is alive.
    up: bool
    # Assignments on it.
    instances: int
    stopping: bool = False
    # Its agent has been away for longer than the grace.
    lost: bool = False
    # Since when it has had no instances.
    idle_secs: float = 0.0
    free: Need = field(default_factory=Need)
    draining: bool = False
    # Those of its instances that are a job's: they cannot move.
    jobs: int = 0
    # The machine that it is on.
    host: str = ""


@dataclass(frozen=True, slots=True)
class PoolWant:
    min_nodes: int
    max_nodes: int
    # Suspended or dropped: no node stays.
    released: bool
    size: Need
    # Of the instances that wait for a node.
    waiting: Sequence[Need] = ()
    # Of those that wait for a node on the one machine that has their volumes.
    bound: Mapping[str, Sequence[Need]] = field(default_factory=dict[str, Sequence[Need]])


@dataclass(frozen=True, slots=True)
class PoolPlan:
    add: int = 0
    stop: tuple[str, ...] = ()
    # VMs that are gone: their keys may go.
    forget: tuple[str, ...] = ()
    # Those that should be draining, and no others.
    drain: tuple[str, ...] = ()
    target: int = 0


def plan(want: PoolWant, vms: Sequence[PoolVm], *, idle_after: float) -> PoolPlan:
    forget = tuple(vm.node for vm in vms if vm.stopping and not vm.up and not vm.instances)
    staying = [vm for vm in vms if not vm.stopping]
    if want.released:
        # What still runs there stops first; then the VM goes.
        idle = tuple(vm.node for vm in staying if not vm.instances)
        return PoolPlan(stop=idle, forget=forget)
    target = _target(want, staying, idle_after)
    surplus = max(0, len(staying) - target)
    leaving = sorted(
        (vm for vm in staying if not vm.instances),
        key=lambda vm: (not vm.draining, vm.up, -vm.idle_secs, vm.node),
    )
    stop = tuple(vm.node for vm in leaving[:surplus])
    return PoolPlan(
        add=max(0, target - len(staying)),
        stop=stop,
        forget=forget,
        drain=_drain(want, [vm for vm in staying if vm.node not in stop]),
        target=target,
    )


def next_idle(want: PoolWant, vms: Sequence[PoolVm], *, idle_after: float) -> float | None:
    """Seconds until the next node may have been idle for long enough to be given back."""
    staying = [vm for vm in vms if not vm.stopping]
    if want.released or len(staying) <= want.min_nodes:
        return None
    left = [idle_after - vm.idle_secs for vm in staying if not vm.instances]
    return min((secs for secs in left if secs > 0), default=None)


def _drain(want: PoolWant, staying: Sequence[PoolVm]) -> tuple[str, ...]:
    """Of what is more than MAX_NODES: those that cost the least to empty."""
    surplus = max(0, len(staying) - want.max_nodes)
    cheapest = sorted(
        staying, key=lambda vm: (not vm.lost, not vm.draining, vm.jobs, vm.instances, vm.node)
    )
    return tuple(vm.node for vm in cheapest[:surplus])


def _target(want: PoolWant, staying: Sequence[PoolVm], idle_after: float) -> int:
    spare = max(0, want.max_nodes - len(staying))
    more = nodes_for(want.waiting, _rooms(want, staying), want.size, spare)
    more += sum(lacking(want, staying).values())
    busy = [vm for vm in staying if vm.instances or vm.idle_secs < idle_after]
    # Nothing idle is given back while somebody waits: it may be about to be used.
    kept = len(staying) if want.waiting or want.bound else len(busy)
    return min(want.max_nodes, max(want.min_nodes, kept + more))


def lacking(want: PoolWant, staying: Sequence[PoolVm]) -> dict[str, int]:
    """How many more nodes those that are bound to a machine need there."""
    found = {
        host: nodes_for(needs, _rooms(want, staying, host), want.size, want.max_nodes)
        for host, needs in want.bound.items()
    }
    return {host: count for host, count in found.items() if count}


def _rooms(want: PoolWant, staying: Sequence[PoolVm], host: str = "") -> list[Room]:
    return [
        Room(vm.node, vm.free, want.size, vm.host)
        for vm in staying
        if not (vm.lost or vm.draining) and host in ("", vm.host)
    ]


def state_of(want: PoolWant, vms: Sequence[PoolVm], target: int) -> str:
    if want.released:
        return "STOPPING" if vms else "SUSPENDED"
    up = [vm for vm in vms if vm.up and not vm.stopping]
    if not up:
        return "STARTING"
    if len(up) < target or any(vm.draining for vm in up):
        return "RESIZING"
    return "ACTIVE" if any(vm.instances for vm in up) else "IDLE"
