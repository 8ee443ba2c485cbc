"""The stage volumes that are mounted on this node. They end with the agent; its successor mounts them anew.

A container that has a stage volume keeps running meanwhile: what is mounted over the old file system shows in
it, too. Files that were open then are lost to it.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from snowcave.agent.volumes.stages.connection import Connection, open_connection
from snowcave.agent.volumes.stages.files import Stage
from snowcave.agent.volumes.stages.tree import StageTree
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.mounts import mounts
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

_CACHE = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

# Opens the stage of a volume for an instance.
OpenStage = Callable[[str, state.VolumeSpec], Stage]


@dataclass
class StageMounts:
    """Made by `open_stage_mounts`."""

    spool: Path
    open_stage: OpenStage
    _open: dict[tuple[str, str], tuple[AsyncExitStack, Connection]] = field(
        default_factory=dict[tuple[str, str], tuple[AsyncExitStack, Connection]]
    )
    # Whoever adopts must not meet whoever prepares or releases.
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict[str, asyncio.Lock])

    async def prepare(self, instance: str, volume: state.VolumeSpec, target: Path) -> None:
        """Mounted, and read once: raises what api says of the stage."""
        async with self._turn(instance):
            await self._prepare(instance, volume, target)

    async def _prepare(self, instance: str, volume: state.VolumeSpec, target: Path) -> None:
        if not await self._is_served(instance, volume):
            stage = self.open_stage(instance, volume)
            await stage.files("", 1)
            await self._serve(stage, instance, volume, target)

    async def _is_served(self, instance: str, volume: state.VolumeSpec) -> bool:
        found = self._open.get((instance, volume.name))
        if found is not None and found[1].ended.is_set():
            # Somebody has unmounted it behind our back.
            await self._open.pop((instance, volume.name))[0].aclose()
            return False
        return found is not None

    async def _serve(
        self, stage: Stage, instance: str, volume: state.VolumeSpec, target: Path
    ) -> None:
        tree = StageTree(
            stage,
            self.spool,
            volume.uid,
            volume.gid,
            cached_for(volume.stage.metadata_cache),
            volume.stage.writable,
        )
        if not await asyncio.to_thread(_is_mounted, target):
            await asyncio.to_thread(target.mkdir, parents=True, exist_ok=True)
        stack = AsyncExitStack()
        connection = await stack.enter_async_context(open_connection(target, tree))
        self._open[instance, volume.name] = stack, connection
        log.info("stage_mounted", instance=instance, volume=volume.name, stage=volume.stage.path)

    async def release(self, instance: str) -> None:
        """Nobody answers any more; the mounts themselves go with the instance's folder."""
        async with self._turn(instance):
            for key in [key for key in self._open if key[0] == instance]:
                await self._open.pop(key)[0].aclose()
        self._turns.pop(instance, None)

    def _turn(self, instance: str) -> asyncio.Lock:
        return self._turns.setdefault(instance, asyncio.Lock())

    async def adopt(self, assigned: Iterable[tuple[state.Assignment, Path]]) -> None:
        """Mount anew what an agent before this one had mounted, for containers that still run."""
        for want, folder in assigned:
            for volume in want.spec.volumes:
                if volume.HasField("stage"):
                    await self._adopt(want.instance, volume, folder / volume.name)

    async def _adopt(self, instance: str, volume: state.VolumeSpec, target: Path) -> None:
        async with self._turn(instance):
            mounted = await asyncio.to_thread(_is_mounted, target)
            if not mounted or await self._is_served(instance, volume):
                return
            try:
                # Whether api answers at this moment or not: each request asks it anew.
                await self._serve(self.open_stage(instance, volume), instance, volume, target)
            except SnowcaveError as error:
                log.warning("stage_not_mounted", volume=volume.name, error=error.message)

    async def close(self) -> None:
        for instance in {key[0] for key in self._open}:
            await self.release(instance)


def cached_for(text: str) -> int:
    """Seconds of a duration such as 1h30m45s; none for an empty one."""
    match = _CACHE.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds


def _is_mounted(target: Path) -> bool:
    """Asks the machine and not the file system, which may have nobody to answer."""
    return any(place == target for _, place in mounts())


@asynccontextmanager
async def open_stage_mounts(spool: Path, open_stage: OpenStage) -> AsyncGenerator[StageMounts]:
    mounted = StageMounts(spool, open_stage)
    try:
        yield mounted
    finally:
        await mounted.close()
