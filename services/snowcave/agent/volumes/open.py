"""The volumes of a node as a part of its agent: taken up from the agent before, and left to the next."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from snowcave.agent.engine.api import Engine
from snowcave.agent.volumes.attachments import (
    Attachments,
    AttachmentSettings,
    open_attachments,
)
from snowcave.agent.volumes.stages.client import StageClient
from snowcave.agent.volumes.stages.mounts import open_stage_mounts
from snowcave.agent.volumes.volumes import Volumes, holders_of_blocks
from snowcave.kit.clock import Clock
from snowcave.kit.tasks import background
from snowcave.model import stage_callers
from snowcave.runtime.block_disks import BlockDisks
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class VolumeSettings:
    """Seconds."""

    # For one request about a stage's files, which may carry a large file.
    stage_request: float = 600.0
    # For making, copying or checking a block volume.
    block_patience: float = 900.0
    attachment: AttachmentSettings = field(default_factory=AttachmentSettings)


@dataclass(frozen=True)
class VolumeGround:
    host: str
    node: str
    # The mesh's id, as in the containers' labels.
    home: str
    # The node's own folder, and the machine's folder of block volumes.
    folder: Path
    blocks: Path


@asynccontextmanager
async def open_volumes(
    ground: VolumeGround,
    settings: VolumeSettings,
    store: Store,
    assigned: Mirror[state.Assignment],
    engine: Engine,
    api: grpc.aio.Channel,
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[Volumes]:
    """Left: block volumes stay attached, as containers stay; stages wait for the next agent."""
    # As the kernel names it: what is mounted there is known by its place.
    folder = (ground.folder / "volumes").resolve()
    disks = BlockDisks(ground.blocks, settings.block_patience)

    def open_stage(instance: str, volume: state.VolumeSpec) -> StageClient:
        caller = stage_callers.metadata(ground.node, instance, volume.name)
        stage = volume.stage
        return StageClient(api, caller, stage.stage, stage.folder, settings.stage_request)

    async def fence(instance: str) -> None:
        await volumes.fence(instance)

    attachments = Attachments(
        store,
        ground.host,
        ground.node,
        settings.attachment,
        clock,
        rng,
        fence,
        lies_here=lambda service: service in disks.services(),
    )
    async with open_stage_mounts(ground.folder / "spool", open_stage) as stages:
        volumes = Volumes(folder, ground.home, disks, attachments, stages, engine, clock)
        attachments.held |= await asyncio.to_thread(holders_of_blocks, folder, disks)
        mine = [(want, folder / want.instance) for _, want in assigned.items(ground.node)]
        async with open_attachments(attachments), background(stages.adopt(mine)):
            yield volumes
