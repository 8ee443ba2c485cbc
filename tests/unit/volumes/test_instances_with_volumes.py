"""Instances wait for their volumes, hand them over when they are gone, and come up anew after a restore."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from snowcave.agent.engine.api import ContainerId, Mount
from snowcave.agent.engine.simulated import SimulatedEngine
from snowcave.agent.instances import recipe
from snowcave.agent.instances.recipe import Run
from snowcave.agent.instances.status import WAITING
from snowcave.scheduler.service_view import restores_of
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import (
    GROUND,
    NODE,
    QuietVolumes,
    VirtualClock,
    assignment,
    running_node,
    spec,
)

running = partial(running_node, clock=VirtualClock(), log_idle=60.0)


def test_containers_mount_what_they_name() -> None:
    ground = replace(GROUND, volumes="/v", secrets="/s")
    stage = state.VolumeSpec(name="files", source="stage")
    stage.stage.path = "@st"
    local, memory = (
        state.VolumeSpec(name="logs", source="local"),
        state.VolumeSpec(name="fast", source="memory", size_bytes=1 << 20),
    )
    want = assignment()
    want.spec.volumes.extend([stage, local, memory])
    container = spec()
    container.volume_mounts.extend(
        [
            state.VolumeMount(name="files", mount_path="/data"),
            state.VolumeMount(name="logs", mount_path="/logs"),
            state.VolumeMount(name="logs", mount_path="/twice"),
        ]
    )
    container.secrets.extend(
        [
            state.SecretMount(object_name="a", env_var_name="A", secret_key_ref="password"),
            state.SecretMount(object_name="b", directory_path="/run/b"),
        ]
    )
    made = recipe.container(ground, want, container, ContainerId("s"), Run(), {"A": "hidden"})
    assert made.mounts == (
        Mount("/s/7-0-1/main/1", "/run/b"),
        Mount("/v/7-0-1/files", "/data", writable=True, follows=True),
        Mount("/v/7-0-1/logs", "/logs", writable=True),
        Mount("/v/7-0-1/logs", "/twice", writable=True),
    )
    assert made.env["A"] == "hidden"


@pytest.mark.looptime
async def test_an_instance_waits_for_its_volumes_without_having_failed(tmp_path: Path) -> None:
    volumes = QuietVolumes(missing="in use by another")
    engine = SimulatedEngine(VirtualClock())
    async with running(engine, tmp_path, volumes=volumes) as node:
        await node.assign(assignment())
        await node.until_message("7-0-1", WAITING)
        assert node.report("7-0-1").status == "PENDING"
        volumes.missing = ""
        await node.until("7-0-1", "READY", 120.0)
        assert node.bugs == 0


@pytest.mark.looptime
async def test_volumes_are_handed_over_before_an_instance_is_told_to_be_gone(
    tmp_path: Path,
) -> None:
    volumes = QuietVolumes()
    engine = SimulatedEngine(VirtualClock())
    async with running(engine, tmp_path, volumes=volumes) as node:
        want = assignment()
        await node.assign(want)
        await node.until("7-0-1", "READY")
        assert volumes.prepared == {"7-0-1"}
        await node.withdraw(want)
        await node.until("7-0-1", "GONE", 60.0)
        assert volumes.prepared == set()


@pytest.mark.looptime
async def test_volumes_that_nobody_has_any_more_are_let_go(tmp_path: Path) -> None:
    volumes = QuietVolumes(prepared={"9-0-1"})
    async with running(SimulatedEngine(VirtualClock()), tmp_path, volumes=volumes) as node:
        want = assignment()
        await node.assign(want)
        await node.until("7-0-1", "READY")
        assert volumes.prepared == {"7-0-1"}
        assert node.report("9-0-1").node != NODE


def numbers(found: Sequence[state.VolumeRestore]) -> list[tuple[str, int]]:
    return [(one.volume, one.number) for one in found]


def test_an_instance_is_given_what_was_restored_into_its_volumes() -> None:
    service = state.Service(
        restores=[
            state.VolumeRestore(volume="a", instance_id=0, number=1),
            state.VolumeRestore(volume="a", instance_id=1, number=2),
            state.VolumeRestore(volume="b", instance_id=1, number=3),
        ]
    )
    assert numbers(restores_of(service, 1)) == [("a", 2), ("b", 3)]
    assert restores_of(service, 2) == []
