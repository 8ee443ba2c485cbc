"""`host/<host>`: this machine, what it has, and that its hypervisor is alive."""

import random

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.hypervisor.machine import Machine
from snowcave.kit.clock import Clock, backoff
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()


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
    """Endless: the key lives under a lease, and is written again under a new one when that is lost."""
    delays = backoff(random.Random(), base=0.1, cap=2.0)
    while True:
        try:
            async with store.lease(ttl) as lease:
                key = keys.HOSTS.key(message.name)
                await store.put(key, message.SerializeToString(), lease=lease.id)
                log.info("host_announced", host=message.name)
                delays = backoff(random.Random(), base=0.1, cap=2.0)
                await lease.wait_lost()
                log.warning("host_lease_lost", host=message.name)
        except SnowcaveError as error:
            log.warning("host_not_announced", reason=str(error))
        await clock.sleep(next(delays))
