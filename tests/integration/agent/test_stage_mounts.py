"""A stage volume on this machine's kernel: what programs see of it, and what it makes of what they do."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from snowcave.agent.volumes.stages.mounts import StageMounts, open_stage_mounts
from snowcave.model.errors import NotAuthorized, ObjectNotFound
from snowcave.runtime.mounts import mounts, unmount_below
from snowcave.v1 import stages_pb2 as pb
from snowcave.v1 import state_pb2 as state

T = TypeVar("T")
INSTANCE = "7-0-1"


@dataclass
class MemoryStage:
    """The files of a stage, as a dictionary."""

    content: dict[str, bytes] = field(default_factory=dict[str, bytes])
    forbidden: bool = False

    async def put(self, path: str, content: AsyncIterator[bytes]) -> pb.StageFile:
        if self.forbidden:
            raise NotAuthorized("stage")
        self.content[path] = b"".join([piece async for piece in content])
        return self._about(path)

    async def get(self, path: str, offset: int, length: int) -> tuple[pb.StageFile, bytes]:
        about = await self.describe(path)
        return about, self.content[path][offset : offset + length]

    async def describe(self, path: str) -> pb.StageFile:
        if path not in self.content:
            raise ObjectNotFound("File", path)
        return self._about(path)

    async def files(self, prefix: str, limit: int) -> list[pb.StageFile]:
        if self.forbidden:
            raise NotAuthorized("stage")
        return [self._about(path) for path in sorted(self.content) if path.startswith(prefix)]

    async def remove(self, path: str) -> bool:
        return self.content.pop(path, None) is not None

    def _about(self, path: str) -> pb.StageFile:
        found = self.content[path]
        md5 = hashlib.md5(found, usedforsecurity=False).hexdigest()
        return pb.StageFile(path=path, size=len(found), md5=md5)


@dataclass
class Volume:
    stage: MemoryStage
    mounted: StageMounts
    place: Path

    async def mount(self, **changes: bool) -> None:
        await self.mounted.prepare(INSTANCE, volume(**changes), self.place)

    async def do(self, work: Callable[[], T]) -> T:
        """As another process would: our own loop has to answer it."""
        async with asyncio.timeout(20):
            return await asyncio.to_thread(work)


def volume(writable: bool = True) -> state.VolumeSpec:
    made = state.VolumeSpec(name="files", source="stage", uid=12, gid=34)
    made.stage.path, made.stage.writable = "@st", writable
    return made


@pytest.fixture
async def files(tmp_path: Path) -> AsyncGenerator[Volume]:
    stage = MemoryStage()
    async with open_stage_mounts(tmp_path / "spool", lambda *_: stage) as mounted:
        yield Volume(stage, mounted, tmp_path / "volumes" / "files")
    await asyncio.to_thread(unmount_below, tmp_path)
    assert not [place for _, place in mounts() if tmp_path in place.parents]


async def test_what_the_stage_holds_is_read(files: Volume) -> None:
    files.stage.content = {"a.txt": b"one", "deep/er/b.bin": os.urandom(3 << 20)}
    await files.mount()
    assert await files.do(lambda: sorted(os.listdir(files.place))) == ["a.txt", "deep"]
    assert await files.do((files.place / "a.txt").read_text) == "one"
    found = await files.do((files.place / "deep/er/b.bin").read_bytes)
    assert found == files.stage.content["deep/er/b.bin"]
    about = await files.do((files.place / "a.txt").stat)
    assert (about.st_size, about.st_uid, about.st_gid) == (3, 12, 34)


async def test_what_others_put_shows_at_once(files: Volume) -> None:
    await files.mount()
    assert not await files.do((files.place / "later").exists)
    files.stage.content["later"] = b"1"
    assert await files.do((files.place / "later").read_bytes) == b"1"
    files.stage.content["later"] = b"longer"
    assert await files.do((files.place / "later").read_bytes) == b"longer"
    del files.stage.content["later"]
    assert not await files.do((files.place / "later").exists)


@pytest.mark.documented
async def test_a_file_is_on_the_stage_when_it_is_closed(files: Volume) -> None:
    await files.mount()
    written = os.urandom(5 << 20)

    def write() -> bool:
        with (files.place / "new").open("wb") as file:
            file.write(written)
            early = "new" in files.stage.content
        return early

    assert not await files.do(write)
    assert files.stage.content["new"] == written


@pytest.mark.documented
async def test_appending_and_writing_at_random_are_refused(files: Volume) -> None:
    files.stage.content["old"] = b"content"
    await files.mount()

    def fails(work: Callable[[], object]) -> int | None:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is compared
            work()
        return caught.value.errno

    def scatter() -> None:
        handle = os.open(files.place / "new", os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(handle, b"x", 10)
        finally:
            os.close(handle)

    append = (files.place / "old").open
    assert await files.do(lambda: fails(lambda: append("ab"))) == errno.EOPNOTSUPP
    assert await files.do(lambda: fails(lambda: append("r+b"))) == errno.EOPNOTSUPP
    assert await files.do(lambda: fails(scatter)) == errno.EOPNOTSUPP
    assert await files.do(lambda: fails(lambda: os.truncate(files.place / "old", 3))) == (
        errno.EOPNOTSUPP
    )
    assert files.stage.content["old"] == b"content"


async def test_folders_renames_and_removals(files: Volume) -> None:
    await files.mount()

    def work() -> list[str]:
        (files.place / "made").mkdir()
        (files.place / "made/x.part").write_text("x")
        (files.place / "made/x.part").rename(files.place / "made/x")
        (files.place / "made/y").write_text("y")
        (files.place / "made/y").unlink()
        with pytest.raises(OSError, match="not empty"):
            (files.place / "made").rmdir()
        (files.place / "empty").mkdir()
        (files.place / "empty").rmdir()
        return sorted(os.listdir(files.place))

    assert await files.do(work) == ["made"]
    assert files.stage.content == {"made/x": b"x"}


async def test_an_empty_file_and_a_file_made_empty(files: Volume) -> None:
    files.stage.content["full"] = b"x"
    await files.mount()
    await files.do((files.place / "none").touch)
    await files.do(lambda: os.truncate(files.place / "full", 0))
    assert files.stage.content == {"none": b"", "full": b""}


@pytest.mark.documented
async def test_a_stage_that_may_only_be_read_refuses_changes(files: Volume) -> None:
    files.stage.content["a"] = b"1"
    await files.mount(writable=False)
    for change in (
        lambda: (files.place / "b").write_text("x"),
        lambda: (files.place / "a").write_text("x"),
        lambda: (files.place / "a").unlink(),
        lambda: (files.place / "d").mkdir(),
    ):
        with pytest.raises(OSError, match="Read-only"):
            await files.do(change)
    assert await files.do((files.place / "a").read_text) == "1"


async def test_a_stage_that_may_not_be_read_is_not_mounted(files: Volume) -> None:
    files.stage.forbidden = True
    with pytest.raises(NotAuthorized):
        await files.mount()


async def test_a_failed_close_is_told_to_the_program(files: Volume) -> None:
    await files.mount()
    files.stage.forbidden = True
    with pytest.raises(PermissionError):
        await files.do(lambda: (files.place / "x").write_text("lost"))


async def test_the_next_agent_serves_what_the_last_one_mounted(
    files: Volume, tmp_path: Path
) -> None:
    files.stage.content["a"] = b"1"
    await files.mount()
    await files.mounted.close()
    want = state.Assignment(instance=INSTANCE)
    want.spec.volumes.append(volume())
    with pytest.raises(OSError, match="not connected"):
        await files.do((files.place / "a").read_text)
    await files.mounted.adopt([(want, files.place.parent)])
    assert await files.do((files.place / "a").read_text) == "1"


async def test_a_stage_is_served_anew_though_api_is_away_and_only_once(files: Volume) -> None:
    files.stage.content["a"] = b"1"
    await files.mount()
    await files.mounted.close()
    want = state.Assignment(instance=INSTANCE)
    want.spec.volumes.append(volume())
    files.stage.forbidden = True
    await files.mounted.adopt([(want, files.place.parent)])
    files.stage.forbidden = False
    assert await files.do((files.place / "a").read_text) == "1"
    await asyncio.gather(files.mount(), files.mounted.adopt([(want, files.place.parent)]))
    # What the last one left, and ours over it.
    assert [place for _, place in mounts()].count(files.place) == 2
