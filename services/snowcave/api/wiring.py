"""The front door put together: everything of api but where its store and its statements come from."""

import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from snowcave.api.bootstrap import bootstrap
from snowcave.api.catalog.backups import Backups
from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.graves import Graves
from snowcave.api.catalog.mirrors import Mirrors as CatalogMirrors
from snowcave.api.catalog.mirrors import follow_catalog
from snowcave.api.catalog.pinned_paths import PinnedPaths
from snowcave.api.catalog.rooms import Rooms
from snowcave.api.catalog.stage_rooms import StageRooms
from snowcave.api.contract import Ddl, LogReader, Resolver, Results, StatementRunner
from snowcave.api.event_logs import EventLogs, Logs
from snowcave.api.following import Following
from snowcave.api.grpc.catalog import CATALOG_SERVICE, CatalogServicer
from snowcave.api.grpc.functions import FUNCTION_SERVICE, FunctionProxy
from snowcave.api.grpc.identity import IDENTITY_SERVICE, IdentityServicer
from snowcave.api.grpc.node_stages import STAGE_SERVICE, NodeStageServicer
from snowcave.api.grpc.shown import (
    NODE_SERVICE,
    SERVICE_CATALOG,
    NodeServicer,
    ServiceCatalogServicer,
    Shows,
)
from snowcave.api.grpc.sql import SQL_SERVICE, SqlServicer
from snowcave.api.http import server
from snowcave.api.http.front import Front
from snowcave.api.http.oauth import OAuth
from snowcave.api.http.root import Root
from snowcave.api.http.transfers import Transfers
from snowcave.api.logs import AgentLogs
from snowcave.api.queries.lease import ReplicaLease
from snowcave.api.queries.life import Queries, open_queries
from snowcave.api.queries.metrics import RUNNING, SESSIONS
from snowcave.api.queries.records import Records
from snowcave.api.queries.results import StatementResults, StoredResults
from snowcave.api.queries.variables import SessionVariables
from snowcave.api.registry import open_registry
from snowcave.api.rendering.render import RenderSettings
from snowcave.api.rest.catalog import OPERATIONS
from snowcave.api.rest.operations import Routes
from snowcave.api.rest.results import Results as RestResults
from snowcave.api.rest.server import RestApi
from snowcave.api.rest.sessions import Sessions
from snowcave.api.retention import JobRetention
from snowcave.api.secrets.reading import SecretReader
from snowcave.api.secrets.sealing import Sealer, read_key
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.login import Login
from snowcave.api.sessions.oauth import TokenExchange
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.sessions.sweep import Sweep
from snowcave.api.settings import ApiSettings, StatementSettings
from snowcave.api.stages import Stages, open_stages
from snowcave.api.warehouse import Warehouse, open_warehouse
from snowcave.kit import ids
from snowcave.kit.clock import Clock, LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Parts
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.identity import Identity
from snowcave.runtime.listen import node_addresses
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outbox import EventTable, open_outbox
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import (
    catalog_pb2_grpc,
    functions_pb2_grpc,
    identity_pb2_grpc,
    sql_pb2_grpc,
    stages_pb2_grpc,
)
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
    statements: StatementSettings
    sealer: Sealer
    variables: SessionVariables


MakeRunner = Callable[[Surroundings], StatementRunner]


async def open_mirrors(store: Store, parts: Parts) -> Mirrors:
    catalog = await follow_catalog(store, parts)
    mirrors = Mirrors(
        catalog=catalog,
        tokens=await parts.enter("tokens", follow(store, keys.SESSION_TOKENS)),
        sessions=await parts.enter("sessions", follow(store, keys.SESSIONS)),
        assignments=await parts.enter("assignments", follow(store, keys.ASSIGNMENTS)),
        nodes=catalog.nodes,
    )
    followed = (*vars(mirrors.catalog).items(), *vars(mirrors).items())
    parts.health.mirrors.update(
        {name: mirror.digest for name, mirror in followed if isinstance(mirror, Mirror)}
    )
    return mirrors


@dataclass(frozen=True)
class _Ground:
    """What every part of api stands on."""

    settings: ApiSettings
    parts: Parts
    store: Store
    mirrors: Mirrors
    identity: Identity
    clock: Clock
    rng: random.Random
    sealer: Sealer

    @property
    def mesh(self) -> Mesh:
        return self.settings.mesh


@dataclass(frozen=True)
class _Neighbours:
    """The daemons that api asks."""

    warehouse: Warehouse
    resolver: Resolver
    stages: Stages
    logs: LogReader
    event_table: EventTable


@dataclass(frozen=True)
class _Answers:
    """Who runs statements for whom, and keeps what they answered."""

    book: SessionBook
    queries: Queries
    results: StoredResults
    directory: Directory
    tokens: ServiceTokens
    ends: EndpointTokens
    proof: Proof
    login: Login
    ending: SessionEnding
    runner: StatementRunner


async def build_front(
    settings: ApiSettings, parts: Parts, store: Store, make_runner: MakeRunner
) -> None:
    clock, rng = LoopClock(), ids.system_random()
    await bootstrap(store, settings.mesh.home, rng, clock)
    mirrors = await open_mirrors(store, parts)
    objects, grants = mirrors.catalog.objects, mirrors.catalog.grants
    identity = Identity(objects, grants, mirrors.tokens, mirrors.sessions, store, clock)
    sealer = Sealer(read_key(settings.mesh.home))
    ground = _Ground(settings, parts, store, mirrors, identity, clock, rng, sealer)
    neighbours = await _open_neighbours(ground)
    answers = await _open_answers(ground, neighbours, make_runner)
    await _keep_house(ground, neighbours, answers)
    await _serve_grpc(ground, neighbours, answers)
    await _serve_http(ground, neighbours, answers)


async def _open_neighbours(ground: _Ground) -> _Neighbours:
    mesh, parts, calls = ground.mesh, ground.parts, ground.settings.calls
    tls, events_at = mesh.folder("tls"), mesh.grpc_address(Role.EVENTS)
    warehouse = await parts.enter("warehouse", open_warehouse(mesh, calls))
    resolver = await parts.enter("registry", open_registry(mesh, calls))
    stages = await parts.enter("stages", open_stages(mesh, calls))
    events = await parts.enter("events", connect(events_at, tls, me=Role.API, to=Role.EVENTS))
    of_agents = AgentLogs(mesh, calls, ground.mirrors.assignments, ground.mirrors.nodes)
    logs = Logs(of_agents, EventLogs(events, calls))
    return _Neighbours(warehouse, resolver, stages, logs, EventTable(events, calls.events))


async def _open_answers(
    ground: _Ground, neighbours: _Neighbours, make_runner: MakeRunner
) -> _Answers:
    settings, store, mirrors, clock = ground.settings, ground.store, ground.mirrors, ground.clock
    lease = ReplicaLease(store, settings.queries.lease, clock, ground.rng)
    await ground.parts.enter("lease", background(lease.run()))
    records = Records(store, clock, ids.label(ground.rng, 12), lease.current)
    book = SessionBook(store, mirrors.sessions, clock, ground.rng, settings.sessions)
    warehouse = neighbours.warehouse
    surroundings = Surroundings(
        mesh=ground.mesh,
        store=store,
        mirrors=mirrors,
        identity=ground.identity,
        resolver=neighbours.resolver,
        ddl=warehouse,
        logs=neighbours.logs,
        results=StatementResults(records),
        stages=neighbours.stages,
        tickets=book,
        templates=settings.templates,
        statements=settings.statements,
        sealer=ground.sealer,
        variables=SessionVariables(warehouse, ground.rng, settings.calls.warehouse),
    )
    runner = make_runner(surroundings)
    queries = await ground.parts.enter(
        "queries",
        open_queries(runner, warehouse, records, settings.queries, ground.rng),
    )
    RUNNING.set_function(lambda: len(queries.running()))
    SESSIONS.set_function(lambda: len(mirrors.sessions))
    catalog = mirrors.catalog
    directory = Directory(ground.mesh, store, ground.identity, catalog.objects, catalog.names)
    tokens = ServiceTokens(
        store,
        catalog.objects,
        mirrors.assignments,
        mirrors.nodes,
        ground.identity,
        clock,
        ground.rng,
        settings.sessions.service_token,
    )
    ends = EndpointTokens(
        store, catalog.objects, ground.identity, clock, ground.rng, settings.sessions
    )
    proof = Proof(ground.identity, store, clock, settings.login)
    return _Answers(
        book=book,
        queries=queries,
        results=StoredResults(queries, records, warehouse, settings.queries, clock),
        directory=directory,
        tokens=tokens,
        ends=ends,
        proof=proof,
        login=Login(directory, proof, tokens, ends, book),
        ending=SessionEnding(book, queries, warehouse),
        runner=runner,
    )


async def _keep_house(ground: _Ground, neighbours: _Neighbours, answers: _Answers) -> None:
    """What a crash, an outage or time leaves undone."""
    settings, store, mirrors = ground.settings, ground.store, ground.mirrors
    objects = mirrors.catalog.objects
    rooms = Rooms(objects, neighbours.warehouse)
    stage_rooms = StageRooms(store, objects, mirrors.sessions, neighbours.stages)
    sweep = Sweep(
        store,
        ground.clock,
        every=settings.sessions.sweep,
        retention=settings.queries.retention,
        most=settings.queries.records,
        closed=answers.ending.clear,
    )
    old_jobs = JobRetention(
        Catalog(store, mirrors.catalog),
        ground.clock,
        keep=settings.jobs.retention,
        every=settings.jobs.sweep,
    )
    catalog = Catalog(store, mirrors.catalog)
    for name, loop in (
        ("rooms", rooms.reconciler.run()),
        ("graves", Graves(catalog, neighbours.warehouse, ground.clock).reconciler.run()),
        ("pinned paths", PinnedPaths(catalog).reconciler.run()),
        ("stage rooms", stage_rooms.reconciler.run()),
        ("sweep", sweep.run()),
        ("old jobs", old_jobs.run()),
        ("old backups", _backups(ground).run()),
    ):
        await ground.parts.enter(name, background(loop))
    await _tell_events(ground, neighbours.event_table)


async def _tell_events(ground: _Ground, table: EventTable) -> None:
    """Every replica tells of what any of them did: the table knows what it has."""
    waiting = await ground.parts.enter("events", follow(ground.store, keys.API_EVENTS))
    await ground.parts.enter(
        "platform events",
        open_outbox(
            ground.store,
            keys.API_EVENTS,
            waiting,
            table.append,
            lambda: True,
            ground.clock,
            ground.rng,
        ),
    )


def _backups(ground: _Ground) -> Backups:
    catalog = Catalog(ground.store, ground.mirrors.catalog)
    every = ground.settings.jobs.sweep
    return Backups(ground.store, catalog, ground.clock, ground.rng, every)


async def _serve_grpc(ground: _Ground, neighbours: _Neighbours, answers: _Answers) -> None:
    mirrors = ground.mirrors
    catalog = Catalog(ground.store, mirrors.catalog)
    sql = SqlServicer(
        answers.login,
        answers.book,
        answers.ending,
        answers.directory,
        answers.queries,
        answers.results,
        neighbours.warehouse,
        ground.settings.queries,
        catalog,
        Following(ground.mesh, mirrors.assignments, mirrors.nodes, mirrors.catalog.services),
    )
    secrets = SecretReader(catalog, answers.tokens, ground.sealer)
    backups = _backups(ground)
    errands = CatalogServicer(ground.store, answers.tokens, secrets, backups, ground.clock)
    of_nodes = NodeStageServicer(catalog, answers.tokens, neighbours.stages)
    people = IdentityServicer(answers.proof, answers.ends, ground.settings.sessions)
    mesh = ground.mesh
    add_people = partial(identity_pb2_grpc.add_IdentityServiceServicer_to_server, people)
    add_sql = partial(sql_pb2_grpc.add_SqlServiceServicer_to_server, sql)
    add_stages = partial(stages_pb2_grpc.add_StageServiceServicer_to_server, of_nodes)
    add_errands = partial(sql_pb2_grpc.add_CatalogServiceServicer_to_server, errands)
    looking = ground.settings.rest.read
    shows = Shows(answers.book, answers.directory, answers.runner, looking)
    add_services = partial(
        catalog_pb2_grpc.add_ServiceCatalogServicer_to_server, ServiceCatalogServicer(shows)
    )
    add_nodes = partial(catalog_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer(shows))
    functions_at = mesh.grpc_address(Role.FUNCTIONS)
    router = await ground.parts.enter(
        "functions",
        connect(functions_at, mesh.folder("tls"), me=Role.API, to=Role.FUNCTIONS),
    )
    proxy = FunctionProxy(
        answers.book,
        answers.directory,
        answers.runner,
        functions_pb2_grpc.FunctionServiceStub(router),
        looking,
    )
    add_functions = partial(functions_pb2_grpc.add_FunctionServiceServicer_to_server, proxy)
    await ground.parts.enter(
        "grpc",
        serve(
            Role.API,
            [f"{host}:{mesh.grpc_port(Role.API)}" for host in node_addresses(mesh)],
            mesh.folder("tls"),
            [
                (SQL_SERVICE, add_sql),
                (CATALOG_SERVICE, add_errands),
                (STAGE_SERVICE, add_stages),
                (IDENTITY_SERVICE, add_people),
                (SERVICE_CATALOG, add_services),
                (NODE_SERVICE, add_nodes),
                (FUNCTION_SERVICE, add_functions),
            ],
            callers=[Role.ADMIN, Role.INGRESS, Role.SCHEDULER, Role.AGENT],
        ),
    )


async def _serve_http(ground: _Ground, neighbours: _Neighbours, answers: _Answers) -> None:
    settings, mesh, book = ground.settings, ground.mesh, answers.book
    front = Front(
        settings,
        book,
        answers.login,
        answers.ending,
        answers.directory,
        answers.queries,
        answers.results,
    )
    transfers = Transfers(settings.http, book, ground.mirrors.catalog.objects, neighbours.stages)
    exchange = TokenExchange(answers.proof, answers.ends, settings.sessions.endpoint_token)
    oauth = OAuth(exchange, settings.http)
    rest = _rest(ground, neighbours, answers)
    plain, encrypted = addresses(mesh)
    tls = mesh.folder("tls")
    await ground.parts.enter(
        "http",
        server.serve(
            [
                *front.routes(),
                *oauth.routes(),
                *Root(mesh).routes(),
                *transfers.routes(),
                *rest.routes(),
            ],
            settings.http,
            plain=plain,
            encrypted=encrypted,
            certificate=(tls / "api.pem", tls / "api.key"),
        ),
    )


def _rest(ground: _Ground, neighbours: _Neighbours, answers: _Answers) -> RestApi:
    settings = ground.settings
    most = settings.rest.sessions
    return RestApi(
        sessions=Sessions(answers.book, answers.directory, answers.login, most),
        runner=answers.runner,
        queries=answers.queries,
        results=RestResults(answers.results, neighbours.warehouse, settings.rest),
        settings=settings.rest,
        http=settings.http,
        routes_of=Routes(OPERATIONS),
    )


def addresses(mesh: Mesh) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Where to listen in the clear, and where with TLS: only loopback is ever served in the clear."""
    loopback = ipaddress.ip_address(mesh.listen).is_loopback
    plain = [(mesh.listen if loopback else "127.0.0.1", mesh.port("api"))]
    hosts = node_addresses(mesh, mesh.listen)
    return plain, [(host, mesh.port("api-tls")) for host in hosts]
