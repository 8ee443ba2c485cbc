"""Block volumes and snapshots on this machine: real images, real mounts, an in-memory store."""

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Never

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.agent.telemetry import counters
from snowcave.agent.volumes.attachments import (
    Attachments,
    AttachmentSettings,
    open_attachments,
)
from snowcave.agent.volumes.stages.mounts import StageMounts
from snowcave.agent.volumes.volumes import Volumes, holders_of_blocks
from snowcave.hypervisor.storage import StorageSettings, open_storage
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Conflict, ObjectNotFound, Unavailable
from snowcave.model.keys import Role
from snowcave.runtime.block_disks import BlockDisks
from snowcave.runtime.commands import run_now
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.mounts import mounts, unmount_below
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

GIB = 1 << 30
SERVICE = 7


def volume(size: int = GIB, uid: int = 0, gid: int = 0) -> state.VolumeSpec:
    return state.VolumeSpec(name="data", source="block", size_bytes=size, uid=uid, gid=gid)


def assignment(incarnation: int, *volumes: state.VolumeSpec) -> state.Assignment:
    return state.Assignment(
        instance=f"{SERVICE}-0-{incarnation}",
        service=SERVICE,
        spec=state.ServiceSpec(volumes=volumes or (volume(),)),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Generator[Path]:
    """Nothing of it is mounted or held by a loop device afterwards."""
    yield tmp_path
    left = [place for _, place in mounts() if tmp_path in place.parents]
    unmount_below(tmp_path)
    loops = run_now("losetup", "--noheadings", "--output", "BACK-FILE")
    assert left == []
    assert str(tmp_path) not in loops


@pytest.fixture
def disks(folder: Path) -> BlockDisks:
    return BlockDisks(folder / "blocks")


# ---------------------------------------------------------------- images


def test_a_volume_has_its_size_and_its_owner(disks: BlockDisks, folder: Path) -> None:
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(uid=1000, gid=1001), None)
    disks.attach(image, place, volume(uid=1000, gid=1001))
    disks.attach(image, place, volume(uid=1000, gid=1001))
    found, owner = os.statvfs(place), place.stat()
    assert 0.9 * GIB < found.f_blocks * found.f_frsize <= GIB
    assert (owner.st_uid, owner.st_gid) == (1000, 1001)
    # Nothing of it is taken from the machine before it is used.
    assert image.stat().st_blocks * 512 < 0.1 * GIB
    with pytest.raises(Conflict, match="in use"):
        disks.attach(image, folder / "elsewhere", volume())
    disks.detach(image)
    assert disks.loops(image) == []


def test_what_a_volume_does_is_measured(disks: BlockDisks, folder: Path) -> None:
    """The group `storage` of platform metrics, of a file system and a device that are really there."""
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(), None)
    disks.attach(image, place, volume())
    before = counters.disk(place)
    assert before is not None
    with (place / "note").open("wb") as file:
        file.write(os.urandom(3 << 20))
        os.fsync(file.fileno())
    after = counters.disk(place)
    assert after is not None
    assert 0.9 * GIB < after.capacity == before.capacity <= GIB
    assert 3 << 20 <= after.used - before.used < 4 << 20
    assert after.written_bytes - before.written_bytes >= 3 << 20
    assert after.writes > before.writes
    disks.detach(image)
    assert counters.disk(place) is None


def test_a_snapshot_is_one_moment_of_a_volume_in_use(disks: BlockDisks, folder: Path) -> None:
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(), None)
    disks.attach(image, place, volume())
    (place / "note").write_text("then")
    disks.take_snapshot(image, 5)
    # It can be written to again.
    (place / "note").write_text("now")
    disks.detach(image)
    heir = disks.image(8, 0, "data")
    larger = volume(size=2 * GIB)
    larger.block.snapshot = 5
    disks.ensure(heir, larger, None)
    disks.attach(heir, place, larger)
    assert (place / "note").read_text() == "then"
    assert os.statvfs(place).f_blocks * os.statvfs(place).f_frsize > 1.8 * GIB
    disks.detach(heir)


def test_a_restore_happens_once(disks: BlockDisks, folder: Path) -> None:
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(), None)
    disks.take_snapshot(image, 5)
    first = state.VolumeRestore(volume="data", snapshot=5, number=1)
    for expected in ([], ["note"]):
        disks.ensure(image, volume(), first)
        disks.attach(image, place, volume())
        assert sorted(set(os.listdir(place)) - {"lost+found"}) == expected
        (place / "note").write_text("x")
        disks.detach(image)
    with pytest.raises(ObjectNotFound):
        disks.ensure(image, volume(), state.VolumeRestore(snapshot=6, number=2))
    disks.remove_service(SERVICE)
    disks.remove_snapshot(5)
    assert (disks.services(), disks.snapshots()) == (set(), set())


class Meddled(BlockDisks):
    """Something happens in the middle of every copy."""

    def meanwhile(self, source: Path) -> None:
        raise NotImplementedError

    def _copy(self, source: Path, target: Path) -> None:
        super()._copy(source, target)
        self.meanwhile(source)


def test_a_volume_that_is_taken_off_while_it_is_copied_is_not_frozen_for_ever(
    folder: Path,
) -> None:
    class TakenOff(Meddled):
        def meanwhile(self, source: Path) -> None:
            with pytest.raises(Conflict):
                self.detach(source)

    disks = TakenOff(folder / "blocks")
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(), None)
    disks.attach(image, place, volume())
    disks.take_snapshot(image, 5)
    disks.detach(image)
    disks.attach(image, place, volume())
    (place / "note").write_text("x")
    disks.detach(image)


def test_what_a_dead_one_froze_is_thawed_wherever_it_is(disks: BlockDisks, folder: Path) -> None:
    image, place = disks.image(SERVICE, 0, "data"), folder / "there"
    disks.ensure(image, volume(), None)
    for comes_off in (False, True):
        disks.attach(image, place, volume())
        run_now("fsfreeze", "--freeze", str(place))
        if comes_off:
            with pytest.raises(Conflict):
                disks.detach(image)
        disks.thaw_all()
        disks.detach(image)


def test_what_is_copied_is_not_attached_meanwhile_nor_copied_twice(folder: Path) -> None:
    class Wanted(Meddled):
        def meanwhile(self, source: Path) -> None:
            with pytest.raises(Conflict, match="being copied"):
                self.attach(source, folder / "there", volume())
            with pytest.raises(Conflict, match="being copied"):
                self.take_snapshot(source, 6)

    disks = Wanted(folder / "blocks")
    image = disks.image(SERVICE, 0, "data")
    disks.ensure(image, volume(), None)
    disks.take_snapshot(image, 5)
    assert disks.snapshots() == {5}


def test_a_copy_that_fails_leaves_nothing_and_a_dead_ones_is_not_written_to(folder: Path) -> None:
    class Fails(Meddled):
        def meanwhile(self, source: Path) -> None:
            raise Unavailable("The disk is full.")

    disks, failing = BlockDisks(folder / "blocks"), Fails(folder / "blocks")
    image = disks.image(SERVICE, 0, "data")
    disks.ensure(image, volume(), None)
    with pytest.raises(Unavailable):
        failing.take_snapshot(image, 5)
    left = disks.snapshot(5).with_suffix(".new")
    assert not left.exists()
    with left.open("wb") as of_the_dead:
        disks.take_snapshot(image, 5)
        of_the_dead.write(b"x" * 4096)
    assert disks.snapshot(5).read_bytes()[:4096] == image.read_bytes()[:4096]


# ---------------------------------------------------------------- instances


@dataclass
class Node:
    volumes: Volumes
    store: MemoryStore

    def path(self, want: state.Assignment, name: str = "data") -> Path:
        return self.volumes.folder / want.instance / name


@asynccontextmanager
async def running(
    folder: Path, backend: MemoryBackend, name: str, engine: SimulatedEngine | None = None
) -> AsyncGenerator[Node]:
    store, clock, rng = MemoryStore(Role.AGENT, backend), LoopClock(), random.Random(1)
    own, disks = folder / name / "volumes", BlockDisks(folder / "blocks")
    settings = AttachmentSettings(lease=3.0, margin=1.0)

    async def fence(instance: str) -> None:
        await volumes.fence(instance)

    def no_stage(*_: object) -> Never:
        raise AssertionError("there is no stage")

    attachments = Attachments(
        store,
        "local",
        name,
        settings,
        clock,
        rng,
        fence,
        lies_here=lambda service: service in disks.services(),
    )
    stages = StageMounts(folder / "spool", no_stage)
    volumes = Volumes(own, "beef", disks, attachments, stages, engine or SimulatedEngine(), clock)
    attachments.held |= holders_of_blocks(own, disks)
    async with open_attachments(attachments):
        yield Node(volumes, store)


async def test_the_next_instance_finds_what_the_last_one_wrote(folder: Path) -> None:
    backend, old, new = MemoryBackend(), assignment(1), assignment(2)
    async with running(folder, backend, "n1") as first, running(folder, backend, "n2") as second:
        await first.volumes.prepare(old)
        (first.path(old) / "note").write_text("kept")
        with pytest.raises(Conflict):
            await second.volumes.prepare(new)
        await first.volumes.release(old.instance)
        assert not first.path(old).parent.exists()
        await second.volumes.prepare(new)
        assert (second.path(new) / "note").read_text() == "kept"
        await second.volumes.release(new.instance)


async def test_a_node_that_is_cut_off_has_nothing_mounted_when_another_takes_over(
    folder: Path,
) -> None:
    backend, old, new = MemoryBackend(), assignment(1), assignment(2)
    async with running(folder, backend, "n1") as first, running(folder, backend, "n2") as second:
        await first.volumes.prepare(old)
        (first.path(old) / "note").write_text("kept")
        first.store.reachable = False
        await until_prepared(second, new)
        assert not first.path(old).is_mount()
        assert (second.path(new) / "note").read_text() == "kept"
        await second.volumes.release(new.instance)


async def test_volumes_that_could_not_be_made_are_put_back(folder: Path) -> None:
    backend, old, new = MemoryBackend(), assignment(1), assignment(2)
    async with running(folder, backend, "n1") as first, running(folder, backend, "n2") as second:
        # A file where their folder would be.
        (folder / "blocks").mkdir()
        (folder / "blocks" / str(SERVICE)).write_text("")
        with pytest.raises(Unavailable, match="cannot be made"):
            await first.volumes.prepare(old)
        await first.volumes.release(old.instance)
        (folder / "blocks" / str(SERVICE)).unlink()
        await second.volumes.prepare(new)
        await second.volumes.release(new.instance)


async def test_a_container_made_before_its_volumes_were_taken_away_finds_no_folder(
    folder: Path,
) -> None:
    backend, want = MemoryBackend(), assignment(1)
    async with running(folder, backend, "n1") as first:
        await first.volumes.prepare(want)
        await first.volumes.fence(want.instance)
        # The engine would bind an empty folder without a word.
        assert not first.path(want).exists()
        await first.volumes.prepare(want)
        assert first.path(want).is_mount()
        await first.volumes.release(want.instance)


async def test_volumes_taken_away_while_they_are_attached_come_off_again(folder: Path) -> None:
    backend, want = MemoryBackend(), assignment(1)
    async with running(folder, backend, "n1") as first:

        class TakenAway(BlockDisks):
            def attach(self, image: Path, target: Path, volume: state.VolumeSpec) -> None:
                super().attach(image, target, volume)
                first.volumes.attachments.held.discard(want.instance)

        first.volumes.disks = TakenAway(folder / "blocks")
        with pytest.raises(Unavailable):
            await first.volumes.prepare(want)
        assert not first.path(want).exists()
        await first.volumes.release(want.instance)


async def test_what_an_agent_that_died_left_mounted_is_taken_from_it(folder: Path) -> None:
    backend, old, new = MemoryBackend(), assignment(1), assignment(2)
    async with running(folder, backend, "n1") as first:
        await first.volumes.prepare(old)
    assert first.path(old).is_mount()
    async with running(folder, backend, "n2") as second:
        await until_prepared(second, new)
        assert not first.path(old).is_mount()
        await second.volumes.release(new.instance)


async def test_an_agent_that_was_restarted_keeps_what_is_mounted(folder: Path) -> None:
    backend, want = MemoryBackend(), assignment(1)
    async with running(folder, backend, "n1") as first:
        await first.volumes.prepare(want)
        (first.path(want) / "note").write_text("kept")
    async with running(folder, backend, "n1") as again:
        await again.volumes.prepare(want)
        assert (again.path(want) / "note").read_text() == "kept"
        assert again.volumes.instances() == {want.instance}
        await again.volumes.release(want.instance)


async def test_local_and_memory_volumes_go_with_their_instance(folder: Path) -> None:
    want = assignment(
        1,
        state.VolumeSpec(name="files", source="local"),
        state.VolumeSpec(name="fast", source="memory", size_bytes=8 << 20),
    )
    async with running(folder, MemoryBackend(), "n1") as node:
        await node.volumes.prepare(want)
        await node.volumes.prepare(want)
        (node.path(want, "files") / "a").write_text("x")
        with pytest.raises(OSError, match="No space left"):
            (node.path(want, "fast") / "large").write_bytes(b"x" * (9 << 20))
        await node.volumes.release(want.instance)
        assert node.volumes.instances() == set()


async def until_prepared(node: Node, want: state.Assignment) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await node.volumes.prepare(want)
            except Conflict:
                await asyncio.sleep(0.1)


# ---------------------------------------------------------------- the machine's part


def snapshot(uid: int, instance_id: int = 0) -> state.Object:
    made = state.Object(uid=uid, name=f"S{uid}")
    now = Timestamp()
    now.GetCurrentTime()
    made.created_on.CopyFrom(now)
    described = state.Snapshot(service=SERVICE, volume="data", instance_id=instance_id)
    made.snapshot.CopyFrom(described)
    return made


async def test_snapshots_and_volumes_follow_the_catalog(folder: Path) -> None:
    backend = MemoryBackend()
    api = MemoryStore(Role.API, backend)
    disks = BlockDisks(folder / "blocks")
    await asyncio.to_thread(disks.ensure, disks.image(SERVICE, 0, "data"), volume(), None)
    service = keys.CATALOG.key("service", SERVICE)
    await api.put(service, state.Object(uid=SERVICE).SerializeToString())

    async def told(uid: int) -> str:
        found = await api.get(keys.SNAPSHOT_STATUS.key(uid))
        return state.SnapshotStatus.FromString(found.value).state if found else ""

    mesh, hypervisor = Mesh(home=folder), MemoryStore(Role.HYPERVISOR, backend)
    settings = StorageSettings(patience=0.5)
    async with open_storage(mesh, hypervisor, settings, LoopClock()):
        for uid, instance_id in ((5, 0), (6, 1)):
            asked = snapshot(uid, instance_id).SerializeToString()
            await api.put(keys.CATALOG.key("snapshot", uid), asked)
        await eventually(told, 5, "CREATED")
        await eventually(told, 6, "ERROR")
        # The service goes: its backup comes first.
        asked = snapshot(8).SerializeToString()
        await api.put(keys.CATALOG.key("snapshot", 8), asked)
        await api.delete(service)
        await eventually(told, 8, "CREATED")
        await until_true(lambda: not disks.services())
        assert disks.snapshots() == {5, 8}
        for uid in (5, 6, 8):
            await api.delete(keys.CATALOG.key("snapshot", uid))
        await until_true(lambda: not disks.snapshots())
        await eventually(told, 8, "")


async def test_a_volume_of_a_machine_that_is_down_is_not_said_to_be_nowhere(folder: Path) -> None:
    backend = MemoryBackend()
    api, agent = MemoryStore(Role.API, backend), MemoryStore(Role.AGENT, backend)
    record = state.BlockSet(host="another", volumes=["data"]).SerializeToString()
    await agent.put(keys.BLOCKS.key(SERVICE, 0), record)

    async def told(uid: int) -> str:
        found = await api.get(keys.SNAPSHOT_STATUS.key(uid))
        return state.SnapshotStatus.FromString(found.value).state if found else ""

    mesh, hypervisor = Mesh(home=folder), MemoryStore(Role.HYPERVISOR, backend)
    async with open_storage(mesh, hypervisor, StorageSettings(patience=0.0), LoopClock()):
        for uid, instance_id in ((5, 0), (6, 1)):
            asked = snapshot(uid, instance_id).SerializeToString()
            await api.put(keys.CATALOG.key("snapshot", uid), asked)
        await eventually(told, 6, "ERROR")
        assert await told(5) == ""


async def eventually(look: Callable[[int], Awaitable[str]], uid: int, wanted: str) -> None:
    async with asyncio.timeout(20):
        while await look(uid) != wanted:
            await asyncio.sleep(0.05)


async def until_true(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(look):
            await asyncio.sleep(0.05)
