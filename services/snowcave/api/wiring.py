"""The front door put together: everything of api but where its store and its statements come from."""

from collections.abc import Callable

from snowcave.api.bootstrap import bootstrap
from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.graves import Graves
from snowcave.api.catalog.pinned_paths import PinnedPaths
from snowcave.api.catalog.rooms import Rooms
from snowcave.api.catalog.stage_rooms import StageRooms
from snowcave.api.contract import StatementRunner
from snowcave.api.event_logs import EventLogs, Logs
from snowcave.api.ground import Answers, Ground, Neighbours, Surroundings, open_mirrors
from snowcave.api.logs import AgentLogs
from snowcave.api.queries.lease import ReplicaLease
from snowcave.api.queries.life import open_queries
from snowcave.api.queries.metrics import RUNNING, SESSIONS
from snowcave.api.queries.records import Records
from snowcave.api.queries.results import StatementResults, StoredResults
from snowcave.api.queries.variables import SessionVariables
from snowcave.api.registry import open_registry
from snowcave.api.retention import JobRetention
from snowcave.api.secrets.sealing import Sealer, read_key
from snowcave.api.serving import serve_grpc, serve_http
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.callers import Callers
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.login import Login
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.sessions.sweep import Sweep
from snowcave.api.settings import ApiSettings
from snowcave.api.stages import open_stages
from snowcave.api.warehouse import open_warehouse
from snowcave.kit import ids
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Parts
from snowcave.runtime.grpc import connect
from snowcave.runtime.identity import Identity
from snowcave.runtime.outbox import EventTable, open_outbox
from snowcave.store.api import Store
from snowcave.store.mirror import follow

MakeRunner = Callable[[Surroundings], StatementRunner]


async def build_front(
    settings: ApiSettings, parts: Parts, store: Store, make_runner: MakeRunner
) -> None:
    clock, rng = LoopClock(), ids.system_random()
    await bootstrap(store, settings.mesh.home, rng, clock)
    mirrors = await open_mirrors(store, parts)
    objects, grants = mirrors.catalog.objects, mirrors.catalog.grants
    identity = Identity(objects, grants, mirrors.tokens, mirrors.sessions, store, clock)
    sealer = Sealer(read_key(settings.mesh.home))
    ground = Ground(settings, parts, store, mirrors, identity, clock, rng, sealer)
    neighbours = await _open_neighbours(ground)
    answers = await _open_answers(ground, neighbours, make_runner)
    await _keep_house(ground, neighbours, answers)
    await serve_grpc(ground, neighbours, answers)
    await serve_http(ground, neighbours, answers)


async def _open_neighbours(ground: Ground) -> Neighbours:
    mesh, parts, calls = ground.mesh, ground.parts, ground.settings.calls
    tls, events_at = mesh.folder("tls"), mesh.grpc_address(Role.EVENTS)
    warehouse = await parts.enter("warehouse", open_warehouse(mesh, calls))
    resolver = await parts.enter("registry", open_registry(mesh, calls))
    stages = await parts.enter("stages", open_stages(mesh, calls))
    events = await parts.enter("events", connect(events_at, tls, me=Role.API, to=Role.EVENTS))
    of_agents = AgentLogs(mesh, calls, ground.mirrors.assignments, ground.mirrors.nodes)
    logs = Logs(of_agents, EventLogs(events, calls))
    return Neighbours(warehouse, resolver, stages, logs, EventTable(events, calls.events))


async def _open_answers(
    ground: Ground, neighbours: Neighbours, make_runner: MakeRunner
) -> Answers:
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
    login = Login(directory, proof, tokens, ends, book)
    return Answers(
        book=book,
        queries=queries,
        results=StoredResults(queries, records, warehouse, settings.queries, clock),
        directory=directory,
        tokens=tokens,
        ends=ends,
        proof=proof,
        login=login,
        callers=Callers(book, login, settings.sessions.shared),
        ending=SessionEnding(book, queries, warehouse),
        runner=runner,
    )


async def _keep_house(ground: Ground, neighbours: Neighbours, answers: Answers) -> None:
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
        ("old backups", ground.backups().run()),
    ):
        await ground.parts.enter(name, background(loop))
    await _tell_events(ground, neighbours.event_table)


async def _tell_events(ground: Ground, table: EventTable) -> None:
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
