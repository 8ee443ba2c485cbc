"""One per machine: makes the VMs that the scheduler wants here, with an agent in each.

Its own death changes nothing for VMs, agents and containers.
"""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import prometheus_client

from snowcave.hypervisor import announce, fabric, firewall, machine, storage, vms
from snowcave.hypervisor.service import open_service
from snowcave.hypervisor.settings import HypervisorSettings
from snowcave.kit.clock import Clock, LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.reconciler import Reconciler
from snowcave.runtime.settings import environment
from snowcave.runtime.state import open_state
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state

WANTED = prometheus_client.Gauge("snowcave_hypervisor_vms", "VMs that this machine should run.")


async def build(settings: HypervisorSettings, parts: Parts) -> None:
    mesh, clock = settings.mesh, LoopClock()
    await parts.enter("fabric", open_fabric(mesh, settings.resync, clock))
    store = await open_state(mesh, Role.HYPERVISOR, parts)
    wanted = await parts.enter("vms", follow(store, keys.VMS, mesh.host))
    parts.health.mirrors["vm"] = wanted.digest
    WANTED.set_function(lambda: len(wanted))
    running = await parts.enter("reconciler", reconciling(settings, wanted, clock, environment()))
    await parts.enter("storage", storage.open_storage(mesh, store, settings.storage, clock))
    await parts.enter("service", open_service(mesh, running))
    message = announce.host(mesh, machine.read(), clock)
    await parts.enter(
        "announce",
        background(announce.announce(store, message, ttl=settings.heartbeat, clock=clock)),
    )


@asynccontextmanager
async def open_fabric(mesh: Mesh, resync: float, clock: Clock) -> AsyncGenerator[None]:
    """The supervisor has made it already, unless this machine runs a hypervisor alone. It stays."""
    await fabric.ensure(mesh)
    async with background(firewall.keep_open(mesh.root_link, resync, clock)):
        yield


@asynccontextmanager
async def reconciling(
    settings: HypervisorSettings,
    wanted: Mirror[state.Vm],
    clock: Clock,
    environ: Mapping[str, str],
) -> AsyncGenerator[vms.Vms]:
    """The VMs follow the mirror while this is entered; they stay when it is left."""
    own = (sys.executable, "-m", "snowcave", "daemon", "agent", "--home", str(settings.mesh.home))
    running = vms.Vms(
        settings,
        wanted,
        clock,
        environment=vms.agent_environment(environ),
        command=settings.agent_command or own,
        changed=lambda node: reconciler.queue.add(node),
    )
    reconciler = Reconciler(
        running.reconcile,
        list_keys=running.nodes,
        resync=settings.resync,
        workers=settings.workers,
    )
    unsubscribe = wanted.subscribe(lambda parts, _vm: reconciler.queue.add(parts[1]))
    try:
        async with background(reconciler.run()):
            yield running
    finally:
        unsubscribe()
        running.stop_watching()


DAEMON = Daemon(role=Role.HYPERVISOR, settings=HypervisorSettings, build=build)
