"""Which machine takes the next VM. Pure.

Unless capacity is strict, a machine takes any number of VMs, however large their family: they share what it
has. With strict capacity a VM goes only where all of it fits beside those that are there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from snowcave.model.spec import Need
from snowcave.scheduler.placement import fits, less
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True, slots=True)
class HostRoom:
    """A machine that is alive."""

    name: str
    vms: int
    free: Need


def rooms(hosts: Iterable[state.Host], vms: Iterable[state.Vm]) -> list[HostRoom]:
    found = {
        host.name: HostRoom(host.name, 0, Need(host.cpu_milli, host.memory_bytes, host.gpu))
        for host in hosts
    }
    for vm in vms:
        if (room := found.get(vm.host)) is not None:
            free = less(room.free, Need(vm.cpu_milli, vm.memory_bytes, vm.gpu))
            found[vm.host] = replace(room, vms=room.vms + 1, free=free)
    return list(found.values())


def choose(
    hosts: Sequence[HostRoom],
    size: Need,
    count: int,
    *,
    strict: bool,
    first: Sequence[str] = (),
) -> list[str]:
    """For up to `count` VMs, one after the other: the machine with the fewest VMs.

    Those in `first` come before, as often as they are named, where they have room.
    """
    left, chosen = {host.name: host for host in hosts}, list[str]()
    named = list(first)
    for _ in range(count):
        able = {host.name: host for host in left.values() if not strict or fits(size, host.free)}
        if not able:
            break
        preferred = next((name for name in named if name in able), None)
        if preferred is not None:
            named.remove(preferred)
            host = able[preferred]
        else:
            host = min(able.values(), key=lambda one: (one.vms, one.name))
        left[host.name] = replace(host, vms=host.vms + 1, free=less(host.free, size))
        chosen.append(host.name)
    return chosen
