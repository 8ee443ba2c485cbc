"""The front door put together: everything of api but where its store and its statements come from."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from snowcave.api.bootstrap import bootstrap
from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.mirrors import Mirrors as CatalogMirrors
from snowcave.api.catalog.mirrors import follow_catalog
from snowcave.api.catalog.rooms import Rooms
from snowcave.api.catalog.stage_rooms import StageRooms
from snowcave.api.contract import Ddl, LogReader, Resolver, Results, StatementRunner
from snowcave.api.event_logs import EventLogs, Logs
from snowcave.api.grpc.catalog import CATALOG_SERVICE, CatalogServicer
from snowcave.api.grpc.sql import SQL_SERVICE, SqlServicer
from snowcave.api.http import server
from snowcave.api.http.front import Front
from snowcave.api.http.transfers import Transfers
from snowcave.api.logs import AgentLogs
from snowcave.api.queries.lease import ReplicaLease
from snowcave.api.queries.life import open_queries
from snowcave.api.queries.records import Records
from snowcave.api.queries.results import StatementResults, StoredResults
from snowcave.api.registry import open_registry
from snowcave.api.rendering.render import RenderSettings
from snowcave.api.retention import JobRetention
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.login import Login
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.sessions.sweep import Sweep
from snowcave.api.settings import ApiSettings
from snowcave.api.stages import Stages, open_stages
from snowcave.api.warehouse import open_warehouse
from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Parts
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.identity import Identity
from snowcave.runtime.listen import node_addresses
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import sql_pb2_grpc
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class Mirrors:
    """What api follows of the store."""

    catalog: CatalogMirrors
    tokens: Mirror[state.SessionToken]
    sessions: Mirror[state.Session]
    assignments: Mirror[state.Assignment]
    nodes: Mirror[state.Node]


@dataclass(frozen=True)
class Surroundings:
    """What statements work with."""

    mesh: Mesh
    store: Store
    mirrors: Mirrors
    identity: Identity
    resolver: Resolver
    ddl: Ddl
    logs: LogReader
    results: Results
    stages: Stages
    tickets: SessionBook
    templates: RenderSettings


MakeRunner = Callable[[Surroundings], StatementRunner]


async def open_mirrors(store: Store, parts: Parts) -> Mirrors:
    mirrors = Mirrors(
        catalog=await follow_catalog(store, parts),
        tokens=await parts.enter("tokens", follow(store, keys.SESSION_TOKENS)),
        sessions=await parts.enter("sessions", follow(store, keys.SESSIONS)),
        assignments=await parts.enter("assignments", follow(store, keys.ASSIGNMENTS)),
        nodes=await parts.enter("nodes", follow(store, keys.NODES)),
    )
    followed = (*vars(mirrors.catalog).items(), *vars(mirrors).items())
    parts.health.mirrors.update(
        {name: mirror.digest for name, mirror in followed if isinstance(mirror, Mirror)}
    )
    return mirrors


async def build_front(
    settings: ApiSettings, parts: Parts, store: Store, make_runner: MakeRunner
) -> None:
    mesh, clock, rng = settings.mesh, LoopClock(), ids.system_random()
    await bootstrap(store, mesh.home, rng, clock)
    mirrors = await open_mirrors(store, parts)
    catalog = mirrors.catalog
    identity = Identity(
        catalog.objects, catalog.grants, mirrors.tokens, mirrors.sessions, store, clock
    )
    warehouse = await parts.enter("warehouse", open_warehouse(mesh, settings.calls))
    resolver = await parts.enter("registry", open_registry(mesh, settings.calls))
    rooms = Rooms(catalog.objects, warehouse)
    await parts.enter("rooms", background(rooms.reconciler.run()))
    stages = await parts.enter("stages", open_stages(mesh, settings.calls))
    stage_rooms = StageRooms(store, catalog.objects, mirrors.sessions, stages)
    await parts.enter("stage rooms", background(stage_rooms.reconciler.run()))
    events = await parts.enter(
        "events",
        connect(mesh.grpc_address(Role.EVENTS), mesh.folder("tls"), me=Role.API, to=Role.EVENTS),
    )
    logs = Logs(
        AgentLogs(mesh, settings.calls, mirrors.assignments, mirrors.nodes),
        EventLogs(events, settings.calls),
    )

    lease = ReplicaLease(store, settings.queries.lease, clock, rng)
    await parts.enter("lease", background(lease.run()))
    records = Records(store, clock, ids.label(rng, 12), lease.current)
    of_statements = StatementResults(warehouse, records)
    book = SessionBook(store, mirrors.sessions, clock, rng, settings.sessions)
    runner = make_runner(
        Surroundings(
            mesh,
            store,
            mirrors,
            identity,
            resolver,
            warehouse,
            logs,
            of_statements,
            stages,
            book,
            settings.templates,
        )
    )
    queries = await parts.enter(
        "queries", open_queries(runner, warehouse, records, settings.queries, rng)
    )
    results = StoredResults(queries, records, warehouse, settings.queries, clock)

    directory = Directory(mesh, store, identity, catalog.objects, catalog.names)
    service_tokens = ServiceTokens(
        store,
        catalog.objects,
        mirrors.assignments,
        mirrors.nodes,
        identity,
        clock,
        rng,
        settings.sessions.service_token,
    )
    login = Login(directory, service_tokens, book, clock, settings.login)
    ending = SessionEnding(book, queries, warehouse)
    sweep = Sweep(
        store,
        clock,
        every=settings.sessions.sweep,
        retention=settings.queries.retention,
        most=settings.queries.records,
        closed=ending.clear,
    )
    await parts.enter("sweep", background(sweep.run()))
    old_jobs = JobRetention(
        Catalog(store, catalog),
        clock,
        keep=settings.jobs.retention,
        every=settings.jobs.sweep,
    )
    await parts.enter("old jobs", background(old_jobs.run()))

    sql = SqlServicer(
        login, book, ending, directory, queries, results, warehouse, settings.queries
    )
    errands = CatalogServicer(store, service_tokens, clock)
    await parts.enter(
        "grpc",
        serve(
            Role.API,
            [f"{host}:{mesh.grpc_port(Role.API)}" for host in node_addresses(mesh)],
            mesh.folder("tls"),
            [
                (SQL_SERVICE, partial(sql_pb2_grpc.add_SqlServiceServicer_to_server, sql)),
                (
                    CATALOG_SERVICE,
                    partial(sql_pb2_grpc.add_CatalogServiceServicer_to_server, errands),
                ),
            ],
            callers=[Role.ADMIN, Role.INGRESS, Role.SCHEDULER, Role.AGENT],
        ),
    )
    front = Front(settings, book, login, ending, directory, queries, results)
    transfers = Transfers(settings.http, book, catalog.objects, stages)
    plain, encrypted = addresses(mesh)
    tls = mesh.folder("tls")
    await parts.enter(
        "http",
        server.serve(
            [*front.routes(), *transfers.routes()],
            settings.http,
            plain=plain,
            encrypted=encrypted,
            certificate=(tls / "api.pem", tls / "api.key"),
        ),
    )


def addresses(mesh: Mesh) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Where to listen in the clear, and where with TLS: only loopback is ever served in the clear."""
    loopback = ipaddress.ip_address(mesh.listen).is_loopback
    plain = [(mesh.listen if loopback else "127.0.0.1", mesh.port("api"))]
    hosts = node_addresses(mesh, mesh.listen)
    return plain, [(host, mesh.port("api-tls")) for host in hosts]
