"""Floods, crashes, full disks and torn logs: acknowledged lines are stored, once each and in order (S8)."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from snowcave.agent.logs import rows
from snowcave.agent.logs.ledger import Ledger
from snowcave.agent.logs.shipper import LogSettings, Shipper, open_shipper
from snowcave.agent.peers import EventCollector
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.commands import run
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc
from tests.kit.agent_node import assignment
from tests.kit.daemons import a_mesh, running
from tests.kit.log_containers import container
from tests.kit.stored_events import dropped, stored, texts

LINES = 20_000
# As Docker's: so many lines a file, so many older files.
PART, KEPT = 4000, 9
# On a whole second, and younger than what is deleted.
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    made = a_mesh(tmp_path)
    tls.ensure(made.folder("tls"))
    return made


@asynccontextmanager
async def shipping(mesh: Mesh, **settings: Any) -> AsyncGenerator[Shipper]:
    address = mesh.grpc_address(Role.EVENTS)
    async with (
        connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel,
        open_shipper(
            Ledger(mesh.home / "ledger"),
            EventCollector(channel),
            lambda want, made: rows.resource("A", "node-1", "CPU_X64_XS", want, made),
            LogSettings(idle=0.02, retry_cap=0.2, hold_check=0.02, **settings),
            LoopClock(),
            random.Random(1),
        ) as made,
    ):
        yield made


def line(number: int, a_second: int) -> str:
    moment = START + timedelta(seconds=number / a_second)
    time = moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
    return f'{{"log":"{number:07d}{"x" * 90}\\n","stream":"stdout","time":"{time}"}}\n'


def rotate(path: Path) -> None:
    for number in range(KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.with_name(f"{path.name}.{KEPT + 1}").unlink(missing_ok=True)
    path.rename(path.with_name(f"{path.name}.1"))
    # An engine may be interrupted here: several looks at a log that has no newest file.
    time.sleep(0.05)
    path.touch()


async def flood(path: Path, count: int, a_second: int) -> None:
    """Written as fast as it goes, rotated as the engine does."""
    for first in range(0, count, PART):
        numbers = range(first, min(first + PART, count))
        text = "".join(line(number, a_second) for number in numbers)
        with path.open("a") as file:
            await asyncio.to_thread(file.write, text)
        # A loop that looks several times a second sees each part before the engine deletes it.
        await asyncio.sleep(0.2)
        if first + PART < count:
            await asyncio.to_thread(rotate, path)


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.2)


async def test_above_the_limit_stored_and_counted_make_up_what_was_written(mesh: Mesh):
    """500 000 lines a second of their own time: 50 MB/s."""
    async with running(mesh, "events"), shipping(mesh) as shipper:
        made = container(mesh.home)
        assert made.log_path is not None
        shipper.follow(assignment(), made)
        await flood(made.log_path, LINES, 500_000)

        async def is_complete() -> bool:
            found = await stored(mesh)
            return len(texts(found)) + dropped(found) == LINES

        await until(is_complete)
        said = texts(await stored(mesh))
        # A second of it is more than all of the flood: what fits into 1 MB, from the first line on.
        assert 1_000_000 // 97 - 1 <= len(said) <= 1_000_000 // 97 + 1
        assert [int(text[:7]) for text in said] == list(range(len(said)))


async def test_no_acknowledged_line_is_lost_or_doubled_while_events_is_killed_again_and_again(
    mesh: Mesh,
):
    (mesh.home / "snowcave.toml").write_text(
        "[events]\nsegment_age = 0.5\nsegment_rows = 3000\ncompact_check = 0.3\ncompact_files = 3\n"
    )
    made = container(mesh.home)
    assert made.log_path is not None
    async with shipping(mesh, bytes_per_second=0) as shipper:
        shipper.follow(assignment(), made)
        flooding = asyncio.create_task(flood(made.log_path, LINES, 2000))
        for _ in range(3):
            async with running(mesh, "events") as daemon:
                before = shipper.acknowledged
                async with asyncio.timeout(30):
                    while shipper.acknowledged < before + 2 and shipper.lag():
                        await asyncio.sleep(0.01)
                daemon.kill()
        await flooding
        async with running(mesh, "events"):

            async def is_complete() -> bool:
                return not shipper.lag() and len(await stored(mesh)) >= LINES

            await until(is_complete)
            assert [int(text[:7]) for text in texts(await stored(mesh))] == list(range(LINES))


def request(first: int, count: int) -> v1.AppendRequest:
    made = v1.AppendRequest(
        sequence=first + 1, resources=[v1.Resource(service=7, container_run_id="run")]
    )
    for offset in range(first, first + count):
        row = made.rows.add(record_type="LOG", record="{}", offset=offset)
        row.value = f'"{offset:07d}{"x" * 1000}"'
        row.timestamp.FromDatetime(START + timedelta(milliseconds=offset))
    return made


async def append(mesh: Mesh, *requests: v1.AppendRequest) -> list[int]:
    """The sequences that were acknowledged; the rest failed."""

    async def all_of() -> AsyncIterator[v1.AppendRequest]:
        for one in requests:
            yield one

    address, acknowledged = mesh.grpc_address(Role.EVENTS), list[int]()
    async with connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel:
        try:
            with translated("events"):
                stub = events_pb2_grpc.EventServiceStub(channel)
                async for reply in stub.Append(all_of(), timeout=30, wait_for_ready=True):
                    acknowledged.append(reply.sequence)
        except SnowcaveError:
            pass
    return acknowledged


async def test_a_full_disk_refuses_and_what_is_sent_again_is_stored_once(mesh: Mesh):
    folder = mesh.folder("events")
    await run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    try:
        filler = folder / "filler"
        filler.write_bytes(b"\0" * 1_000_000)
        async with running(mesh, "events"):
            requests = [request(first, 100) for first in range(0, 2000, 100)]
            acknowledged = await append(mesh, *requests)
            assert acknowledged == [one.sequence for one in requests[: len(acknowledged)]]
            assert len(acknowledged) < len(requests), "the disk is full"
            filler.unlink()
            left = requests[len(acknowledged) :][:5]
            again = [*requests[max(0, len(acknowledged) - 2) : len(acknowledged)], *left]
            assert await append(mesh, *again) == [one.sequence for one in again]
            found = [int(text[:7]) for text in texts(await stored(mesh))]
        assert found == list(range((len(acknowledged) + len(left)) * 100))
    finally:
        await run("umount", str(folder))


@pytest.mark.parametrize("damage", ["zeros", "cut", "noise"])
async def test_a_torn_end_of_the_log_costs_nothing_that_was_acknowledged(mesh: Mesh, damage: str):
    async with running(mesh, "events") as daemon:
        assert len(await append(mesh, request(0, 10), request(10, 10))) == 2
        daemon.kill()
    (log,) = (mesh.folder("events") / "wal").glob("*.log")
    whole = log.read_bytes()
    torn = {"zeros": b"\0" * 5000, "cut": whole[: len(whole) // 3], "noise": b"SNE2" + b"\7" * 99}
    log.write_bytes(whole + torn[damage])
    async with running(mesh, "events"):
        assert len(await append(mesh, request(15, 10))) == 1
        assert [int(text[:7]) for text in texts(await stored(mesh))] == list(range(25))
