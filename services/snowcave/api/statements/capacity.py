"""Whether the machines could hold what is asked for, where `strict_capacity` says that they have to."""

from snowcave.api.statements.work import Work
from snowcave.model.errors import ValueInvalid
from snowcave.model.families import FAMILIES
from snowcave.v1 import state_pb2 as state


def need_machine(work: Work, pool: state.ComputePool) -> None:
    """Raises ValueInvalid where no machine is large enough for even one node of the pool.

    Without `strict_capacity` a node may be larger than its machine, and has what the machine has.
    """
    if not work.mesh.strict_capacity:
        return
    family = FAMILIES[pool.instance_family]
    hosts = work.catalog.mirrors.hosts.values()
    if not any(
        host.cpu_milli >= family.cpu_milli
        and host.memory_bytes >= family.memory_bytes
        and host.gpu >= family.gpu_count
        for host in hosts
    ):
        raise ValueInvalid(
            f"No machine is large enough for a node of instance family {family.name} "
            f"({family.vcpu} vCPU, {family.memory_gib} GiB, {family.gpu_count} GPU), "
            "and strict_capacity allows no smaller one."
        )
