"""The injectors of process faults know whether they hit, and whom."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from snowcave.cli.supervisor.processes import ProcessId, identify, write_pid
from snowcave.runtime.mesh import Mesh
from tests.fault.kit.faults import FaultVoid, injected
from tests.fault.kit.processes import Kill, Pause, Restart
from tests.fault.kit.view import MeshView

pytestmark = pytest.mark.ours
RNG = random.Random(0)


@pytest.fixture
def mesh(tmp_path: Path) -> MeshView:
    (tmp_path / "run").mkdir()
    return MeshView(Mesh(home=tmp_path))


@contextmanager
def a_daemon(
    mesh: MeshView, name: str = "dns"
) -> Generator[tuple[ProcessId, Callable[[], int | None]]]:
    """A process behind a pid file, and a look at its exit status."""
    program = "import sys, time; print('up', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            identity = identify(process.pid)
            assert identity is not None
            write_pid(mesh.mesh.folder("run") / f"{name}.pid", identity)
            yield identity, process.poll
        finally:
            process.kill()


@pytest.mark.parametrize(("fault", "number"), [(Kill, signal.SIGKILL), (Restart, signal.SIGTERM)])
async def test_a_process_dies_of_the_signal_and_has_no_successor_yet(
    mesh: MeshView, fault: type[Kill], number: signal.Signals
):
    with a_daemon(mesh) as (_, status):
        killing = fault("dns")
        async with injected(killing, mesh, RNG):
            assert status() == -number
            assert not killing.replaced(mesh)
        with a_daemon(mesh):
            assert killing.replaced(mesh)


async def test_a_paused_process_stands_still_until_it_is_healed(mesh: MeshView):
    with a_daemon(mesh) as (identity, _):
        async with injected(Pause("dns"), mesh, RNG):
            assert state_of(identity) == "T"
        await running(identity)


async def test_a_pause_that_somebody_ended_early_is_void(mesh: MeshView):
    async def meddle(identity: ProcessId) -> None:
        async with injected(Pause("dns"), mesh, RNG):
            identity.send(signal.SIGCONT)
            await running(identity)

    with a_daemon(mesh) as (identity, _), pytest.raises(FaultVoid):
        await meddle(identity)


@pytest.mark.parametrize("fault", [Kill, Restart, Pause])
async def test_who_does_not_run_cannot_be_hit(
    mesh: MeshView, fault: Callable[[str], Kill | Pause]
):
    with pytest.raises(FaultVoid):
        async with injected(fault("dns"), mesh, RNG):
            pass


async def test_a_pid_that_is_somebody_elses_by_now_is_not_hit(mesh: MeshView):
    with a_daemon(mesh) as (identity, status):
        write_pid(mesh.mesh.folder("run") / "dns.pid", ProcessId(identity.pid, 1))
        assert not Kill("dns").available(mesh)
        assert status() is None


async def running(process: ProcessId) -> None:
    async with asyncio.timeout(10):
        while state_of(process) == "T":
            await asyncio.sleep(0.01)


def state_of(process: ProcessId) -> str:
    text = Path(f"/proc/{process.pid}/stat").read_text()
    return text.rpartition(")")[2].split()[0]
