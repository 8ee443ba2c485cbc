"""The warehouse daemon: ordinary SQL, query results, the event table's view."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import prometheus_client

from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.replicas import connect_all
from snowcave.v1 import functions_pb2_grpc, stages_pb2_grpc, warehouse_pb2_grpc
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.event_tables.scan import Events
from snowcave.warehouse.event_tables.spool import EventSpool
from snowcave.warehouse.event_tables.tail import EventTail
from snowcave.warehouse.results.keeping import Keeper
from snowcave.warehouse.results.query_results import ResultStore
from snowcave.warehouse.service import SERVICE_NAME, WarehouseServicer
from snowcave.warehouse.service_functions.dispatch import Dispatch
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.sessions import Sessions
from snowcave.warehouse.settings import WarehouseSettings
from snowcave.warehouse.stages.files import StageFiles
from snowcave.warehouse.stages.pointing import Pointing
from snowcave.warehouse.stages.service import STAGE_SERVICE, StageServicer
from snowcave.warehouse.statements import Statements

# Small queries come back from DuckDB to an interpreter that the loop is using; the usual 5 ms of patience
# would be ten times what they took.
_SWITCH_INTERVAL = 0.0005

SESSIONS = prometheus_client.Gauge("snowcave_warehouse_sessions", "Sessions with an engine.")


async def build(settings: WarehouseSettings, parts: Parts) -> None:
    sys.setswitchinterval(_SWITCH_INTERVAL)
    mesh = settings.mesh
    tls = mesh.folder("tls")
    clock = LoopClock()
    results = ResultStore(mesh.folder("warehouse") / "results", settings.results, clock)
    engine = await parts.enter("engine", open_engine(settings))
    events = await parts.enter(
        "events channel",
        connect(
            settings.events_address or mesh.grpc_address(Role.EVENTS),
            tls,
            me=Role.WAREHOUSE,
            to=Role.EVENTS,
        ),
    )
    sessions = await parts.enter("sessions", Sessions(engine, settings))
    SESSIONS.set_function(lambda: sessions.count)
    tail = EventTail(events, mesh.folder("events") / "parquet", settings.tail_timeout)
    spool = await asyncio.to_thread(
        EventSpool, mesh.folder("warehouse") / "events", settings.scan_bytes
    )
    event_source = Events(events, tail, spool, settings.scan_timeout)
    functions = await parts.enter(
        "functions channels",
        connect_all(
            settings.functions_address or mesh.grpc_address(Role.FUNCTIONS),
            tls,
            functions_pb2_grpc.FunctionServiceStub,
            me=Role.WAREHOUSE,
            to=Role.FUNCTIONS,
        ),
    )
    keeper = Keeper(mesh.folder("warehouse"), settings.calls.kept_bytes)
    invoker = Invoker(functions, settings.calls, keeper, clock)
    dispatch = Dispatch(sessions, invoker, keeper, settings.calls)
    files = await asyncio.to_thread(StageFiles, mesh.folder("stages"))
    pointing = Pointing(files, engine.know_stage)
    statements = Statements(
        sessions, results, event_source, dispatch, pointing, settings, clock, ids.system_random()
    )
    servicer = WarehouseServicer(engine, sessions, statements, results, settings)
    add = partial(warehouse_pb2_grpc.add_WarehouseServiceServicer_to_server, servicer)
    add_stages = partial(
        stages_pb2_grpc.add_StageServiceServicer_to_server, StageServicer(files, settings.stages)
    )
    await parts.enter("sweep", background(sweep(results, settings, clock)))
    await parts.enter(
        "grpc",
        serve(
            Role.WAREHOUSE,
            [mesh.grpc_address(Role.WAREHOUSE)],
            tls,
            [(SERVICE_NAME, add), (STAGE_SERVICE, add_stages)],
            callers=[Role.API, Role.ADMIN],
        ),
    )


@asynccontextmanager
async def open_engine(settings: WarehouseSettings) -> AsyncGenerator[DuckEngine]:
    mesh = settings.mesh
    engine = await asyncio.to_thread(
        DuckEngine,
        mesh.folder("warehouse"),
        mesh.folder("stages"),
        settings.engine,
        folders=[mesh.folder("events") / "parquet"],
    )
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


async def sweep(results: ResultStore, settings: WarehouseSettings, clock: LoopClock) -> None:
    """Forget expired results for ever."""
    while True:
        await clock.sleep(settings.results.sweep)
        await asyncio.to_thread(results.sweep)


DAEMON = Daemon(role=Role.WAREHOUSE, settings=WarehouseSettings, build=build)
