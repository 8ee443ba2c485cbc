"""Which event table rows come into: what is said of them, kept over a restart, and nobody else's to say."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from snowcave.events.attributes import attributes
from snowcave.events.routing import Routing
from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys, telemetry
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.model.telemetry import Routes
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

TABLE, SCHEMA, DATABASE = 71, 61, 51


def append(*resources: v1.Resource) -> v1.AppendRequest:
    return v1.AppendRequest(resources=resources)


def assigned(routing: Routing, *resources: v1.Resource) -> list[int]:
    request = append(*resources)
    routing.assign(request)
    return [one.event_table for one in request.resources]


def test_rows_are_the_default_s_until_something_else_is_told(tmp_path: Path) -> None:
    routing = Routing(tmp_path / "tables.json")
    assert assigned(routing, v1.Resource(database=3), v1.Resource()) == [0, 0]


async def test_rows_of_a_database_with_a_table_of_its_own_are_in_that_one(tmp_path: Path) -> None:
    routing = Routing(tmp_path / "tables.json")
    await routing.learn(Routes(500, {3: 600, 4: telemetry.NOWHERE}))
    resources = [v1.Resource(database=one) for one in (3, 4, 5, 0)]
    assert assigned(routing, *resources) == [600, telemetry.NOWHERE, 500, 500]


async def test_what_a_sender_says_of_it_does_not_count(tmp_path: Path) -> None:
    routing = Routing(tmp_path / "tables.json")
    forged = orjson.dumps({telemetry.ATTRIBUTE: 9, "mine": 1}).decode()
    told = v1.Resource(event_table=9, attributes=forged)
    request = append(told)
    routing.assign(request)
    assert orjson.loads(attributes(request.resources[0])) == {
        "mine": 1,
        "snow.executable.type": "SnowparkContainers",
    }
    await routing.learn(Routes(500))
    routing.assign(request)
    assert orjson.loads(attributes(request.resources[0]))[telemetry.ATTRIBUTE] == 500


async def test_a_successor_goes_on_with_what_was_told_last(tmp_path: Path) -> None:
    kept = tmp_path / "tables.json"
    await Routing(kept).learn(Routes(500, {3: 600}))
    assert assigned(Routing(kept), v1.Resource(database=3), v1.Resource()) == [600, 500]
    await Routing(kept).learn(Routes())
    assert assigned(Routing(kept), v1.Resource(database=3), v1.Resource()) == [0, 0]


@pytest.mark.parametrize("number", [telemetry.DEFAULT, telemetry.NOWHERE, 500])
def test_readers_tell_the_number_from_the_attributes(number: int) -> None:
    text = attributes(v1.Resource(service_name="ECHO", attributes='{"ä":"é"}', event_table=number))
    told, found = telemetry.told_apart(text)
    assert found == number
    plain = attributes(v1.Resource(service_name="ECHO", attributes='{"ä":"é"}'))
    assert orjson.loads(told) == orjson.loads(plain)


def catalog() -> dict[tuple[str, int], state.Object]:
    return {
        ("account", 0): state.Object(account=state.Account(event_table=TABLE)),
        ("database", DATABASE): state.Object(uid=DATABASE, database=state.Database()),
        ("schema", SCHEMA): state.Object(uid=SCHEMA, parent=DATABASE, schema=state.Schema()),
        ("event_table", TABLE): state.Object(
            uid=TABLE, parent=SCHEMA, event_table=state.EventTable(number=500)
        ),
    }


def routes(of: dict[tuple[str, int], state.Object]) -> Routes:
    databases = [one for (domain, _), one in of.items() if domain == "database"]
    return telemetry.routes_of(
        of.get(("account", 0)), databases, lambda domain, uid: of.get((domain, uid))
    )


def test_what_is_set_counts_as_long_as_it_stands() -> None:
    assert routes(catalog()) == Routes(500)
    assert routes({}) == Routes()


@pytest.mark.parametrize(
    "gone", [("event_table", TABLE), ("schema", SCHEMA), ("database", DATABASE)]
)
def test_what_is_dropped_with_anything_that_holds_it_counts_for_nothing(
    gone: tuple[str, int],
) -> None:
    dropped, forgotten = catalog(), catalog()
    dropped[gone].dropped_on.GetCurrentTime()
    del forgotten[gone]
    assert routes(dropped) == routes(forgotten) == Routes()


class Longest(random.Random):
    """Draws the longest pause each time."""

    def uniform(self, a: float, b: float) -> float:
        return b


class NotedClock(LoopClock):
    """Does not wait; says after so many pauses that it is enough."""

    def __init__(self, most: int) -> None:
        self.most, self.pauses, self.enough = most, list[float](), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self.most:
            self.enough.set()
            await asyncio.Event().wait()


async def test_pauses_begin_anew_once_the_catalog_was_followed(tmp_path: Path) -> None:
    routing, clock, attempts = Routing(tmp_path / "tables.json"), NotedClock(6), [0]

    async def lost() -> None:
        await routing.told.wait()
        raise Unavailable("It is gone.")

    @asynccontextmanager
    async def catalog() -> AsyncGenerator[Mirror[state.Object]]:
        attempts[0] += 1
        if attempts[0] != 4:
            raise Unavailable("It is away.")
        store = MemoryStore(Role.EVENTS, MemoryBackend())
        async with follow(store, keys.CATALOG) as mirror, background(lost()):
            yield mirror

    async with background(routing.follow_forever(catalog, clock, Longest())):
        async with asyncio.timeout(60):
            await clock.enough.wait()
    assert clock.pauses == [0.5, 1.0, 2.0, 0.5, 1.0, 2.0]
