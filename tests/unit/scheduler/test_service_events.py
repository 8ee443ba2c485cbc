"""Platform events: what changes of a service's status tell, and their way to the event table."""

import json
import random
import re
from dataclasses import dataclass, field

import pytest
import structlog
from prometheus_client import REGISTRY

from snowcave.kit.clock import LoopClock
from snowcave.model import keys, platform_events
from snowcave.model.errors import Unavailable
from snowcave.runtime.outbox import open_outbox
from snowcave.scheduler import service_events, views
from snowcave.v1 import events_pb2 as events
from tests.kit.simulated_ground import POOL, SERVICE, Ground, scenario
from tests.kit.simulated_scheduler import Scheduler, until

Row = tuple[str, str, str]


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@dataclass
class Table:
    """The event table as the outbox sees it: away, forgetful of its acknowledgement, or well."""

    rng: random.Random
    rows: dict[tuple[str, int], Row] = field(default_factory=dict[tuple[str, int], Row])
    marks: dict[str, int] = field(default_factory=dict[str, int])
    away: bool = False

    async def append(self, request: events.AppendRequest) -> None:
        if self.away or self.rng.random() < 0.3:
            raise Unavailable("events does not answer.")
        for row in request.rows:
            source = request.resources[row.resource].source
            if row.offset > self.marks.get(source, -1):
                self.marks[source] = row.offset
                record, value = json.loads(row.record), json.loads(row.value)
                about = request.resources[row.resource]
                name = record["name"].removesuffix(".STATUS_CHANGE")
                what = f"{name} {about.instance_id}" if about.has_instance else name
                self.rows[source, row.offset] = (what, record["severity_text"], value["message"])
        if self.rng.random() < 0.3:
            raise Unavailable("The acknowledgement was lost.")

    def told(self, name: str) -> list[str]:
        return [message for (what, _, message) in self.rows.values() if what == name]


def telling(world: Ground, scheduler: Scheduler, table: Table):
    """The scheduler's outbox, as its main wires it."""
    return open_outbox(
        scheduler.store,
        keys.SCHEDULER_EVENTS,
        scheduler.views.world.mirrors.events,
        table.append,
        lambda: scheduler.reign.leading,
        LoopClock(),
        world.rng,
    )


def waiting(world: Ground) -> int:
    return len(world.backend.listing(keys.SCHEDULER_EVENTS.prefix).items)


@pytest.mark.parametrize("seed", range(6))
def test_every_change_is_told_once_though_sending_fails(
    seed: int, monkeypatch: pytest.MonkeyPatch
):
    # Of one step's events several keys, as where there are many.
    monkeypatch.setattr(service_events, "_ROWS", 400 if seed % 2 else 1)

    async def life(world: Ground, scheduler: Scheduler) -> None:
        table = Table(world.rng)
        await world.catalog.level(platform_events.INFO)
        async with telling(world, scheduler, table):
            await world.catalog.pool(POOL, 1, 3)
            await world.catalog.service(SERVICE, POOL, 2)
            await until(lambda: world.is_running(2))
            await world.catalog.service(SERVICE, POOL, 2, suspended=True)
            await until(lambda: world.status().status == "SUSPENDED")
            table.away = True
            await world.catalog.service(SERVICE, POOL, 2)
            await until(lambda: world.is_running(2))
            assert waiting(world)
            table.away = False
            await world.catalog.drop("service", SERVICE)
            await until(lambda: not waiting(world) and world.status().status == "")
        ours = table.told("SERVICE")
        assert [one for one in ours if "upgrad" not in one] == [
            "Service is pending",
            "Service is ready",
            "Service is suspending",
            "Service has suspended",
            "Service is resuming",
            "Service is ready",
            "Service is deleting",
            "Service has been deleted",
        ]
        for number in (0, 1):
            told = table.told(f"SERVICE_INSTANCE {number}")
            assert told.count("Service instance is running") == 2
            assert told.count("Service instance is terminating") == 2

    scenario(seed, life)


def test_events_outlive_the_scheduler_that_wrote_them():
    async def life(world: Ground, scheduler: Scheduler) -> None:
        table = Table(world.rng, away=True)
        await world.catalog.level(platform_events.INFO)
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 1)
        async with telling(world, scheduler, table):
            await until(lambda: world.is_running(1))
        before = waiting(world)
        assert before
        table.away = False
        async with telling(world, scheduler, table):
            await until(lambda: not waiting(world))
        assert table.told("SERVICE") == ["Service is pending", "Service is ready"]

    scenario(1, life)


def test_nothing_is_written_for_services_whose_level_is_off():
    async def life(world: Ground, scheduler: Scheduler) -> None:
        await world.catalog.pool(POOL, 1, 1)
        await world.catalog.service(SERVICE, POOL, 1)
        await until(lambda: world.is_running(1))
        assert waiting(world) == 0

    scenario(1, life)


def dropped(table: Table) -> int:
    """How many events others tell of that they were not told."""
    told = (
        re.match(r"Not told: (\d+) ", message) for message in table.told(platform_events.DROPPED)
    )
    return sum(int(found[1]) for found in told if found)


def untold() -> float:
    return REGISTRY.get_sample_value("snowcave_scheduler_untold_events_total") or 0.0


def test_changes_beyond_what_one_step_tells_are_counted_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(service_events, "MOST_TOLD", 3)
    before = untold()

    async def life(world: Ground, scheduler: Scheduler) -> None:
        table = Table(world.rng)
        await world.catalog.level(platform_events.INFO)
        async with telling(world, scheduler, table):
            await world.catalog.pool(POOL, 1, 3)
            await world.catalog.service(SERVICE, POOL, 6)
            await until(lambda: world.is_running(6))
            await until(lambda: not world.status().untold_events and not waiting(world))
        # The service, and two of its six instances, are told of.
        assert table.told("SERVICE")[0] == "Service is pending"
        assert dropped(table) > 0
        assert untold() > before

    scenario(1, life)


def test_changes_while_too_many_events_wait_are_counted_and_told_once_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(views, "MOST_WAITING", 1)
    before = untold()

    async def life(world: Ground, scheduler: Scheduler) -> None:
        table = Table(world.rng, away=True)
        await world.catalog.level(platform_events.INFO)
        async with telling(world, scheduler, table):
            await world.catalog.pool(POOL, 1, 1)
            await world.catalog.service(SERVICE, POOL, 1)
            await until(lambda: world.is_running(1))
            assert waiting(world) == 1
            missed = world.status().untold_events
            assert missed > 0
            assert untold() > before
            table.away = False
            await until(lambda: not world.status().untold_events and not waiting(world))
        assert table.told("SERVICE") == ["Service is pending"]
        assert dropped(table) == missed

    scenario(1, life)
