"""Platform metrics of this node's instances, again and again: those groups that each asks for."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from snowcave.agent.engine.api import Container, Engine, Phase
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, SANDBOX, Run
from snowcave.agent.metering import Counts, Rates
from snowcave.agent.telemetry import catalogue, counters, gauges
from snowcave.agent.telemetry.catalogue import Point
from snowcave.agent.telemetry.counters import Count, Totals
from snowcave.agent.telemetry.gauges import NodeSize
from snowcave.agent.telemetry.sending import Parcel, Sender
from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.store.mirror import Mirror
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# Containers that the engine is asked about at once.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """Seconds."""

    # Between two looks at everything.
    interval: float = 60.0


class Kernel(Protocol):
    """What is counted outside of the engine; a test has another one."""

    async def egress(self) -> Mapping[str, Mapping[str, Count]]: ...

    def connections(self, pid: int) -> Mapping[int, int]: ...

    def disk(self, mount: Path) -> counters.Disk | None: ...


@dataclass(frozen=True, slots=True)
class LinuxKernel:
    # Whose connections count as ingress.
    platform: str

    async def egress(self) -> Mapping[str, Mapping[str, Count]]:
        return await counters.egress()

    def connections(self, pid: int) -> Mapping[int, int]:
        return counters.connections(pid, self.platform)

    def disk(self, mount: Path) -> counters.Disk | None:
        return counters.disk(mount)


Describe = Callable[[state.Assignment, str, str], events.Resource]
"""Assignment, container's name and run (both may be empty) → whose rows they are."""


Groups = Set[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of an instance whose containers had these runs, oldest first."""

    of: state.Assignment
    runs: Mapping[str, Sequence[Container]]
    points: Sequence[Point]

    def run_of(self, container: str) -> str:
        """The latest; empty where there is none."""
        runs = self.runs.get(container, ())
        return runs[-1].id if runs else ""


@dataclass
class Gauges:
    """Everything that a look needs. Rates are those since the look before, so two readers need two of it."""

    node: str
    size: NodeSize
    # The folder with a folder an instance, and in it one a volume.
    volumes: Path
    engine: Engine
    # Those of every container of ours on this node.
    labels: Mapping[str, str]
    assigned: Mirror[state.Assignment]
    # What this agent says of an instance; None while it says nothing.
    report_of: Callable[[str], state.InstanceReport | None]
    requests: Counts
    kernel: Kernel
    clock: Clock
    rates: Rates
    totals: Totals = field(default_factory=Totals)

    async def measure(self, groups_of: Callable[[state.Assignment], Groups]) -> list[Measured]:
        """Of each assignment the groups that are asked for. Raises EngineUnavailable."""
        groups = {one.instance: groups_of(one) for _, one in self.assigned.items(self.node)}
        wanted = [one for _, one in self.assigned.items(self.node) if groups.get(one.instance)]
        if not wanted:
            return []
        found = _grouped(await self.engine.list(self.labels))
        names = {one.instance for one in wanted}
        runs = {c.id for one in names for cs in found.get(one, {}).values() for c in cs}
        self.rates.forget_others(names | runs)
        self.totals.forget_others(names)
        asked = {group for some in groups.values() for group in some}
        egress = await self.kernel.egress() if "network" in asked else {}
        requests = await self._requests() if "network" in asked else {}
        made: list[Measured] = []
        for one in wanted:
            runs, mine = found.get(one.instance, {}), groups[one.instance]
            points = await self._of_containers(one, runs, mine)
            if "network" in mine:
                points += self._of_network(one, runs, egress, requests)
            if "storage" in mine:
                for volume, disk in (await asyncio.to_thread(self._disks, one)).items():
                    points += self._of_disk(one, volume, disk)
            made.append(Measured(one, runs, points))
        return made

    # ---- groups system, system_limits, status

    async def _of_containers(
        self, one: state.Assignment, found: Mapping[str, Sequence[Container]], groups: Groups
    ) -> list[Point]:
        points: list[Point] = []
        report = self.report_of(one.instance) or state.InstanceReport()
        told = {status.name: status for status in report.containers}
        for runs in gauges.by_container(one.spec, found):
            if "system_limits" in groups:
                points += gauges.limits(runs.spec, self.size)
            if "status" in groups:
                points += gauges.status(runs, told.get(runs.spec.name))
        if "system" in groups:
            latest = [runs[-1] for name, runs in found.items() if runs and name != SANDBOX]
            points += await self._usage(latest)
        return points

    async def _usage(self, containers: Iterable[Container]) -> list[Point]:
        turns = asyncio.Semaphore(_AT_ONCE)
        running = [one for one in containers if one.phase is Phase.RUNNING]
        parts = await asyncio.gather(*(self._usage_of(one, turns) for one in running))
        return [point for part in parts for point in part]

    async def _usage_of(self, container: Container, turns: asyncio.Semaphore) -> list[Point]:
        """Nothing of one that ended meanwhile."""
        try:
            async with turns:
                usage = await self.engine.usage(container.id)
        except SnowcaveError:
            return []
        name = container.labels[CONTAINER_LABEL]
        made = [Point("container.memory.usage", float(usage.memory_bytes), name)]
        rate = self.rates.of((container.id, "cpu"), usage.cpu_seconds)
        return made if rate is None else [*made, Point("container.cpu.usage", rate, name)]

    # ---- group network

    async def _requests(self) -> Mapping[tuple[str, int], int]:
        try:
            return await self.requests.requests()
        except SnowcaveError:
            return {}

    def _of_network(
        self,
        one: state.Assignment,
        found: Mapping[str, Sequence[Container]],
        egress: Mapping[str, Mapping[str, Count]],
        requests: Mapping[tuple[str, int], int],
    ) -> Iterator[Point]:
        for direction, by_address in egress.items():
            yield from self._egress(one, direction, by_address.get(one.address, Count()))
        sandbox = found.get(SANDBOX, ())
        pid = sandbox[-1].pid if sandbox and sandbox[-1].phase is Phase.RUNNING else 0
        open_now = self.kernel.connections(pid) if pid else {}
        for endpoint in one.spec.endpoints:
            last = endpoint.port_last or endpoint.port
            active = sum(open_now.get(port, 0) for port in range(endpoint.port, last + 1))
            name = "network.ingress.connections.active"
            yield Point(name, float(active), endpoint=endpoint.name)
            count = requests.get((one.address, endpoint.port), 0)
            rate = self.rates.of((one.instance, endpoint.name), count)
            if rate is not None:
                yield Point("network.ingress.cps", rate, endpoint=endpoint.name)

    def _egress(self, one: state.Assignment, direction: str, count: Count) -> Iterator[Point]:
        stem = f"network.egress.{direction}"
        yield Point(f"{stem}.packets", self._sum(one, f"{stem}.packets", count.packets))
        if direction != "denied":
            yield Point(f"{stem}.bytes", self._sum(one, f"{stem}.bytes", count.bytes))

    def _sum(self, one: state.Assignment, name: str, count: int) -> float:
        return self.totals.of(one.instance, name, count)

    # ---- group storage

    def _disks(self, one: state.Assignment) -> dict[str, counters.Disk]:
        """By volume. In a thread: a file system may be slow to say how full it is."""
        blocks = [volume.name for volume in one.spec.volumes if volume.source == "block"]
        found = {name: self.kernel.disk(self.volumes / one.instance / name) for name in blocks}
        return {name: disk for name, disk in found.items() if disk is not None}

    def _of_disk(self, one: state.Assignment, volume: str, disk: counters.Disk) -> Iterator[Point]:
        attributes = {
            "snow_volume_id": f"{one.service}/{one.instance_id}/{volume}",
            "snow_volume_name": volume,
            "snow_volume_replica": str(one.instance_id),
            "volume_type": "block",
        }
        now = {
            "volume.capacity": disk.capacity,
            "volume.usage": disk.used,
            "volume.io.inflight": disk.inflight,
        }
        for name, value in now.items():
            yield Point(name, float(value), attributes=attributes)
        grown = {
            "volume.read.iops": disk.reads,
            "volume.read.throughput": disk.read_bytes,
            "volume.write.iops": disk.writes,
            "volume.write.throughput": disk.written_bytes,
        }
        for name, count in grown.items():
            rate = self.rates.of((one.instance, f"{volume}/{name}"), count)
            if rate is not None:
                yield Point(name, rate, attributes=attributes)


@dataclass(frozen=True, slots=True)
class Told:
    """Puts what was measured into the event table, as often as the settings say."""

    gauges: Gauges
    describe: Describe
    sender: Sender

    async def run(self, settings: MetricSettings) -> None:
        while True:
            await self.gauges.clock.sleep(settings.interval)
            try:
                await self.tell()
            except SnowcaveError as error:
                log.warning("metrics_not_measured", node=self.gauges.node, error=error.message)

    async def tell(self) -> None:
        """Raises EngineUnavailable."""
        measured = await self.gauges.measure(lambda one: frozenset(one.spec.metric_groups))
        at = self.gauges.clock.now()
        for one in measured:
            self.sender.offer(self._parcels(one, at))

    def _parcels(self, measured: Measured, at: datetime) -> list[Parcel]:
        """A parcel for each container and each endpoint."""
        by_owner: dict[tuple[str, str], list[events.EventRow]] = {}
        for point in measured.points:
            rows = by_owner.setdefault((point.container, point.endpoint), [])
            rows.append(catalogue.row(point, at))
        made: list[Parcel] = []
        for (container, endpoint), rows in by_owner.items():
            resource = self.describe(measured.of, container, measured.run_of(container))
            resource.endpoint_name = endpoint
            made.append(Parcel.of(resource, rows))
        return made


def _grouped(found: Iterable[Container]) -> dict[str, dict[str, list[Container]]]:
    """Runs by instance and container's name, oldest first."""
    grouped: dict[str, dict[str, list[Container]]] = {}
    for container in sorted(found, key=lambda one: Run.of(one).number):
        instance = container.labels.get(INSTANCE_LABEL, "")
        name = container.labels.get(CONTAINER_LABEL, "")
        grouped.setdefault(instance, {}).setdefault(name, []).append(container)
    return grouped
