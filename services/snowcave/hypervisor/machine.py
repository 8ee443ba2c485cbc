"""What this machine has to offer."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from snowcave.hypervisor.cgroups import Limits
from snowcave.v1 import state_pb2 as state

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Machine:
    cpu_milli: int
    memory_bytes: int
    gpu: int
    architecture: str


def read() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    name = platform.machine()
    return Machine(
        cpu_milli=len(os.sched_getaffinity(0)) * 1000,
        memory_bytes=memory,
        gpu=len(list(Path("/dev").glob("nvidia[0-9]*"))),
        architecture=_ARCHITECTURES.get(name, name),
    )


def limits(vm: state.Vm, machine: Machine) -> Limits:
    """A family may be larger than the machine: its VM then has all of the machine."""
    return Limits(
        memory_bytes=min(vm.memory_bytes or machine.memory_bytes, machine.memory_bytes),
        cpu_milli=min(vm.cpu_milli or machine.cpu_milli, machine.cpu_milli),
    )
