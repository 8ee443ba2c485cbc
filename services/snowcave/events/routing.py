"""Which event table rows belong to: followed in the catalog, kept beside the rows, said of them as they come.

The state store tells of changes. While it is away, also as this daemon begins, what was told last counts on.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import orjson
import structlog

from snowcave.events import durable
from snowcave.events.settings import EventsSettings
from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model import keys, telemetry
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.model.telemetry import Routes
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.state import open_state
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

OpenCatalog = Callable[[], AbstractAsyncContextManager[Mirror[state.Object]]]

_DOMAINS = frozenset({"account", "database", "schema", "event_table"})


class Routing:
    def __init__(self, kept: Path) -> None:
        """`kept`: the file with what was told last."""
        self._kept = kept
        self._routes = _read(kept)
        self.told = asyncio.Event()

    def assign(self, request: v1.AppendRequest) -> None:
        """Say of the rows of an append which table is theirs, whatever their sender says."""
        routes = self._routes
        for resource in request.resources:
            number = telemetry.DEFAULT if routes.are_plain else routes.of(resource.database)
            if resource.event_table != number:
                resource.event_table = number

    async def learn(self, routes: Routes) -> None:
        """On disk before a row is assigned by it, so that a successor goes on with it."""
        if routes != self._routes:
            await asyncio.to_thread(durable.replace, self._kept, _written(routes))
            self._routes = routes
            log.info("event_tables_set", account=routes.account, databases=len(routes.databases))
        self.told.set()

    async def follow_forever(
        self, open_catalog: OpenCatalog, clock: Clock, rng: random.Random
    ) -> None:
        pauses = backoff(rng, base=0.5, cap=10.0)
        while True:
            try:
                async with open_catalog() as catalog:
                    # It is there: what comes after it is another failure.
                    pauses = backoff(rng, base=0.5, cap=10.0)
                    await self._follow(catalog)
            except (Unavailable, OSError) as error:
                log.warning("event_tables_not_followed", error=str(error))
            await clock.sleep(next(pauses))

    async def _follow(self, catalog: Mirror[state.Object]) -> None:
        changed = asyncio.Event()

        def hear(parts: tuple[str, ...], _: state.Object | None) -> None:
            if parts[0] in _DOMAINS:
                changed.set()

        catalog.subscribe(hear)
        while True:
            changed.clear()
            await self.learn(routes_in(catalog))
            await changed.wait()


def routes_in(catalog: Mirror[state.Object]) -> Routes:
    def get(domain: str, uid: int) -> state.Object | None:
        return catalog.get(domain, uid)

    databases = (found for _, found in catalog.items("database"))
    return telemetry.routes_of(get("account", 0), databases, get)


def _written(routes: Routes) -> bytes:
    databases = {str(uid): number for uid, number in routes.databases.items()}
    return orjson.dumps({"account": routes.account, "databases": databases})


def _read(kept: Path) -> Routes:
    try:
        told = orjson.loads(kept.read_bytes())
    except FileNotFoundError:
        return Routes()
    return Routes(told["account"], {int(uid): one for uid, one in told["databases"].items()})


async def _answers(address: str) -> bool:
    """Whether somebody listens there: where nobody does there is nothing to wait for."""
    host, _, port = address.split(",")[0].rpartition(":")
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


@asynccontextmanager
async def _catalog(mesh: Mesh) -> AsyncGenerator[Mirror[state.Object]]:
    async with AsyncExitStack() as stack:
        store = await open_state(mesh, Role.EVENTS, Parts(stack, Health()))
        yield await stack.enter_async_context(follow(store, keys.CATALOG))


@asynccontextmanager
async def open_routing(
    settings: EventsSettings, clock: Clock, rng: random.Random
) -> AsyncGenerator[Routing]:
    """Entered once the store has told, or is away."""
    mesh = settings.mesh
    routing = Routing(mesh.folder("events") / "tables.json")
    async with background(routing.follow_forever(partial(_catalog, mesh), clock, rng)):
        if await _answers(mesh.store_address):
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.tables_patience):
                    await routing.told.wait()
        yield routing
