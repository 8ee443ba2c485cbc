"""Platform events on their way out of the state store, by several replicas at once."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import outbox
from snowcave.runtime.outbox import MOST_ROWS, merged, open_outbox
from snowcave.store.mirror import follow
from snowcave.v1 import events_pb2 as events
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.seeded_loop import run


def entry(*values: str) -> events.AppendRequest:
    made = events.AppendRequest(resources=[events.Resource(service=1)])
    made.rows.extend(events.EventRow(value=value) for value in values)
    return made


def test_rows_have_keys_that_grow_and_point_to_their_own_resources():
    made = merged("platform/x", [(entry("a", "b"), 7), (entry("c"), 9)])
    assert [(row.value, row.resource) for row in made.rows] == [("a", 0), ("b", 0), ("c", 1)]
    offsets = [row.offset for row in made.rows]
    assert offsets == [7 * MOST_ROWS, 7 * MOST_ROWS + 1, 9 * MOST_ROWS]
    assert {resource.source for resource in made.resources} == {"platform/x"}


class Table:
    """Stores what is past the mark of its source; fails before or after, by chance."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.mark = rng, -1
        self.values: list[str] = []

    async def append(self, request: events.AppendRequest) -> None:
        await asyncio.sleep(self.rng.uniform(0, 0.2))
        if self.rng.random() < 0.3:
            raise Unavailable("events")
        for row in request.rows:
            if row.offset > self.mark:
                self.mark = row.offset
                self.values.append(row.value)
        if self.rng.random() < 0.3:
            raise Unavailable("events")


def test_replicas_that_send_the_same_store_it_once_and_in_order():
    async def main(rng: random.Random) -> None:
        backend = MemoryBackend(latency=lambda: rng.uniform(0.001, 0.05))
        table = Table(rng)
        async with AsyncExitStack() as stack:
            for _ in range(3):
                store = MemoryStore(Role.API, backend)
                mirror = await stack.enter_async_context(follow(store, keys.API_EVENTS))
                sending = open_outbox(
                    store, keys.API_EVENTS, mirror, table.append, lambda: True, LoopClock(), rng
                )
                await stack.enter_async_context(sending)
            writer = MemoryStore(Role.API, backend)
            for number in range(30):
                # Random names: the order is that of the revisions.
                key = keys.API_EVENTS.key(rng.randrange(10**9))
                await writer.put(key, entry(str(number)).SerializeToString())
                await asyncio.sleep(rng.uniform(0, 0.3))
            async with asyncio.timeout(600):
                while backend.listing(keys.API_EVENTS.prefix).items:
                    await asyncio.sleep(0.1)
        assert table.values == [str(number) for number in range(30)]

    for seed in range(4):
        run(seed, main)


def test_beyond_the_bound_the_newest_go_and_the_others_are_sent_later(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(outbox, "MOST_KEPT", 3)

    async def main(rng: random.Random) -> None:
        backend, table = MemoryBackend(), Table(rng)
        store = MemoryStore(Role.API, backend)
        away = True

        async def append(request: events.AppendRequest) -> None:
            if away:
                raise Unavailable("events")
            await table.append(request)

        for number in range(6):
            key = keys.API_EVENTS.key(f"id{number}")
            await store.put(key, entry(str(number)).SerializeToString())
        async with (
            follow(store, keys.API_EVENTS) as mirror,
            open_outbox(store, keys.API_EVENTS, mirror, append, lambda: True, LoopClock(), rng),
        ):
            async with asyncio.timeout(60):
                await mirror.wait(lambda waiting: len(waiting) == 3)
                away = False
                await mirror.wait(lambda waiting: len(waiting) == 0)
        assert table.values == ["0", "1", "2"]

    run(1, main)
