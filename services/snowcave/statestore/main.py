"""The embedded state store, wired."""

import gc
import sys

import prometheus_client

from snowcave.kit.clock import LoopClock
from snowcave.kit.ids import system_random
from snowcave.kit.tasks import background
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Daemon, Lifecycle, Parts
from snowcave.runtime.listen import node_addresses
from snowcave.statestore import server
from snowcave.statestore.settings import StatestoreSettings
from snowcave.statestore.state import open_state_file

# The journal's thread needs the interpreter twice a commit; the usual 5 ms of patience would be more than
# the commit itself takes.
_SWITCH_INTERVAL = 0.0003
# What the store keeps has no cycles, and there is much of it: look for cycles less often.
_COLLECTION = (20_000, 50, 100)


FILE = prometheus_client.Gauge("snowcave_statestore_file_bytes", "Size of the store's file.")


async def build(settings: StatestoreSettings, parts: Parts) -> None:
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(*_COLLECTION)
    mesh, limits = settings.mesh, settings.limits
    state, journal = await parts.enter(
        "state file",
        open_state_file(mesh.folder("state"), limits, LoopClock(), system_random()),
    )
    FILE.set_function(lambda: state.file_size)
    port = settings.port or mesh.grpc_port(Role.STATESTORE)
    if settings.insecure:
        hosts, credentials = ["127.0.0.1"], None
    else:
        tls.ensure(mesh.folder("tls"))
        credentials = tls.server_credentials(mesh.folder("tls"), Role.STATESTORE)
        hosts = node_addresses(mesh)
    addresses = [f"{host}:{port}" for host in hosts]
    serving = server.serve(
        state, addresses, credentials, limits=limits, progress=settings.progress
    )
    await parts.enter("server", serving)
    upkeep = background(
        journal.run(),
        state.expire_leases(settings.lease_check),
        state.trim_history(settings.history),
    )
    await parts.enter("upkeep", upkeep)


# Others drain by writing to the store, so it waits for nothing itself.
DAEMON = Daemon(
    role=Role.STATESTORE,
    settings=StatestoreSettings,
    build=build,
    lifecycle=Lifecycle(lameduck=0.0, drain=10.0),
)
