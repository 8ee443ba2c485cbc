"""The agent: one a node, inside the node's network namespace. Runs the instances assigned to it."""

import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio
import prometheus_client

from snowcave.agent import node as node_part
from snowcave.agent.engine.api import Engine, EngineInfo
from snowcave.agent.engine.docker import open_docker
from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.agent.ground import announcement, find_vm, ground
from snowcave.agent.logs import rows
from snowcave.agent.logs.ledger import Ledger
from snowcave.agent.logs.shipper import Shipper, open_shipper
from snowcave.agent.metering import Meter, Rates
from snowcave.agent.network.network import Network, open_network
from snowcave.agent.network.policy import follow_mirrors
from snowcave.agent.peers import EventCollector, SecretStore, ServiceTokens, TokenIssuer
from snowcave.agent.reports import Reports, open_reports
from snowcave.agent.scraping import open_scraper
from snowcave.agent.service import NAME, AgentServicer
from snowcave.agent.session_files import SessionFiles, open_session_files
from snowcave.agent.settings import AgentSettings
from snowcave.agent.telemetry.gauges import NodeSize
from snowcave.agent.telemetry.open import TelemetryGround, open_telemetry
from snowcave.agent.volumes.open import VolumeGround, Volumes, open_volumes
from snowcave.agent.volumes.secret_files import SecretFiles, open_secret_files
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.settings import SettingsInvalid
from snowcave.runtime.state import open_state
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from snowcave.v1.nodes_pb2_grpc import add_AgentServiceServicer_to_server

INSTANCES = prometheus_client.Gauge("snowcave_agent_instances", "Instances assigned to the node.")
# For a credential to pull with, and for a token of an instance.
_TOKEN_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class _Base:
    """What every part of the agent stands on."""

    settings: AgentSettings
    parts: Parts
    store: Store
    engine: Engine
    info: EngineInfo
    assigned: Mirror[state.Assignment]
    endpoints: Mirror[state.Endpoint]
    network: Network
    clock: LoopClock
    rng: random.Random

    @property
    def mine(self) -> list[state.Assignment]:
        return [want for _, want in self.assigned.items(self.settings.node)]

    async def channel(self, to: Role) -> grpc.aio.Channel:
        mesh = self.settings.mesh
        address, tls = mesh.grpc_address_from_node(to), mesh.folder("tls")
        return await self.parts.enter(str(to), connect(address, tls, me=Role.AGENT, to=to))


async def build(settings: AgentSettings, parts: Parts) -> None:
    if not settings.node:
        raise SettingsInvalid("agent.node: an agent has to be told which node it is")
    base = await _open_base(settings, parts)
    vm = await find_vm(base.store, settings)
    api = await base.channel(Role.API)
    registry = await base.channel(Role.REGISTRY)
    told = announcement(settings, vm, base.info, base.clock)
    around = node_part.Surroundings(
        engine=base.engine,
        network=base.network,
        issue=TokenIssuer(registry, _TOKEN_DEADLINE).issue,
        logs=await _open_logs(base, vm),
        reports=await parts.enter(
            "reports", open_reports(base.store, told, settings.report, base.clock, base.rng)
        ),
        sessions=await _open_sessions(base, api),
        secrets=await _open_secrets(base, api),
        volumes=await _open_volumes(base, api),
        clock=base.clock,
        rng=base.rng,
    )
    running = await parts.enter(
        "instances",
        node_part.open_instances(
            ground(settings, base.info), base.assigned, around, pace(settings)
        ),
    )
    await _open_telemetry(base, vm, around.reports)
    await _serve(base, running)


async def _open_base(settings: AgentSettings, parts: Parts) -> _Base:
    mesh, clock = settings.mesh, LoopClock()
    address = settings.store_address or mesh.store
    store = await open_state(
        mesh,
        Role.AGENT,
        parts,
        address=address or mesh.grpc_address_from_node(Role.STATESTORE),
    )
    engine = await parts.enter("engine", open_engine(settings))
    info = await parts.enter("engine_awaited", node_part.prepared_engine(engine, clock))
    assigned = await parts.enter("assignments", follow(store, keys.ASSIGNMENTS, settings.node))
    INSTANCES.set_function(lambda: len(assigned))
    endpoints = await parts.enter("endpoints", follow(store, keys.ENDPOINTS))
    parts.health.mirrors |= {"assign": assigned.digest, "endpoint": endpoints.digest}
    rights = await parts.enter("rights", follow_mirrors(store))
    parts.health.mirrors |= rights.digests
    network = await parts.enter(
        "network", open_network(mesh, settings.network, endpoints, rights, settings.hosts)
    )
    rng = random.Random()
    return _Base(settings, parts, store, engine, info, assigned, endpoints, network, clock, rng)


async def _open_logs(base: _Base, vm: state.Vm) -> Shipper:
    settings = base.settings
    return await base.parts.enter(
        "logs",
        open_shipper(
            Ledger(settings.folder / "logs"),
            EventCollector(await base.channel(Role.EVENTS)),
            lambda want, container: rows.resource(
                settings.mesh.account, settings.node, vm.instance_family, want, container
            ),
            settings.logs,
            base.clock,
            base.rng,
        ),
    )


async def _open_telemetry(base: _Base, vm: state.Vm, reports: Reports) -> None:
    settings, mesh = base.settings, base.settings.mesh
    its = ground(settings, base.info)
    await base.parts.enter(
        "telemetry",
        open_telemetry(
            TelemetryGround(
                account=mesh.account,
                node=settings.node,
                vm=vm,
                address=settings.address,
                machine=mesh.plan.machine,
                size=NodeSize(its.cpu_milli, its.memory_bytes),
                volumes=settings.folder / "volumes",
                labels=its.labels,
                engine=base.engine,
                requests=base.network,
                assigned=base.assigned,
                endpoints=base.endpoints,
                report_of=reports.told,
                store=base.store,
                collector=EventCollector(await base.channel(Role.EVENTS)),
                clock=base.clock,
                rng=base.rng,
            ),
            settings.telemetry,
        ),
    )


async def _open_sessions(base: _Base, api: grpc.aio.Channel) -> SessionFiles:
    settings = base.settings
    return await base.parts.enter(
        "sessions",
        open_session_files(
            settings.sessions,
            {want.instance for want in base.mine},
            ServiceTokens(api, settings.node, _TOKEN_DEADLINE).issue,
            settings.session,
            base.clock,
        ),
    )


async def _open_secrets(base: _Base, api: grpc.aio.Channel) -> SecretFiles:
    settings = base.settings
    return await base.parts.enter(
        "secrets",
        open_secret_files(
            settings.secret_folder,
            SecretStore(api, settings.node, _TOKEN_DEADLINE).read,
            lambda: base.mine,
            settings.secrets,
            base.clock,
        ),
    )


async def _open_volumes(base: _Base, api: grpc.aio.Channel) -> Volumes:
    settings, mesh = base.settings, base.settings.mesh
    return await base.parts.enter(
        "volumes",
        open_volumes(
            VolumeGround(
                mesh.host, settings.node, mesh.id, settings.folder, mesh.folder("blocks")
            ),
            settings.volumes,
            base.store,
            base.assigned,
            base.engine,
            api,
            base.clock,
            base.rng,
        ),
    )


async def _serve(base: _Base, running: node_part.Instances) -> None:
    settings, mesh = base.settings, base.settings.mesh
    meter = Meter(
        settings.node,
        base.engine,
        base.network,
        base.assigned,
        running.keeper.steps.ground.labels,
        Rates(base.clock),
        await base.parts.enter("scraper", open_scraper(settings.scrape)),
    )
    servicer = AgentServicer(running.keeper, base.network, meter)
    await base.parts.enter(
        "grpc",
        serve(
            Role.AGENT,
            [f"{settings.address}:{mesh.grpc_port(Role.AGENT)}"],
            mesh.folder("tls"),
            [(NAME, lambda server: add_AgentServiceServicer_to_server(servicer, server))],
            callers={Role.API, Role.SCHEDULER, Role.HYPERVISOR, Role.ADMIN},
        ),
    )


@asynccontextmanager
async def open_engine(settings: AgentSettings) -> AsyncGenerator[Engine]:
    if settings.engine == "simulated":
        yield SimulatedEngine()
        return
    async with open_docker(settings.socket, settings.docker) as engine:
        yield engine


def pace(settings: AgentSettings) -> node_part.Pace:
    return node_part.Pace(
        policy=settings.policy,
        keeper=settings.keeper,
        probe=settings.probe,
        pull=settings.pull,
        resync=settings.resync,
        workers=settings.workers,
    )


DAEMON = Daemon(role=Role.AGENT, settings=AgentSettings, build=build)
