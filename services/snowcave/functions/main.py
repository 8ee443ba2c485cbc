"""The functions daemon: routes calls of service functions to ready instances."""

import gc
import random
from functools import partial

from snowcave.functions.batches import BatchRunner
from snowcave.functions.calls import Caller
from snowcave.functions.connections import open_connections
from snowcave.functions.lanes import Lanes
from snowcave.functions.service import SERVICE_NAME, FunctionServicer
from snowcave.functions.settings import FunctionsSettings
from snowcave.functions.targets import MirroredTargets
from snowcave.functions.uses import Uses
from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import serve
from snowcave.runtime.state import open_state
from snowcave.store.mirror import follow
from snowcave.v1 import functions_pb2_grpc

# A batch's rows are many small lists that go together, without cycles: looking for those in between costs as
# much as reading the rows.
_OBJECTS_BEFORE_COLLECTING = 100_000


async def build(settings: FunctionsSettings, parts: Parts) -> None:
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING)
    mesh = settings.mesh
    store = await open_state(mesh, Role.FUNCTIONS, parts)
    functions = await parts.enter("functions", follow(store, keys.catalog("function")))
    services = await parts.enter("services", follow(store, keys.catalog("service")))
    endpoints = await parts.enter("endpoints", follow(store, keys.ENDPOINTS))
    statuses = await parts.enter("statuses", follow(store, keys.SERVICE_STATUS))
    for mirror, name in ((functions, "functions"), (services, "services")):
        parts.health.mirrors[name] = mirror.digest
    parts.health.mirrors["endpoints"] = endpoints.digest
    parts.health.mirrors["statuses"] = statuses.digest
    http = await parts.enter(
        "http", open_connections(settings.http, settings.batch.response_bytes)
    )
    targets = MirroredTargets(functions, services, endpoints, statuses, settings.batch)
    lanes = Lanes(targets, settings.batch, random.Random())
    lanes.follow()
    runner = BatchRunner(http, targets, lanes, settings, LoopClock(), ids.system_random())
    uses = Uses(store, services, LoopClock(), settings.use_interval)
    await parts.enter("uses", background(uses.run()))
    servicer = FunctionServicer(Caller(runner, targets, lanes, settings.batch, uses))
    add = partial(functions_pb2_grpc.add_FunctionServiceServicer_to_server, servicer)
    await parts.enter(
        "grpc",
        serve(
            Role.FUNCTIONS,
            [mesh.grpc_address(Role.FUNCTIONS)],
            mesh.folder("tls"),
            [(SERVICE_NAME, add)],
            callers=[Role.WAREHOUSE, Role.API, Role.ADMIN],
        ),
    )


DAEMON = Daemon(role=Role.FUNCTIONS, settings=FunctionsSettings, build=build)
