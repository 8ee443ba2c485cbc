"""Storms of random statements and faults over the whole control plane: each seed another one.

`SNOWCAVE_SEEDS=2000` runs as many; the first ones are run each time, and so is every seed that ever broke.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.scheduler import endpoints, pools, rollout
from snowcave.v1 import state_pb2 as state
from tests.kit import storm
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.placement_invariants import watched
from tests.kit.seeded_loop import run
from tests.kit.simulated_vms import Witness

ROOT = Path(__file__).resolve().parents[2]
PINNED = Path(__file__).with_name("pinned_seeds.txt")
SEEDS = int(os.environ.get("SNOWCAVE_SEEDS", "200"))
_CHUNK = 100


def pinned() -> list[int]:
    lines = (line.partition("#")[0].strip() for line in PINNED.read_text().splitlines())
    return [int(line.split()[0]) for line in lines if line]


def storms(first: int, last: int) -> subprocess.CompletedProcess[str]:
    """In a process of its own, where sets have the same order each time."""
    return subprocess.run(
        [sys.executable, "-m", "tests.kit.storm", str(first), str(last)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )


@pytest.mark.timeout(1800)
def test_no_storm_breaks_an_invariant():
    """Two processes at a time, as most machines have two cores."""
    with ThreadPoolExecutor(2) as pool:
        chunks = range(1, SEEDS + 1, _CHUNK)
        runs = [pool.submit(storms, at, min(at + _CHUNK - 1, SEEDS)) for at in chunks]
        done = [one.result() for one in runs]
    broken = [one.stdout + one.stderr[-2000:] for one in done if one.returncode]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("seed", pinned())
def test_what_a_storm_once_broke_holds(seed: int):
    done = storms(seed, seed)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.timeout(600)
def test_the_same_seed_is_the_same_storm():
    first, second = storms(3, 3), storms(3, 3)
    assert first.returncode == 0, first.stdout
    assert "seed 3 held" in first.stdout
    assert first.stdout == second.stdout


# ---- the invariants can fail


def breaks(words: str, seeds: range = range(1, 9)) -> None:
    """One of a few storms says so."""
    with pytest.raises(AssertionError, match=words):
        all_storms(seeds)


def all_storms(seeds: range) -> None:
    for seed in seeds:
        storm.storm(seed)


def test_an_ordinal_with_two_instances_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """The plan starts whatever is not ready yet, though it is there."""
    real = rollout.plan

    def hasty(want: rollout.Want, have: list[rollout.Have]) -> rollout.Plan:
        made = real(want, have)
        hasty = real(want, [one for one in have if not one.stopping])
        return rollout.Plan(hasty.start, made.stop, made.forget)

    monkeypatch.setattr(rollout, "plan", hasty)
    breaks("ordinal")


def test_a_pool_with_too_many_nodes_is_noticed(monkeypatch: pytest.MonkeyPatch):
    real = pools.plan

    def generous(*arguments: object, **named: object) -> object:
        made: Any = real(*arguments, **named)  # type: ignore[arg-type]
        return replace(made, add=4 * made.add)

    monkeypatch.setattr(pools, "plan", generous)
    breaks("is node")


def test_an_instance_that_stops_in_the_midst_of_traffic_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
):
    def lingering(
        one: state.Assignment, report: state.InstanceReport | None, before: state.Endpoint | None
    ) -> bool:
        if report is not None and not one.stopping:
            return report.status == "READY"
        return before is not None and before.instance == one.instance and before.ready

    monkeypatch.setattr(endpoints, "_is_ready", lingering)
    breaks("is stopping and ready")


def test_a_drop_that_leaves_its_assignments_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """Whoever forgets nothing never comes to rest."""
    real = rollout.plan

    def hoarding(want: rollout.Want, have: list[rollout.Have]) -> rollout.Plan:
        made = real(want, have)
        return rollout.Plan(made.start, made.stop, ())

    monkeypatch.setattr(rollout, "plan", hoarding)
    breaks("within", range(1, 3))


def scene(body: Callable[[MemoryBackend, Witness], Awaitable[None]]) -> Witness:
    """A few writes by hand, seen by the watcher and a witness."""

    async def main(_rng: random.Random) -> Witness:
        backend = MemoryBackend()
        witness = Witness(backend)
        async with watched(backend):
            await body(backend, witness)
        return witness

    return run(1, main)


async def written(backend: MemoryBackend, key: str, message: state.Assignment | object) -> None:
    store = MemoryStore(Role.SCHEDULER, backend)
    await store.put(key, message.SerializeToString())  # type: ignore[attr-defined]
    await asyncio.sleep(0)


def test_a_status_off_the_graph_is_noticed():
    async def leap(backend: MemoryBackend, _witness: Witness) -> None:
        for status in ("PENDING", "SUSPENDED"):
            key = keys.SERVICE_STATUS.key(7)
            await written(backend, key, state.ServiceStatus(status=status))

    with pytest.raises(AssertionError, match="went from PENDING to SUSPENDED"):
        scene(leap)


def test_a_number_that_is_given_out_twice_is_noticed():
    async def twice(backend: MemoryBackend, _witness: Witness) -> None:
        key = keys.ASSIGNMENTS.key("n1", "7-0-1")
        one = state.Assignment(instance="7-0-1", node="n1", service=7, address="10.244.1.10")
        await written(backend, key, one)
        await MemoryStore(Role.SCHEDULER, backend).delete(key)
        await written(backend, key, one)

    with pytest.raises(AssertionError, match="given out twice"):
        scene(twice)


def test_a_job_that_runs_twice_is_noticed():
    async def again(backend: MemoryBackend, witness: Witness) -> None:
        for incarnation in (1, 2):
            instance = f"7-0-{incarnation}"
            one = state.Assignment(instance=instance, node="n1", service=7, is_job=True)
            one.address = f"10.244.1.{incarnation}"
            await MemoryStore(Role.SCHEDULER, backend).delete(keys.ASSIGNMENTS.key("n1", "7-0-1"))
            await written(backend, keys.ASSIGNMENTS.key("n1", instance), one)
            witness.starts("n1", instance)

    assert scene(again).broken == ["a job's instance was run twice: 7-0-1, then 7-0-2"]


def test_a_signal_to_what_takes_traffic_is_noticed():
    async def early(backend: MemoryBackend, witness: Witness) -> None:
        one = state.Assignment(instance="7-0-1", node="n1", service=7, address="10.244.1.10")
        await written(backend, keys.ASSIGNMENTS.key("n1", "7-0-1"), one)
        ready = state.Endpoint(instance="7-0-1", address="10.244.1.10", ready=True)
        await written(backend, keys.ENDPOINTS.key(7, 0), ready)
        witness.signals("7-0-1", "SIGTERM")

    assert scene(early).broken == ["SIGTERM went to 7-0-1, which takes traffic"]
