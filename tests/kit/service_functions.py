"""A functions daemon's parts over an in-memory store, and services that misbehave on request."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from snowcave.functions.batches import BatchRunner, Http
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
from snowcave.runtime.grpc import serve
from snowcave.store.api import Store
from snowcave.store.mirror import follow
from snowcave.v1 import functions_pb2_grpc
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

SERVICE = 500
Answer = Callable[[web.Request, list[list[Any]]], Awaitable[web.StreamResponse]]


async def echo(_request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
    return answer([[row[0], f"Bob said {row[1]}"] for row in rows])


def answer(rows: object, status: int = 200, *, md5: bool = False) -> web.Response:
    body = orjson.dumps({"data": rows})
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    headers = {"Content-MD5": base64.b64encode(digest).decode()} if md5 else {}
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


@dataclass
class Service:
    """One instance of a service: what it was asked, and how it answers."""

    behave: Answer = echo
    port: int = 0
    requests: list[tuple[str, dict[str, str], list[list[Any]]]] = field(
        default_factory=list[tuple[str, dict[str, str], list[list[Any]]]]
    )
    # Requests that are being answered now.
    busy: int = 0

    @property
    def rows(self) -> list[list[Any]]:
        """Every row of every request, in the order of their arrival."""
        return [row for _, _, data in self.requests for row in data]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        rows = orjson.loads(body)["data"] if body else []
        self.requests.append((request.method, dict(request.headers), rows))
        self.busy += 1
        try:
            return await self.behave(request, rows)
        finally:
            self.busy -= 1


@asynccontextmanager
async def a_service(behave: Answer = echo) -> AsyncGenerator[Service]:
    service = Service(behave)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.port = runner.addresses[0][1]
    try:
        yield service
    finally:
        await runner.cleanup()


class Catalog:
    """Writes what api and scheduler would write."""

    def __init__(self, api: Store, scheduler: Store) -> None:
        self.api = api
        self.scheduler = scheduler

    async def add_function(self, uid: int, **body: Any) -> None:
        known: dict[str, Any] = {
            "service": SERVICE,
            "endpoint": "echoendpoint",
            "path": "/echo",
            "max_batch_retries": 3,
        }
        function = state.Function(**(known | body))
        if not function.returns:
            function.returns = "VARCHAR(16777216)"
        found = state.Object(uid=uid, name=f"F{uid}", function=function)
        await self._put(self.api, keys.catalog("function").key(uid), found)

    async def add_service(self, *instances: Service, status: str = "RUNNING") -> None:
        found = state.Object(uid=SERVICE, name="ECHO_SERVICE", service=state.Service())
        await self._put(self.api, keys.catalog("service").key(SERVICE), found)
        seen = state.ServiceStatus(status=status)
        await self._put(self.scheduler, keys.SERVICE_STATUS.key(SERVICE), seen)
        for number, instance in enumerate(instances):
            await self.set_endpoint(number, instance.port)

    async def set_endpoint(self, number: int, port: int, *, ready: bool = True) -> None:
        endpoint = state.Endpoint(
            service=SERVICE,
            instance_id=number,
            instance=f"{SERVICE}-{number}-1",
            address="127.0.0.1",
            ready=ready,
            ports=[state.EndpointSpec(name="echoendpoint", port=port, protocol="HTTP")],
        )
        await self._put(self.scheduler, keys.ENDPOINTS.key(SERVICE, number), endpoint)

    async def _put(self, store: Store, key: str, message: Any) -> None:
        await store.put(key, message.SerializeToString())


@dataclass
class Router:
    catalog: Catalog
    targets: MirroredTargets
    lanes: Lanes
    caller: Caller

    async def settled(self, function: int, instances: int) -> None:
        """Once the mirrors know of the function and so many ready instances."""
        async with asyncio.timeout(10):
            await self.targets.functions.wait(lambda mirror: mirror.get(function) is not None)
            await self.targets.services.wait(lambda mirror: mirror.get(SERVICE) is not None)
            await self.targets.statuses.wait(lambda mirror: mirror.get(SERVICE) is not None)
            await self.targets.endpoints.wait(
                lambda mirror: sum(e.ready for e in mirror.values()) == instances
            )


@asynccontextmanager
async def a_router(
    settings: FunctionsSettings, http: Http | None = None
) -> AsyncGenerator[Router]:
    """`http` takes the place of connections."""
    backend = MemoryBackend()
    store = MemoryStore(Role.FUNCTIONS, backend)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        targets = MirroredTargets(
            functions=await enter(follow(store, keys.catalog("function"))),
            services=await enter(follow(store, keys.catalog("service"))),
            endpoints=await enter(follow(store, keys.ENDPOINTS)),
            statuses=await enter(follow(store, keys.SERVICE_STATUS)),
            defaults=settings.batch,
        )
        http = http or await enter(open_connections(settings.http, settings.batch.response_bytes))
        lanes = Lanes(targets, settings.batch, ids.system_random())
        lanes.follow()
        runner = BatchRunner(http, targets, lanes, settings, LoopClock(), ids.system_random())
        uses = Uses(store, targets.services, LoopClock(), settings.use_interval)
        await enter(background(uses.run()))
        caller = Caller(runner, targets, lanes, settings.batch, uses)
        catalog = Catalog(MemoryStore(Role.API, backend), MemoryStore(Role.SCHEDULER, backend))
        yield Router(catalog, targets, lanes, caller)


@asynccontextmanager
async def served(
    router: Router, settings: FunctionsSettings, *, grace: float = 5.0
) -> AsyncGenerator[None]:
    """The router behind its gRPC address. Left without `grace`, it is gone as one that was killed."""
    mesh = settings.mesh
    add = partial(
        functions_pb2_grpc.add_FunctionServiceServicer_to_server, FunctionServicer(router.caller)
    )
    async with serve(
        Role.FUNCTIONS,
        [mesh.grpc_address(Role.FUNCTIONS)],
        mesh.folder("tls"),
        [(SERVICE_NAME, add)],
        callers=[Role.WAREHOUSE, Role.API],
        grace=grace,
    ):
        yield
