"""`host/<host>`: this machine, what it has, and that its hypervisor is alive."""

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.hypervisor.machine import Machine
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.runtime.announce import announce as runtime_announce
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state


def host(mesh: Mesh, machine: Machine, clock: Clock) -> state.Host:
    started = Timestamp()
    started.FromDatetime(clock.now())
    return state.Host(
        name=mesh.host,
        underlay_address=mesh.plan.machine,
        cpu_milli=machine.cpu_milli,
        memory_bytes=machine.memory_bytes,
        gpu=machine.gpu,
        architecture=machine.architecture,
        started_on=started,
    )


async def announce(store: Store, message: state.Host, *, ttl: float, clock: Clock) -> None:
    """Endless."""
    key = keys.HOSTS.key(message.name)
    await runtime_announce(store, key, message.SerializeToString(), ttl=ttl, clock=clock)
