"""The event table's collector: what containers said, durable before it is acknowledged."""

import importlib
from contextlib import AbstractAsyncContextManager
from functools import partial

from snowcave.events.disk_store import open_disk_store
from snowcave.events.export.exporter import Exported, open_exporter
from snowcave.events.routing import open_routing
from snowcave.events.service import EventService
from snowcave.events.settings import EventsSettings
from snowcave.events.store import EventStore
from snowcave.kit.clock import LoopClock
from snowcave.kit.ids import system_random
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import serve
from snowcave.runtime.listen import node_addresses
from snowcave.v1 import events_pb2_grpc

CALLERS = (Role.AGENT, Role.API, Role.SCHEDULER, Role.WAREHOUSE, Role.ADMIN)


async def build(settings: EventsSettings, parts: Parts) -> None:
    mesh = settings.mesh
    store: EventStore = await parts.enter(settings.store, _opened(settings))
    if settings.export.endpoint:
        exporter = open_exporter(settings.export, LoopClock(), system_random())
        store = Exported(store, await parts.enter("export", exporter))
    routing = await parts.enter("tables", open_routing(settings, LoopClock(), system_random()))
    add = partial(
        events_pb2_grpc.add_EventServiceServicer_to_server,
        EventService(store, routing.assign, settings.appends_ahead, settings.waiting_bytes),
    )
    port = mesh.grpc_port(Role.EVENTS)
    await parts.enter(
        "grpc",
        serve(
            Role.EVENTS,
            [f"{host}:{port}" for host in node_addresses(mesh)],
            mesh.folder("tls"),
            [("snowcave.v1.EventService", add)],
            callers=CALLERS,
        ),
    )


def _opened(settings: EventsSettings) -> AbstractAsyncContextManager[EventStore]:
    match settings.store:
        case "disk":
            return open_disk_store(settings, LoopClock())
        case "clickhouse":
            # Its client is an extra, which need not be installed where it is not chosen.
            module = importlib.import_module("snowcave.events.clickhouse.store")
            return module.open_clickhouse_store(settings, LoopClock())


DAEMON = Daemon(role=Role.EVENTS, settings=EventsSettings, build=build)
