"""Block volumes belong to one instance at a time, whatever happens to its node. In virtual time."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from snowcave.agent.volumes.attachments import (
    Attachments,
    AttachmentSettings,
    open_attachments,
)
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError, Unavailable
from snowcave.model.keys import Role
from snowcave.store.api import Compare, TxnResult, Write
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

OLD, NEW, OTHER = "7-0-1", "7-0-2", "7-1-3"
SETTINGS = AttachmentSettings(lease=12.0, margin=6.0, sweep=60.0)


@dataclass
class Agent:
    attachments: Attachments
    store: MemoryStore
    # When its instances were made to stop using their volumes.
    fenced: dict[str, float] = field(default_factory=dict[str, float])

    async def take(self, instance: str) -> None:
        await self.attachments.take(instance, ["data"])

    async def take_when_free(self, instance: str) -> float:
        """When it got them."""
        async with asyncio.timeout(120):
            while True:
                try:
                    await self.take(instance)
                except SnowcaveError:
                    await asyncio.sleep(1)
                else:
                    return asyncio.get_running_loop().time()


@asynccontextmanager
async def agent(
    backend: MemoryBackend,
    node: str,
    host: str = "local",
    *held: str,
    lies: set[int] | None = None,
) -> AsyncGenerator[Agent]:
    store, clock, lies = MemoryStore(Role.AGENT, backend), LoopClock(), lies or set()
    fenced: dict[str, float] = {}

    async def fence(instance: str) -> None:
        # Killing and unmounting take their time.
        await asyncio.sleep(1.5)
        fenced[instance] = asyncio.get_running_loop().time()

    attachments = Attachments(
        store, host, node, SETTINGS, clock, random.Random(3), fence, lies_here=lies.__contains__
    )
    attachments.held |= set(held)
    async with open_attachments(attachments):
        await asyncio.sleep(0.1)
        yield Agent(attachments, store, fenced)


async def known(backend: MemoryBackend, service: int) -> None:
    """The catalog has the service."""
    api = MemoryStore(Role.API, backend)
    made = state.Object(uid=service).SerializeToString()
    await api.put(keys.CATALOG.key("service", service), made)


@asynccontextmanager
async def two() -> AsyncGenerator[tuple[MemoryBackend, Agent, Agent]]:
    backend = MemoryBackend()
    await known(backend, 7)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(agent(backend, "n1"))
        second = await stack.enter_async_context(agent(backend, "n2"))
        yield backend, first, second


async def test_only_one_instance_has_them() -> None:
    async with two() as (_, first, second):
        await first.take(OLD)
        await first.take(OLD)
        with pytest.raises(Conflict, match="in use by instance 7-0-1"):
            await second.take(NEW)
        await second.take(OTHER)


async def test_what_was_put_back_is_free_at_once() -> None:
    async with two() as (_, first, second):
        await first.take(OLD)
        await first.attachments.put_back(OLD)
        await first.attachments.put_back(OLD)
        await second.take(NEW)
        # The old instance's agent hears late that it should put them back.
        await first.attachments.put_back(OLD)
        with pytest.raises(Conflict):
            await first.take(OLD)


async def test_a_node_that_is_cut_off_lets_go_before_another_takes_over() -> None:
    async with two() as (_, first, second):
        await first.take(OLD)
        first.store.reachable = False
        taken = await second.take_when_free(NEW)
        assert first.fenced[OLD] < taken
        # A cut-off node's successor comes up within half a minute of the cut.
        assert taken < 30
        with pytest.raises(Unavailable):
            await first.take(OLD)
        first.store.reachable = True
        await asyncio.sleep(30)
        with pytest.raises(Conflict):
            await first.take(OLD)
        assert not first.attachments.held


async def test_a_short_outage_of_the_store_costs_nothing() -> None:
    async with two() as (backend, first, second):
        await first.take(OLD)
        backend.available = False
        await asyncio.sleep(6)
        backend.available = True
        await asyncio.sleep(20)
        assert not first.fenced
        with pytest.raises(Conflict):
            await second.take(NEW)


async def test_an_agent_takes_again_what_the_one_before_it_held() -> None:
    backend = MemoryBackend()
    async with agent(backend, "n1") as before:
        await before.take(OLD)
    async with agent(backend, "n1", "local", OLD) as after, agent(backend, "n2") as second:
        await asyncio.sleep(1)
        assert after.attachments.held == {OLD}
        with pytest.raises(Conflict):
            await second.take(NEW)


async def test_an_agent_that_comes_back_too_late_fences_what_it_had() -> None:
    backend = MemoryBackend()
    async with agent(backend, "n1") as before:
        await before.take(OLD)
    async with agent(backend, "n2") as second:
        await second.take_when_free(NEW)
        async with agent(backend, "n1", "local", OLD) as after:
            await asyncio.sleep(5)
            assert OLD in after.fenced
            assert not after.attachments.held


async def test_volumes_stay_on_their_machine() -> None:
    async with two() as (backend, first, _):
        await first.take(OLD)
        await first.attachments.put_back(OLD)
        async with agent(backend, "n3", "elsewhere") as far:
            with pytest.raises(Conflict, match="on machine 'local'"):
                await far.take(NEW)


async def test_records_of_services_that_are_gone_are_swept() -> None:
    async with two() as (backend, first, _):
        api = MemoryStore(Role.API, backend)
        await known(backend, 8)
        for instance in (OLD, "8-0-1"):
            await first.take(instance)
            await first.attachments.put_back(instance)
        await api.delete(keys.CATALOG.key("service", 7))
        await asyncio.sleep(SETTINGS.sweep * 2)
        left = [item.key for item in (await api.list(keys.BLOCKS.prefix)).items]
        assert left == [keys.BLOCKS.key(8, 0)]


async def test_records_stay_while_the_machine_has_the_volumes_and_go_though_never_put_back() -> (
    None
):
    backend, lies = MemoryBackend(), {7}
    await known(backend, 7)
    async with agent(backend, "n1") as before:
        await before.take(OLD)
    async with agent(backend, "n2", lies=lies) as after:
        await after.take(OTHER)
        await MemoryStore(Role.API, backend).delete(keys.CATALOG.key("service", 7))
        await asyncio.sleep(SETTINGS.sweep * 2)
        assert len((await after.store.list(keys.BLOCKS.prefix)).items) == 2
        lies.clear()
        await asyncio.sleep(SETTINGS.sweep * 2)
        left = [item.key for item in (await after.store.list(keys.BLOCKS.prefix)).items]
        assert left == [keys.BLOCKS.key(7, 1)]


async def test_what_is_taken_while_the_lease_is_lost_is_not_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two() as (_, first, second):
        commit = first.store.txn

        async def answer_lost(compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
            done = await commit(compares, writes)
            first.store.reachable = False
            await asyncio.sleep(SETTINGS.lease * 2)
            return done

        monkeypatch.setattr(first.store, "txn", answer_lost)
        with pytest.raises(Unavailable):
            await first.take(OLD)
        assert not first.attachments.held
        await second.take_when_free(NEW)


async def test_all_volumes_are_given_up_at_once() -> None:
    async with two() as (_, first, _second):
        many = [f"7-{instance_id}-1" for instance_id in range(8)]
        for instance in many:
            await first.take(instance)
        first.store.reachable = False
        await asyncio.sleep(SETTINGS.lease * 3)
        assert set(first.fenced) == set(many)
        assert max(first.fenced.values()) - min(first.fenced.values()) < 1.0
