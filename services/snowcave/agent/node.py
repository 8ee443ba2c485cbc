"""One node's instances as a part of the daemon: everything that works on them, wired together."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, cast

import structlog

from snowcave.agent.engine.api import Engine, EngineInfo
from snowcave.agent.engine.sandbox_image import PROGRAM, image_tar
from snowcave.agent.images import Images, Issue, PullSettings, open_images
from snowcave.agent.instances.keeper import Keeper, KeeperSettings
from snowcave.agent.instances.plan import Policy
from snowcave.agent.instances.recipe import Ground
from snowcave.agent.instances.steps import Logs, Network, Secrets, Sessions, Steps, Volumes
from snowcave.agent.probes import Probes, ProbeSettings, open_probes
from snowcave.agent.reports import Reports
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model.errors import EngineUnavailable
from snowcave.runtime.reconciler import Reconciler
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

SANDBOX_IMAGE = "snowcave/sandbox:1"
_ENGINE_PAUSE = 0.5


@dataclass(frozen=True)
class Surroundings:
    """What a node's instances need from outside."""

    engine: Engine
    network: Network
    issue: Issue
    reports: Reports
    logs: Logs
    sessions: Sessions
    volumes: Volumes
    secrets: Secrets
    clock: Clock
    rng: random.Random


@dataclass(frozen=True)
class Pace:
    """How the node goes about it; see AgentSettings."""

    policy: Policy
    keeper: KeeperSettings
    probe: ProbeSettings
    pull: PullSettings
    resync: float
    workers: int


@dataclass(frozen=True)
class Instances:
    """Made by `open_instances`."""

    keeper: Keeper
    reconciler: Reconciler[str]


@asynccontextmanager
async def open_instances(
    ground: Ground, assigned: Mirror[state.Assignment], around: Surroundings, pace: Pace
) -> AsyncGenerator[Instances]:
    """The engine follows the mirror while this is entered; containers stay when it is left."""

    def changed(instance: str) -> None:
        reconciler.queue.add(instance)

    clock = around.clock
    async with (
        open_images(around.engine, around.issue, changed, pace.pull, clock, around.rng) as images,
        open_probes(changed, pace.probe, clock) as probes,
    ):
        keeper = _keeper(ground, assigned, around, pace, images, probes, changed)
        reconciler: Reconciler[str] = Reconciler(
            keeper.reconcile,
            list_keys=keeper.list_instances,
            resync=pace.resync,
            workers=pace.workers,
            rng=around.rng,
        )
        unsubscribe = assigned.subscribe(lambda parts, _assignment: changed(parts[1]))
        try:
            async with background(reconciler.run(), keeper.listen()):
                yield Instances(keeper, reconciler)
        finally:
            unsubscribe()


def _keeper(
    ground: Ground,
    assigned: Mirror[state.Assignment],
    around: Surroundings,
    pace: Pace,
    images: Images,
    probes: Probes,
    changed: Callable[[str], None],
) -> Keeper:
    steps = Steps(
        ground,
        around.engine,
        around.network,
        images,
        around.logs,
        around.sessions,
        around.volumes,
        around.secrets,
        around.clock,
    )
    return Keeper(assigned, steps, probes, around.reports, pace.policy, pace.keeper, changed)


@asynccontextmanager
async def prepared_engine(engine: Engine, clock: Clock) -> AsyncGenerator[EngineInfo]:
    """Entered when the engine answers and has the sandbox's image: until then /readyz names this part."""
    yield await _prepare(engine, clock)


async def _prepare(engine: Engine, clock: Clock) -> EngineInfo:
    while True:
        try:
            info = await engine.info()
            if not await engine.has_image(SANDBOX_IMAGE):
                architecture = cast(Literal["amd64", "arm64"], info.architecture)
                tar = await asyncio.to_thread(image_tar, architecture)
                await engine.import_image(SANDBOX_IMAGE, tar, (f"/{PROGRAM}",))
            return info
        except EngineUnavailable as error:
            log.warning("engine_awaited", error=error.message)
            await clock.sleep(_ENGINE_PAUSE)
