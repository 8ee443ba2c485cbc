import asyncio
from contextlib import asynccontextmanager

import pytest

from snowcave.kit.tasks import background
from snowcave.runtime.daemon import Health, Lifecycle, Parts, run_daemon

pytestmark = pytest.mark.looptime
INSTANT = Lifecycle(lameduck=0, drain=5)


@pytest.fixture
def journal() -> list[str]:
    return []


def part(name: str, journal: list[str], drain: float = 0.0):
    @asynccontextmanager
    async def run():
        journal.append(f"+{name}")
        try:
            yield
        finally:
            await asyncio.sleep(drain)
            journal.append(f"-{name}")

    return run()


async def test_parts_start_in_order_and_drain_newest_first(journal: list[str]):
    stop, health = asyncio.Event(), Health()

    async def build(parts: Parts) -> None:
        for name in ("store", "mirror", "server"):
            await parts.enter("part", part(name, journal))

    daemon = asyncio.create_task(run_daemon(build, health=health, lifecycle=INSTANT, stop=stop))
    await asyncio.sleep(1)
    assert health.ready
    stop.set()
    await daemon
    assert journal == ["+store", "+mirror", "+server", "-server", "-mirror", "-store"]


async def test_a_daemon_stops_being_ready_before_it_drains(journal: list[str]):
    stop, health = asyncio.Event(), Health()

    async def build(parts: Parts) -> None:
        await parts.enter("part", part("server", journal))

    lifecycle = Lifecycle(lameduck=10, drain=5)
    daemon = asyncio.create_task(run_daemon(build, health=health, lifecycle=lifecycle, stop=stop))
    await asyncio.sleep(1)
    stop.set()
    await asyncio.sleep(5)
    assert (health.ready, journal) == (False, ["+server"])
    await daemon


async def test_a_failed_loop_takes_the_daemon_down_and_still_drains(journal: list[str]):
    async def doomed() -> None:
        await asyncio.sleep(3)
        raise RuntimeError("watch lost for good")

    async def build(parts: Parts) -> None:
        await parts.enter("part", part("store", journal))
        await parts.enter("part", background(doomed()))

    with pytest.raises(RuntimeError, match="watch lost"):
        await run_daemon(build, health=Health(), lifecycle=INSTANT, stop=asyncio.Event())
    assert journal == ["+store", "-store"]


async def test_a_part_that_will_not_drain_is_abandoned_at_the_deadline(journal: list[str]):
    stop = asyncio.Event()
    stop.set()

    async def build(parts: Parts) -> None:
        await parts.enter("part", part("stuck", journal, drain=3600))

    with pytest.raises(TimeoutError):
        await run_daemon(build, health=Health(), lifecycle=INSTANT, stop=stop)
