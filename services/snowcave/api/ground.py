"""What the parts of api stand on: what they follow, whom they ask, and who runs statements."""

import random
from dataclasses import dataclass

from snowcave.api.catalog.backups import Backups
from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.mirrors import Mirrors as CatalogMirrors
from snowcave.api.catalog.mirrors import follow_catalog
from snowcave.api.contract import Ddl, LogReader, Resolver, Results, StatementRunner
from snowcave.api.queries.life import Queries
from snowcave.api.queries.results import StoredResults
from snowcave.api.queries.variables import SessionVariables
from snowcave.api.rendering.render import RenderSettings
from snowcave.api.secrets.sealing import Sealer
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.callers import Callers
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.login import Login
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.settings import ApiSettings, StatementSettings
from snowcave.api.stages import Stages
from snowcave.api.warehouse import Warehouse
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.runtime.daemon import Parts
from snowcave.runtime.identity import Identity
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outbox import EventTable
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
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


@dataclass(frozen=True)
class Ground:
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

    def backups(self) -> Backups:
        catalog, every = Catalog(self.store, self.mirrors.catalog), self.settings.jobs.sweep
        return Backups(self.store, catalog, self.clock, self.rng, every)


@dataclass(frozen=True)
class Neighbours:
    """The daemons that api asks."""

    warehouse: Warehouse
    resolver: Resolver
    stages: Stages
    logs: LogReader
    event_table: EventTable


@dataclass(frozen=True)
class Answers:
    """Who runs statements for whom, and keeps what they answered."""

    book: SessionBook
    queries: Queries
    results: StoredResults
    directory: Directory
    tokens: ServiceTokens
    ends: EndpointTokens
    proof: Proof
    login: Login
    callers: Callers
    ending: SessionEnding
    runner: StatementRunner


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
