"""What every container engine promises the agent."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from snowcave.agent.engine.api import ContainerId, Mount, Phase
from snowcave.model.errors import ContainerGone, EngineRefused, ImageMissing, ImagePullFailed

# The fixture's class lives in a conftest, which tests cannot import.
Bench = Any


async def test_an_image_is_pulled_by_its_digest(bench: Bench):
    assert not await bench.engine.has_image(bench.remote)
    await bench.engine.pull(bench.remote, None)
    assert await bench.engine.has_image(bench.remote)


async def test_a_missing_image_cannot_be_pulled(bench: Bench):
    with pytest.raises(ImagePullFailed):
        await bench.engine.pull(f"{bench.registry}/absent@sha256:" + "0" * 64, None)


async def test_a_container_of_a_missing_image_cannot_be_created(bench: Bench):
    recipe = bench.recipe("missing")
    broken = type(recipe)(name=recipe.name, image="absent:1", labels=recipe.labels)
    with pytest.raises(ImageMissing):
        await bench.engine.create(broken)


async def test_creating_a_name_twice_gives_the_same_container(bench: Bench):
    first = await bench.engine.create(bench.recipe("twin"))
    assert await bench.engine.create(bench.recipe("twin")) == first


async def test_a_started_container_runs_with_a_pid_and_a_start_time(bench: Bench):
    made = await bench.run("runs")
    await bench.engine.start(made)  # harmless
    seen = await bench.engine.inspect(made)
    assert seen.phase is Phase.RUNNING
    assert seen.pid > 0
    assert seen.started_at is not None
    assert seen.finished_at is None


async def test_labels_find_containers_in_every_phase(bench: Bench):
    created = await bench.engine.create(bench.recipe("one"))
    running = await bench.run("two")
    found = await bench.engine.list(bench.label)
    assert {c.id: c.phase for c in found} == {created: Phase.CREATED, running: Phase.RUNNING}
    assert await bench.engine.list({"io.snowcave.test": "none such"}) == ()


async def test_an_exit_is_told_with_its_code(bench: Bench):
    made = await bench.run("ends", "ends")
    assert await bench.engine.wait(made, timeout=10.0) == 7
    seen = await bench.engine.inspect(made)
    assert (seen.phase, seen.exit_code, seen.oom_killed) == (Phase.EXITED, 7, False)
    assert seen.finished_at is not None


async def test_waiting_ends_at_its_timeout(bench: Bench):
    made = await bench.run("waited")
    with pytest.raises(TimeoutError):
        await bench.engine.wait(made, timeout=0.05)


async def test_stop_is_polite_and_then_is_not(bench: Bench):
    polite = await bench.run("polite")
    await bench.engine.stop(polite, signal="SIGTERM", grace=10.0)
    assert (await bench.engine.inspect(polite)).exit_code == 143
    stubborn = await bench.run("stubborn", "stubborn")
    await bench.engine.stop(stubborn, signal="SIGTERM", grace=0.3)
    assert (await bench.engine.inspect(stubborn)).exit_code == 137


async def test_a_signal_to_a_stopped_container_is_harmless(bench: Bench):
    made = await bench.engine.create(bench.recipe("still"))
    await bench.engine.signal(made, "SIGTERM")
    assert (await bench.engine.inspect(made)).phase is Phase.CREATED


async def test_a_program_that_cannot_run_is_refused_and_says_why(bench: Bench):
    made = await bench.engine.create(bench.recipe("cannot", "cannot"))
    with pytest.raises(EngineRefused, match="/no/such"):
        await bench.engine.start(made)
    seen = await bench.engine.inspect(made)
    assert (seen.phase, seen.started_at) == (Phase.CREATED, None)
    assert seen.error


async def test_a_removed_container_is_gone_and_may_be_removed_again(bench: Bench):
    made = await bench.run("gone")
    await bench.engine.remove(made)
    await bench.engine.remove(made)
    for call in (bench.engine.inspect(made), bench.engine.signal(made, "SIGTERM")):
        with pytest.raises(ContainerGone):
            await call
    with pytest.raises(ContainerGone):
        await bench.engine.start(ContainerId(made))


async def test_a_container_joins_the_namespace_of_a_running_sandbox_only(bench: Bench):
    sandbox = await bench.engine.create(bench.recipe("sandbox"))
    joined = await bench.engine.create(bench.recipe("app", joins=sandbox))
    with pytest.raises(EngineRefused):
        await bench.engine.start(joined)
    await bench.engine.start(sandbox)
    await bench.engine.start(joined)
    assert (await bench.engine.inspect(joined)).phase is Phase.RUNNING


async def test_endings_and_removals_are_events_after_the_first(bench: Bench):
    made = await bench.run("told")
    events = bench.engine.events(bench.label)
    try:
        async with asyncio.timeout(10.0):
            assert (await anext(events)).labels == {}
            await bench.engine.signal(made, "SIGKILL")
            event = await anext(events)
    finally:
        await events.aclose()
    assert bench.label.items() <= event.labels.items()
    assert (await bench.engine.inspect(made)).phase is Phase.EXITED


async def test_usage_is_told_while_it_runs(bench: Bench):
    made = await bench.run("used")
    usage = await bench.engine.usage(made)
    assert usage.memory_bytes > 0
    assert usage.cpu_seconds >= 0


async def test_a_container_that_ends_while_its_usage_is_asked_for_is_gone_at_worst(bench: Bench):
    async def ask(made: ContainerId) -> None:
        with suppress(ContainerGone):
            while (await bench.engine.usage(made)).cpu_seconds >= 0:
                await asyncio.sleep(0)

    for turn in range(5):
        made = await bench.run(f"brief{turn}")
        asking = [asyncio.create_task(ask(made)) for _ in range(4)]
        await bench.engine.signal(made, "SIGKILL")
        await bench.engine.wait(made, timeout=10.0)
        await bench.engine.remove(made)
        async with asyncio.timeout(10.0):
            await asyncio.gather(*asking)


async def test_the_engine_tells_what_it_is(bench: Bench):
    info = await bench.engine.info()
    assert info.architecture in ("amd64", "arm64")
    assert info.cpus >= 1
    assert info.memory_bytes > 0


async def test_a_container_is_made_with_what_it_may_read_and_write(bench: Bench, tmp_path: Path):
    mounts = (
        Mount(str(tmp_path), "/read"),
        Mount(str(tmp_path), "/write", writable=True),
        Mount(str(tmp_path), "/again", writable=True),
    )
    made = await bench.run("mounts", mounts=mounts)
    assert (await bench.engine.inspect(made)).phase is Phase.RUNNING
