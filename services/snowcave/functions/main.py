"""The functions daemon: routes calls of service functions to ready instances."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp

from snowcave.functions.batches import BatchRunner
from snowcave.functions.calls import Caller, Turns
from snowcave.functions.service import SERVICE_NAME, FunctionServicer
from snowcave.functions.settings import FunctionsSettings, HttpSettings
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


async def build(settings: FunctionsSettings, parts: Parts) -> None:
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
    http = await parts.enter("http", open_http(settings.http))
    targets = MirroredTargets(functions, services, endpoints, statuses, settings.batch)
    runner = BatchRunner(http, targets, settings, LoopClock(), ids.system_random())
    turns = Turns(settings.batch.in_flight_per_service)
    uses = Uses(store, services, LoopClock(), settings.use_interval)
    await parts.enter("uses", background(uses.run()))
    servicer = FunctionServicer(Caller(runner, targets, settings.batch, turns, uses))
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


@asynccontextmanager
async def open_http(settings: HttpSettings) -> AsyncGenerator[aiohttp.ClientSession]:
    """Keep-alive connections to the instances. Their number is bounded by the batches under way."""
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=settings.keep_alive, use_dns_cache=False
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


DAEMON = Daemon(role=Role.FUNCTIONS, settings=FunctionsSettings, build=build)
