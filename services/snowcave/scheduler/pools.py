"""How many VMs a pool has, which of them go, and what its status says. Pure."""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class PoolWant:
    min_nodes: int
    max_nodes: int
    # Suspended or dropped: no node stays.
    released: bool
    size: Need
    # Of the instances that wait for a node.
    waiting: Sequence[Need] = ()


@dataclass(frozen=True, slots=True)
class PoolPlan:
    add: int = 0
    stop: tuple[str, ...] = ()
    # VMs that are gone: their keys may go.
    forget: tuple[str, ...] = ()
    target: int = 0


def plan(want: PoolWant, vms: Sequence[PoolVm], *, idle_after: float) -> PoolPlan:
    forget = tuple(vm.node for vm in vms if vm.stopping and not vm.up and not vm.instances)
    staying = [vm for vm in vms if not vm.stopping]
    if want.released:
        # What still runs there stops first; then the VM goes.
        idle = tuple(vm.node for vm in staying if not vm.instances)
        return PoolPlan(stop=idle, forget=forget)
    target = _target(want, staying, idle_after)
    surplus = len(staying) - target
    leaving = sorted(
        (vm for vm in staying if not vm.instances), key=lambda vm: (vm.up, -vm.idle_secs, vm.node)
    )
    stop = tuple(vm.node for vm in leaving[:surplus]) if surplus > 0 else ()
    return PoolPlan(add=max(0, target - len(staying)), stop=stop, forget=forget, target=target)


def _target(want: PoolWant, staying: Sequence[PoolVm], idle_after: float) -> int:
    rooms = [Room(vm.node, vm.free, want.size) for vm in staying if not vm.lost]
    spare = max(0, want.max_nodes - len(staying))
    more = nodes_for(want.waiting, rooms, want.size, spare)
    busy = [vm for vm in staying if vm.instances or vm.idle_secs < idle_after]
    # Nothing idle is given back while somebody waits: it may be about to be used.
    kept = len(staying) if want.waiting else len(busy)
    return min(want.max_nodes, max(want.min_nodes, kept + more))


def state_of(want: PoolWant, vms: Sequence[PoolVm], target: int) -> str:
    if want.released:
        return "STOPPING" if vms else "SUSPENDED"
    up = [vm for vm in vms if vm.up and not vm.stopping]
    if not up:
        return "STARTING"
    if len(up) < target:
        return "RESIZING"
    return "ACTIVE" if any(vm.instances for vm in up) else "IDLE"
