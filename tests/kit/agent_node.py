"""One node's instances over an engine and an in-memory store, as the agent wires them."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from snowcave.agent import node as node_part
from snowcave.agent.engine.api import Credential, Engine
from snowcave.agent.images import PullSettings
from snowcave.agent.instances.keeper import KeeperSettings
from snowcave.agent.instances.plan import Policy
from snowcave.agent.instances.recipe import Ground
from snowcave.agent.instances.steps import Volumes
from snowcave.agent.logs import rows
from snowcave.agent.logs.ledger import Ledger
from snowcave.agent.logs.shipper import Collector, LogSettings, open_shipper
from snowcave.agent.probes import ProbeSettings
from snowcave.agent.reports import ReportSettings, open_reports
from snowcave.kit.clock import Clock, LoopClock
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

NODE = "node-1"
GROUND = Ground(
    home="beef",
    node=NODE,
    registry="localhost:5000",
    sandbox_image=node_part.SANDBOX_IMAGE,
    account="SNOWCAVE",
    api_host="snowflake.snowflakecomputing.internal",
    api_address="10.245.0.2",
    dns_address="10.245.0.53",
)
PACE = node_part.Pace(
    policy=Policy(restart_base=0.2),
    keeper=KeeperSettings(listen_again=0.1),
    probe=ProbeSettings(),
    pull=PullSettings(retry_base=0.2),
    resync=60.0,
    workers=4,
)


class VirtualClock(LoopClock):
    """A wall clock that goes with the loop's time, for loops whose time is virtual."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())


@dataclass
class QuietNetwork:
    """Notes what it is asked to connect."""

    plugged: dict[str, int] = field(default_factory=dict[str, int])

    async def plug(self, pid: int, name: str, address: str) -> None:
        self.plugged[name] = pid

    async def unplug(self, name: str) -> None:
        self.plugged.pop(name, None)


@dataclass
class QuietSessions:
    """Knows which instances could log in."""

    instances: set[str] = field(default_factory=set[str])

    async def prepare(self, instance: str) -> None:
        self.instances.add(instance)

    def drop(self, instance: str) -> None:
        self.instances.discard(instance)


@dataclass
class QuietVolumes:
    """Knows which instances have volumes; makes none."""

    prepared: set[str] = field(default_factory=set[str])
    # Why they cannot be prepared; empty: they can.
    missing: str = ""

    def instances(self) -> set[str]:
        return set(self.prepared)

    async def prepare(self, want: state.Assignment) -> None:
        if self.missing:
            raise Unavailable(self.missing)
        self.prepared.add(want.instance)

    async def release(self, instance: str) -> None:
        self.prepared.discard(instance)


@dataclass
class QuietSecrets:
    """Gives each container the variables that it asks for, all with the same value."""

    async def prepare(
        self, want: state.Assignment, container: state.ContainerSpec
    ) -> dict[str, str]:
        return {one.env_var_name: "s3cret" for one in container.secrets if one.env_var_name}

    def drop(self, instance: str) -> None:
        pass


def _lines(
    request: events.AppendRequest,
) -> Iterator[tuple[tuple[str, int, int], events.EventRow]]:
    """Each with its key."""
    lines = request.lines
    ends = list(accumulate(lines.value_length, initial=0))
    for at, number in enumerate(lines.kind):
        kind = lines.kinds[number]
        run = request.resources[kind.resource].container_run_id
        row = events.EventRow(
            resource=kind.resource,
            record_type=kind.record_type,
            record=kind.record,
            record_attributes=kind.record_attributes,
            scope=kind.scope,
            value=lines.value[ends[at] : ends[at + 1]].decode(),
            file_generation=kind.file_generation,
            offset=lines.offset[at],
        )
        row.timestamp.FromMicroseconds(lines.timestamp[at])
        yield (run, row.file_generation, row.offset), row


@dataclass
class Events:
    """The events daemon: keeps rows by their exactly-once key, says so, and may be away."""

    rows: dict[tuple[str, int, int], events.EventRow] = field(
        default_factory=dict[tuple[str, int, int], events.EventRow]
    )
    away: bool = False
    # Stores the next batches but does not acknowledge them.
    forgetful: int = 0
    doubled: int = 0

    async def append(
        self, requests: AsyncIterator[events.AppendRequest]
    ) -> AsyncGenerator[events.AppendReply]:
        async for request in requests:
            if self.away:
                raise Unavailable("events does not answer.")
            for key, row in _lines(request):
                self.doubled += key in self.rows
                self.rows[key] = row
            if self.forgetful:
                self.forgetful -= 1
                raise Unavailable("events does not answer.")
            yield events.AppendReply(sequence=request.sequence)

    def values(self) -> list[str]:
        return [row.value for _, row in sorted(self.rows.items())]


@dataclass
class Node:
    """A running node and the hands that play the scheduler."""

    backend: MemoryBackend
    scheduler: MemoryStore
    store: MemoryStore
    instances: node_part.Instances
    reports: Mirror[state.InstanceReport]
    network: QuietNetwork
    sessions: QuietSessions
    volumes: QuietVolumes
    events: Events

    async def assign(self, want: state.Assignment) -> None:
        key = keys.ASSIGNMENTS.key(NODE, want.instance)
        await self.scheduler.put(key, want.SerializeToString())

    async def withdraw(self, want: state.Assignment) -> None:
        stopping = state.Assignment()
        stopping.CopyFrom(want)
        stopping.stopping = True
        await self.assign(stopping)

    async def forget(self, instance: str) -> None:
        await self.scheduler.delete(keys.ASSIGNMENTS.key(NODE, instance))

    def report(self, instance: str) -> state.InstanceReport:
        return self.reports.get(NODE, instance) or state.InstanceReport()

    def statuses(self, instance: str) -> dict[str, tuple[str, str]]:
        return {c.name: (c.status, c.message) for c in self.report(instance).containers}

    async def until(
        self, instance: str, status: str, timeout: float = 20.0
    ) -> state.InstanceReport:
        async with asyncio.timeout(timeout):
            await self.reports.wait(lambda _: self.report(instance).status == status)
        return self.report(instance)

    async def until_message(self, instance: str, message: str, timeout: float = 20.0) -> None:
        async with asyncio.timeout(timeout):
            await self.reports.wait(
                lambda _: any(m == message for _, m in self.statuses(instance).values())
            )

    async def until_gone(self, instance: str, timeout: float = 20.0) -> None:
        async with asyncio.timeout(timeout):
            await self.reports.wait(lambda m: m.get(NODE, instance) is None)

    @property
    def bugs(self) -> int:
        return self.instances.reconciler.bugs


def assignment(
    instance: str = "7-0-1", *containers: state.ContainerSpec, **changes: object
) -> state.Assignment:
    made = state.Assignment(
        instance=instance,
        node=NODE,
        service=7,
        address="10.244.1.10",
        spec=state.ServiceSpec(containers=containers or (spec(),)),
        spec_digest="d" * 64,
        identity=state.ServiceIdentity(
            service_name="ECHO_SERVICE",
            database_name="TUTORIAL_DB",
            schema_name="DATA_SCHEMA",
            dns_hash="k3m6",
        ),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def spec(
    name: str = "main", image: str = "web", digest: str = "", *command: str
) -> state.ContainerSpec:
    return state.ContainerSpec(
        name=name,
        image=f"/db/schema/repo/{image}:latest",
        resolved=state.ImageRef(
            repository_path="shop", image_name=image, digest=digest or "sha256:" + "1" * 64
        ),
        command=command,
    )


def reference(image: str = "web", digest: str = "") -> str:
    return f"localhost:5000/shop/{image}@{digest or 'sha256:' + '1' * 64}"


async def _credential(_repository: str) -> Credential:
    return Credential("puller", "secret")


@asynccontextmanager
async def running_node(
    engine: Engine,
    folder: Path,
    *,
    backend: MemoryBackend | None = None,
    pace: node_part.Pace = PACE,
    ground: Ground = GROUND,
    collector: Events | None = None,
    # In place of `collector`: an events daemon.
    events_daemon: Collector | None = None,
    lease: float = 10.0,
    clock: Clock | None = None,
    log_idle: float = 0.05,
    log_bytes_per_second: int = LogSettings().bytes_per_second,
    volumes: Volumes | None = None,
) -> AsyncGenerator[Node]:
    """Left as by SIGTERM: containers stay. Start it again with the same backend to restart the agent."""
    backend = backend or MemoryBackend()
    store, clock = MemoryStore(Role.AGENT, backend), clock or LoopClock()
    rng = random.Random(7)
    network, sessions, sink = QuietNetwork(), QuietSessions(), collector or Events()
    quiet = QuietVolumes()
    async with node_part.prepared_engine(engine, clock):
        pass
    async with (
        follow(store, keys.ASSIGNMENTS, NODE) as assigned,
        follow(MemoryStore(Role.ADMIN, backend), keys.REPORTS, NODE) as told,
        open_shipper(
            Ledger(folder / "logs"),
            events_daemon or sink,
            lambda want, container: rows.resource("SNOWCAVE", NODE, "CPU_X64_XS", want, container),
            LogSettings(idle=log_idle, bytes_per_second=log_bytes_per_second),
            clock,
            rng,
        ) as logs,
        open_reports(store, state.Node(name=NODE), ReportSettings(lease), clock, rng) as reports,
        node_part.open_instances(
            ground,
            assigned,
            node_part.Surroundings(
                engine,
                network,
                _credential,
                reports,
                logs,
                sessions,
                volumes or quiet,
                QuietSecrets(),
                clock,
                rng,
            ),
            pace,
        ) as instances,
    ):
        scheduler = MemoryStore(Role.SCHEDULER, backend)
        yield Node(backend, scheduler, store, instances, told, network, sessions, quiet, sink)


def with_policy(**changes: float) -> node_part.Pace:
    return replace(PACE, policy=replace(PACE.policy, **changes))
