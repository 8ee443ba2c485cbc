"""Instances on an engine that misbehaves, in virtual time."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from snowcave.agent.engine.api import Phase, Recipe
from snowcave.agent.engine.simulated import Behaviour, SimulatedEngine
from snowcave.agent.instances.recipe import (
    CONTAINER_LABEL,
    DIGEST_LABEL,
    HOME_LABEL,
    INSTANCE_LABEL,
    NODE_LABEL,
)
from snowcave.model import keys
from tests.kit.agent_node import NODE, Node, VirtualClock, assignment, reference, spec
from tests.kit.agent_node import running_node as any_node
from tests.kit.memory_store import MemoryBackend

pytestmark = pytest.mark.looptime

WEB = reference("web")
running_node = partial(any_node, clock=VirtualClock(), log_idle=60.0)


@pytest.fixture
def engine() -> SimulatedEngine:
    return SimulatedEngine(VirtualClock())


def verbs(engine: SimulatedEngine, *which: str) -> list[str]:
    return [f"{verb} {name.rpartition('-')[2]}" for verb, name in engine.changes if verb in which]


async def test_two_containers_come_up_in_the_order_that_the_network_needs(
    engine: SimulatedEngine, tmp_path: Path
):
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment("7-0-1", spec("main"), spec("side")))
        report = await node.until("7-0-1", "READY")
        assert [c.status for c in report.containers] == ["READY", "READY"]
        assert verbs(engine, "start")[0] == "start sandbox"
        assert node.bugs == 0


async def test_a_slow_pull_waits_to_start(engine: SimulatedEngine, tmp_path: Path):
    engine.behaviours[WEB] = Behaviour(pull=120.0)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until_message("7-0-1", "Waiting to start")
        assert node.report("7-0-1").status == "PENDING"
        await node.until("7-0-1", "READY", 200.0)


async def test_a_failed_pull_says_so_and_is_tried_until_it_succeeds(
    engine: SimulatedEngine, tmp_path: Path
):
    engine.behaviours[WEB] = Behaviour(pull_error="manifest unknown")
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until_message("7-0-1", "Failed to pull image")
        assert node.report("7-0-1").status == "PENDING"
        engine.behaviours[WEB] = Behaviour()
        await node.until("7-0-1", "READY", 200.0)


async def test_two_instances_wait_for_one_pull(engine: SimulatedEngine, tmp_path: Path):
    engine.behaviours[WEB] = Behaviour(pull=30.0)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment("7-0-1"))
        await node.assign(assignment("7-1-1"))
        await node.until("7-0-1", "READY", 100.0)
        await node.until("7-1-1", "READY", 100.0)
        assert [change for change in engine.changes if change[0] == "pull"] == [("pull", WEB)]


async def test_a_program_that_cannot_start_is_retried(engine: SimulatedEngine, tmp_path: Path):
    said = 'OCI runtime create failed: runc: exec: "nosuch": executable file not found in $PATH: unknown'
    engine.behaviours[WEB] = Behaviour(start_error=said)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        report = await node.until("7-0-1", "FAILED")
        message = report.containers[0].message
        assert message == (
            'Encountered fatal error, retrying: exec: "nosuch": executable file not found in $PATH'
        )
        engine.behaviours[WEB] = Behaviour()
        report = await node.until("7-0-1", "READY", 200.0)
        assert report.containers[0].restart_count >= 1


async def test_what_is_wrong_with_a_node_is_not_told(engine: SimulatedEngine, tmp_path: Path):
    engine.behaviours[WEB] = Behaviour(start_error="error mounting /srv/x to rootfs: no such file")
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        report = await node.until("7-0-1", "FAILED")
        assert report.containers[0].message == "Encountered fatal error, retrying"


async def test_a_crashing_container_counts_its_restarts(engine: SimulatedEngine, tmp_path: Path):
    engine.behaviours[WEB] = Behaviour(exits_after=2.0, exit_code=3)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until_message("7-0-1", "User application error, check container logs")
        assert node.report("7-0-1").status == "FAILED"
        await asyncio.sleep(300)
        status = node.report("7-0-1").containers[0]
        assert 3 <= status.restart_count <= 20
        assert status.last_exit_code == 3
        # The latest run and the one before it, whose logs may be asked for.
        assert len(engine.containers) <= 3


async def test_an_oom_kill_is_told_apart(engine: SimulatedEngine, tmp_path: Path):
    engine.behaviours[WEB] = Behaviour(exits_after=1.0, exit_code=137, oom=True)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until_message("7-0-1", "Container was OOMKilled due to resource usage")


@pytest.mark.parametrize(
    ("code", "instance", "container", "message"),
    [
        (0, "SUCCEEDED", "DONE", "Completed successfully"),
        (1, "FAILED", "FAILED", "User application error, check container logs"),
    ],
)
async def test_a_job_runs_once(
    engine: SimulatedEngine,
    tmp_path: Path,
    code: int,
    instance: str,
    container: str,
    message: str,
):
    engine.behaviours[WEB] = Behaviour(exits_after=5.0, exit_code=code)
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment(is_job=True, jobs_count=1))
        await node.until("7-0-1", "READY")
        report = await node.until("7-0-1", instance)
        assert (report.containers[0].status, report.containers[0].message) == (container, message)
        await asyncio.sleep(600)
        assert verbs(engine, "start") == ["start sandbox", "start main"]


async def test_an_instance_has_what_it_logs_in_with_for_as_long_as_it_is_there(
    engine: SimulatedEngine, tmp_path: Path
):
    async with running_node(engine, tmp_path) as node:
        want = assignment()
        await node.assign(want)
        await node.until("7-0-1", "READY")
        assert node.sessions.instances == {"7-0-1"}
        await node.withdraw(want)
        await node.until("7-0-1", "GONE", 60.0)
        await node.forget("7-0-1")
        await node.until_gone("7-0-1")
        assert node.sessions.instances == set()


async def test_a_job_has_ended_when_the_last_of_its_containers_has(
    engine: SimulatedEngine, tmp_path: Path
):
    side = reference("side")
    engine.behaviours[WEB] = Behaviour(exits_after=5.0, exit_code=1)
    engine.behaviours[side] = Behaviour(exits_after=50.0)
    async with running_node(engine, tmp_path) as node:
        two = (spec("main"), spec("side", "side"))
        await node.assign(assignment("7-0-1", *two, is_job=True, jobs_count=1))
        message = "User application error, check container logs"
        await node.until_message("7-0-1", message)
        assert node.report("7-0-1").status == "READY"
        await node.until("7-0-1", "FAILED", 120.0)
        assert node.statuses("7-0-1")["side"] == ("DONE", "Completed successfully")


async def test_a_stubborn_container_is_killed_after_the_grace(
    engine: SimulatedEngine, tmp_path: Path
):
    engine.behaviours[WEB] = Behaviour(stubborn=True)
    async with running_node(engine, tmp_path) as node:
        want = assignment()
        await node.assign(want)
        await node.until("7-0-1", "READY")
        asked = asyncio.get_running_loop().time()
        await node.withdraw(want)
        await node.until("7-0-1", "TERMINATING")
        await node.until("7-0-1", "GONE", 60.0)
        assert 29.0 <= asyncio.get_running_loop().time() - asked <= 33.0
        assert verbs(engine, "SIGTERM", "SIGKILL") == ["SIGTERM main", "SIGKILL main"]


@pytest.mark.parametrize("trouble", ["away", "hangs"])
async def test_an_engine_in_trouble_changes_nothing_that_was_told(
    engine: SimulatedEngine, tmp_path: Path, trouble: str
):
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        told = await node.until("7-0-1", "READY")
        if trouble == "away":
            engine.go_away()
        setattr(engine, trouble, True)
        await asyncio.sleep(300)
        assert node.report("7-0-1") == told
        setattr(engine, trouble, False)
        await node.assign(assignment("7-1-1"))
        await node.until("7-1-1", "READY", 100.0)
        assert verbs(engine, "remove") == []
        assert node.bugs == 0


async def _stray(engine: SimulatedEngine, home: str, instance: str) -> None:
    engine.images.add(WEB)
    labels = {
        HOME_LABEL: home,
        NODE_LABEL: NODE,
        INSTANCE_LABEL: instance,
        CONTAINER_LABEL: "main",
        DIGEST_LABEL: "",
    }
    await engine.start(await engine.create(Recipe(f"sc-{home}-{instance}-main", WEB, labels)))


async def test_orphans_of_this_node_are_stopped_and_others_left_alone(
    engine: SimulatedEngine, tmp_path: Path
):
    await _stray(engine, "beef", "1-0-1")
    await _stray(engine, "cafe", "1-0-1")
    async with running_node(engine, tmp_path) as node:
        async with asyncio.timeout(10):
            while len(engine.containers) > 1:
                await asyncio.sleep(0.1)
        assert [c.name for c in engine.containers.values()] == ["sc-cafe-1-0-1-main"]
        assert verbs(engine, "SIGTERM") == ["SIGTERM main"]
        assert node.bugs == 0


async def test_a_store_that_is_away_stops_nothing(engine: SimulatedEngine, tmp_path: Path):
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until("7-0-1", "READY")
        node.backend.available = False
        await asyncio.sleep(300)
        assert verbs(engine, "remove", "SIGTERM") == []
        node.backend.available = True
        await node.until("7-0-1", "READY")
        # The lease ran out meanwhile, and with it the keys: they are written again.
        async with asyncio.timeout(30):
            while node.backend.get(keys.NODES.key(NODE)) is None:
                await asyncio.sleep(0.1)
        assert node.backend.get(keys.REPORTS.key(NODE, "7-0-1")) is not None


async def test_a_restarted_agent_starts_nothing_anew(engine: SimulatedEngine, tmp_path: Path):
    backend = MemoryBackend()
    async with running_node(engine, tmp_path, backend=backend) as node:
        await node.assign(assignment())
        await node.until("7-0-1", "READY")
    changes = list(engine.changes)
    async with running_node(engine, tmp_path, backend=backend) as node:
        await node.until("7-0-1", "READY")
        await asyncio.sleep(120)
        assert engine.changes == changes
        assert list(node.network.plugged) == ["7-0-1"]


async def test_an_agent_restarted_while_stopping_finishes_it(
    engine: SimulatedEngine, tmp_path: Path
):
    engine.behaviours[WEB] = Behaviour(stubborn=True)
    backend, want = MemoryBackend(), assignment()
    async with running_node(engine, tmp_path, backend=backend) as node:
        await node.assign(want)
        await node.until("7-0-1", "READY")
        await node.withdraw(want)
        await node.until("7-0-1", "TERMINATING")
    async with running_node(engine, tmp_path, backend=backend) as node:
        await node.until("7-0-1", "GONE", 90.0)
        assert engine.containers == {}


async def test_a_sandbox_that_dies_is_replaced_with_all_its_containers(
    engine: SimulatedEngine, tmp_path: Path
):
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment())
        await node.until("7-0-1", "READY")
        sandbox = next(c for c in engine.containers.values() if c.name.endswith("sandbox"))
        engine.exit(sandbox.id, 137)
        await _until_restarted(node)
        assert sandbox.id not in engine.containers
        assert {c.phase for c in engine.containers.values()} == {Phase.RUNNING}


async def _until_restarted(node: Node) -> None:
    async with asyncio.timeout(60):
        await node.reports.wait(
            lambda _: (
                node.report("7-0-1").status == "READY"
                and node.report("7-0-1").containers[0].restart_count == 1
            )
        )
