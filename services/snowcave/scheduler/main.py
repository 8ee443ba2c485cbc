"""Puts instances on nodes, and nodes on machines. One leads; the others keep their mirrors warm."""

import os
import random
from dataclasses import dataclass
from functools import partial

import grpc.aio

from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import KeySpace, M, Role
from snowcave.runtime.daemon import Daemon, Parts
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.outbox import EventTable, open_outbox
from snowcave.runtime.outcomes import translated
from snowcave.runtime.state import open_state
from snowcave.scheduler.autoscaling.measures import AgentMeasures, Collector
from snowcave.scheduler.autoscaling.scaler import Autoscaler
from snowcave.scheduler.explain import Explaining
from snowcave.scheduler.ledger import Ledger
from snowcave.scheduler.metrics import BUGS, LEADING, STANDING
from snowcave.scheduler.placing import Placing
from snowcave.scheduler.settings import SchedulerSettings
from snowcave.scheduler.views import Views
from snowcave.scheduler.world import Mirrors, World
from snowcave.store.api import Store
from snowcave.store.election import Reign, campaign
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import nodes_pb2_grpc, sql_pb2, sql_pb2_grpc

CAMPAIGN = "scheduler"


async def build(settings: SchedulerSettings, parts: Parts) -> None:
    mesh, tls = settings.mesh, settings.mesh.folder("tls")
    store = await open_state(mesh, Role.SCHEDULER, parts)
    mirrors = await follow_all(store, parts)
    world = World(mirrors, LoopClock(), settings.node_grace)
    await parts.enter("world", world.watching())
    holder = f"{mesh.host}:{os.getpid()}"
    reign = await parts.enter(
        "campaign",
        campaign(store, Role.SCHEDULER, CAMPAIGN, ttl=settings.reign, holder=holder),
    )
    api = await parts.enter(
        "api", connect(mesh.grpc_address(Role.API), tls, me=Role.SCHEDULER, to=Role.API)
    )
    views = Views(
        world,
        mesh.plan,
        LoopClock(),
        settings.idle_node,
        settings.job_linger,
        mesh.strict_capacity,
        mesh.account,
    )
    placing = Placing(
        views,
        Ledger(store, reign, own(mirrors), settings.catch_up),
        Catalog(api, settings.forget),
        settings.resync,
    )
    _measure(placing, reign, mirrors)
    await parts.enter("listening", placing.listening(reign))
    await parts.enter("placing", background(placing.reconciler.run()))
    await _tell_events(settings, parts, store, mirrors, reign)
    collector = Collector(AgentMeasures(tls, settings.measure))
    scaler = Autoscaler(views, placing, reign, collector, LoopClock(), settings.autoscaling)
    await parts.enter("autoscaling", background(scaler.run()))
    explaining = partial(nodes_pb2_grpc.add_SchedulerServiceServicer_to_server, Explaining(views))
    await parts.enter(
        "grpc",
        serve(
            Role.SCHEDULER,
            [mesh.grpc_address(Role.SCHEDULER)],
            tls,
            [("snowcave.v1.SchedulerService", explaining)],
            callers={Role.ADMIN, Role.API},
        ),
    )


async def _tell_events(
    settings: SchedulerSettings, parts: Parts, store: Store, mirrors: Mirrors, reign: Reign
) -> None:
    mesh = settings.mesh
    address, tls = mesh.grpc_address(Role.EVENTS), mesh.folder("tls")
    channel = await parts.enter("events", connect(address, tls, me=Role.SCHEDULER, to=Role.EVENTS))
    outbox = await parts.enter(
        "platform_events",
        open_outbox(
            store,
            keys.SCHEDULER_EVENTS,
            mirrors.events,
            EventTable(channel, settings.append).append,
            lambda: reign.leading,
            LoopClock(),
            random.Random(),
        ),
    )
    reign.subscribe(outbox.wake)


async def follow_all(store: Store, parts: Parts) -> Mirrors:
    async def mirror(name: str, space: KeySpace[M]) -> Mirror[M]:
        followed = await parts.enter(name, follow(store, space))
        parts.health.mirrors[name] = followed.digest
        return followed

    return Mirrors(
        databases=await mirror("databases", keys.catalog("database")),
        schemas=await mirror("schemas", keys.catalog("schema")),
        roles=await mirror("roles", keys.catalog("role")),
        pools=await mirror("pools", keys.catalog("compute_pool")),
        services=await mirror("services", keys.catalog("service")),
        hosts=await mirror("hosts", keys.HOSTS),
        nodes=await mirror("nodes", keys.NODES),
        reports=await mirror("reports", keys.REPORTS),
        uses=await mirror("uses", keys.SERVICE_USE),
        blocks=await mirror("blocks", keys.BLOCKS),
        accounts=await mirror("accounts", keys.catalog("account")),
        events=await mirror("events", keys.SCHEDULER_EVENTS),
        pool_statuses=await mirror("pool_statuses", keys.POOL_STATUS),
        statuses=await mirror("statuses", keys.SERVICE_STATUS),
        vms=await mirror("vms", keys.VMS),
        assignments=await mirror("assignments", keys.ASSIGNMENTS),
        endpoints=await mirror("endpoints", keys.ENDPOINTS),
    )


def own(mirrors: Mirrors) -> list[tuple[KeySpace[M], Mirror[M]]]:
    """What the scheduler itself writes."""
    pairs = [
        (keys.POOL_STATUS, mirrors.pool_statuses),
        (keys.SERVICE_STATUS, mirrors.statuses),
        (keys.VMS, mirrors.vms),
        (keys.ASSIGNMENTS, mirrors.assignments),
        (keys.ENDPOINTS, mirrors.endpoints),
    ]
    return pairs  # type: ignore[return-value]


@dataclass(frozen=True)
class Catalog:
    """Where a call fails the reconciler tries again."""

    api: grpc.aio.Channel
    deadline: float

    async def forget(self, uid: int) -> None:
        with translated("api"):
            await sql_pb2_grpc.CatalogServiceStub(self.api).Forget(
                sql_pb2.ForgetRequest(uid=uid), timeout=self.deadline
            )

    async def suspend(self, uid: int, *, by_policy: bool = False) -> None:
        with translated("api"):
            await sql_pb2_grpc.CatalogServiceStub(self.api).Suspend(
                sql_pb2.SuspendRequest(uid=uid, by_policy=by_policy), timeout=self.deadline
            )


def _measure(placing: Placing, reign: Reign, mirrors: Mirrors) -> None:
    STANDING.mirrors = mirrors
    BUGS.set_function(lambda: placing.reconciler.bugs)
    LEADING.set_function(lambda: reign.leading)


DAEMON = Daemon(role=Role.SCHEDULER, settings=SchedulerSettings, build=build)
