"""The volumes of this node's instances, each a folder: `<folder>/<instance>/<volume>`.

Local volumes are plain folders, memory volumes file systems in memory of the size asked for, block volumes
images that are attached there, stage volumes file systems that read and write the stage. All are there before
a container of the instance is made, and gone before its place is given to another.
"""

import asyncio
import contextlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from snowcave.agent.engine.api import Engine, Phase
from snowcave.agent.instances.recipe import CONTAINER_LABEL, HOME_LABEL, INSTANCE_LABEL, SANDBOX
from snowcave.agent.volumes.attachments import Attachments, slot
from snowcave.kit.clock import Clock
from snowcave.model.errors import ContainerGone, SnowcaveError, Unavailable
from snowcave.runtime.block_disks import BlockDisks
from snowcave.runtime.commands import run
from snowcave.runtime.mounts import unmount_below
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_PAUSE = 0.5
# Volumes that a node makes at one time.
_COPIES = 2


class StageMounts(Protocol):
    """Mounts stages; `release` may be asked for what was never mounted."""

    async def prepare(self, instance: str, volume: state.VolumeSpec, target: Path) -> None: ...

    async def release(self, instance: str) -> None: ...


@dataclass
class Volumes:
    folder: Path
    home: str
    disks: BlockDisks
    attachments: Attachments
    stages: StageMounts
    engine: Engine
    clock: Clock
    # Copies of large volumes must not keep all threads from those who unmount.
    _making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_COPIES))
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])

    def instances(self) -> set[str]:
        """Those that have something here, also from before this agent was started."""
        return {path.name for path in self.folder.glob("*")}

    async def prepare(self, want: state.Assignment) -> None:
        """Before a container of the instance is made. Raises SnowcaveError: try again."""
        if not want.spec.volumes:
            return
        async with self._turn(want.instance):
            blocks = [volume for volume in want.spec.volumes if volume.source == "block"]
            if blocks:
                await self.attachments.take(want.instance, [volume.name for volume in blocks])
            for volume in want.spec.volumes:
                target = self._path(want.instance, volume.name)
                try:
                    await self._prepare(want, volume, target)
                except OSError as error:
                    raise Unavailable(
                        f"The volume '{volume.name}' cannot be made: {error.strerror}."
                    ) from error
            if blocks and want.instance not in self.attachments.held:
                # They were taken from it while they were being attached.
                await self._detach(want.instance)
                raise Unavailable("The block volumes cannot be kept while the store is away.")

    async def _prepare(
        self, want: state.Assignment, volume: state.VolumeSpec, target: Path
    ) -> None:
        match volume.source:
            case "local":
                await asyncio.to_thread(_open_folder, target)
            case "memory":
                if not await asyncio.to_thread(target.is_mount):
                    await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
                    options = f"size={volume.size_bytes},mode=1777,nosuid,nodev"
                    await run("mount", "-t", "tmpfs", "-o", options, "snowcave", str(target))
            case "block":
                await self._attach(want, volume, target)
            case _:
                await self.stages.prepare(want.instance, volume, target)

    async def _attach(
        self, want: state.Assignment, volume: state.VolumeSpec, target: Path
    ) -> None:
        image = self.disks.image(want.service, want.instance_id, volume.name)
        restore = next((one for one in want.restores if one.volume == volume.name), None)
        if target in await asyncio.to_thread(self.disks.places, image):
            return
        # Ours by now; an instance whose agent died may not have heard of it.
        if await asyncio.to_thread(self.disks.loops, image):
            await self._evict(want.instance)
            await asyncio.to_thread(self.disks.detach, image)
        async with self._making:
            await asyncio.to_thread(self.disks.ensure, image, volume, restore)
        await asyncio.to_thread(self.disks.attach, image, target, volume)

    async def _evict(self, instance: str) -> None:
        """All incarnations but this one lose their containers, on whichever node of this machine."""
        stem = instance.rpartition("-")[0] + "-"
        found = await self.engine.list({HOME_LABEL: self.home})
        others = {c.labels.get(INSTANCE_LABEL, "") for c in found} - {instance}
        for other in sorted(others):
            if other.startswith(stem):
                log.warning("instance_evicted", instance=other, by=instance)
                await self._kill(other)

    async def release(self, instance: str) -> None:
        """Its containers are gone. Harmless where there is nothing."""
        folder = self.folder / instance
        if not await asyncio.to_thread(folder.is_dir) and instance not in self.attachments.held:
            return
        async with self._turn(instance):
            await self.stages.release(instance)
            await self._detach(instance)
            await asyncio.to_thread(_remove, folder)
            taken = instance in self.attachments.held
            if taken or await asyncio.to_thread(self._images, *slot(instance)):
                await self.attachments.put_back(instance)
        self._turns.pop(instance, None)

    async def fence(self, instance: str) -> None:
        """It has to stop using its block volumes, now: comes back when it has."""
        while True:
            try:
                await self._kill(instance)
                return await self._detach(instance)
            except SnowcaveError as error:
                log.warning("instance_not_fenced", instance=instance, error=error.message)
                await self.clock.sleep(_PAUSE)

    async def _kill(self, instance: str) -> None:
        """All are told before the first is awaited."""
        labels = {HOME_LABEL: self.home, INSTANCE_LABEL: instance}
        running = [
            container.id
            for container in await self.engine.list(labels)
            if container.labels.get(CONTAINER_LABEL) != SANDBOX
            and container.phase is Phase.RUNNING
        ]
        for container in running:
            try:
                await self.engine.signal(container, "SIGKILL")
            except ContainerGone as error:
                log.debug("container_gone", container=container, error=error.message)
        for container in running:
            try:
                await self.engine.wait(container, timeout=_PAUSE * 10)
            except (ContainerGone, TimeoutError) as error:
                log.debug("container_not_awaited", container=container, error=str(error))

    async def _detach(self, instance: str) -> None:
        """The images that are mounted in the instance's folder, off it."""
        service, instance_id = slot(instance)
        for image in await asyncio.to_thread(self._images, service, instance_id):
            await asyncio.to_thread(self._take_off, image, self.folder / instance)

    def _take_off(self, image: Path, folder: Path) -> None:
        here = [place for place in self.disks.places(image) if place.parent == folder]
        if here:
            self.disks.detach(image)
        for place in here:
            # A container that was made for it must not start on a bare folder: the engine refuses to.
            with contextlib.suppress(OSError):
                place.rmdir()

    def _images(self, service: int, instance_id: int) -> list[Path]:
        folder = self.disks.image(service, instance_id, "any").parent
        return sorted(folder.glob("*.img"))

    def _path(self, instance: str, volume: str) -> Path:
        return self.folder / instance / volume

    def _turn(self, instance: str) -> asyncio.Lock:
        return self._turns.setdefault(instance, asyncio.Lock())


def holders_of_blocks(folder: Path, disks: BlockDisks) -> set[str]:
    """Instances whose block volumes are attached below `folder`: an agent before this one took them."""
    instances = {path.name for path in folder.glob("*")}
    mounted = {place for image in disks.images() for place in disks.places(image)}
    return {name for name in instances if any(place.parent.name == name for place in mounted)}


def _open_folder(path: Path) -> None:
    """For whichever user the containers run as."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o1777)


def _remove(folder: Path) -> None:
    """What is mounted below comes off first."""
    unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
