"""What containers ask for and may use, where the specification leaves it open.

Source: the specification reference (S4). A missing request is the greater of the limit and a floor; a
missing limit is the node; a limit above the node is the node.
"""

from dataclasses import dataclass

from snowcave.model.families import Family
from snowcave.v1 import state_pb2 as state

_CPU_FLOOR_MILLI = 500
_MEMORY_FLOOR = 512 << 20
# Stage volumes that one node mounts at most, of all instances on it.
_STAGE_MOUNTS = 8
# What mounting a stage requests, where the specification leaves it open.
_MOUNT_MEMORY = 512 << 20


@dataclass(frozen=True, slots=True)
class Need:
    """What placement counts."""

    cpu_milli: int = 0
    memory_bytes: int = 0
    gpu: int = 0
    stage_mounts: int = 0

    def __add__(self, other: "Need") -> "Need":
        return Need(
            self.cpu_milli + other.cpu_milli,
            self.memory_bytes + other.memory_bytes,
            self.gpu + other.gpu,
            self.stage_mounts + other.stage_mounts,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """A container's request and limit on a node of a family."""

    request: Need
    limit: Need


def share_of(container: state.ContainerSpec, family: Family) -> Share:
    requests, limits = container.requests, container.limits
    cpu = requests.cpu_milli if requests.has_cpu else max(_CPU_FLOOR_MILLI, limits.cpu_milli)
    memory = (
        requests.memory_bytes if requests.has_memory else max(_MEMORY_FLOOR, limits.memory_bytes)
    )
    return Share(
        Need(cpu, memory, requests.gpu),
        Need(
            min(limits.cpu_milli, family.cpu_milli) if limits.has_cpu else family.cpu_milli,
            min(limits.memory_bytes, family.memory_bytes)
            if limits.has_memory
            else family.memory_bytes,
            limits.gpu,
        ),
    )


def need_of(spec: state.ServiceSpec, family: Family) -> Need:
    """One instance: all its containers stand on one node, and what mounts its stages beside them."""
    mounts = sum((_mount(volume) for volume in spec.volumes if _is_stage(volume)), Need())
    return sum((share_of(container, family).request for container in spec.containers), mounts)


def _mount(volume: state.VolumeSpec) -> Need:
    requests = volume.stage.requests
    memory = requests.memory_bytes if requests.has_memory else _MOUNT_MEMORY
    return Need(requests.cpu_milli, memory, stage_mounts=1)


def size_of(family: Family) -> Need:
    """What an empty node has."""
    return node_size(family.cpu_milli, family.memory_bytes, family.gpu_count)


def node_size(cpu_milli: int, memory_bytes: int, gpu: int) -> Need:
    return Need(cpu_milli, memory_bytes, gpu, _STAGE_MOUNTS)


def _is_stage(volume: state.VolumeSpec) -> bool:
    return volume.source == "stage" or volume.source.startswith("@")


def misfit(spec: state.ServiceSpec, family: Family) -> str:
    """Why no empty node of the family could ever hold one instance; empty where one could."""
    need = need_of(spec, family)
    if need.memory_bytes > family.memory_bytes:
        return "memory"
    if need.cpu_milli > family.cpu_milli:
        return "CPU"
    if need.stage_mounts > _STAGE_MOUNTS:
        return "stage mounts"
    return "GPU" if need.gpu > family.gpu_count else ""
