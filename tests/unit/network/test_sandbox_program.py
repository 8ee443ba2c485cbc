"""The sandbox's program really runs: as the first process of a pid namespace, where signals are special."""

import os
import platform
import select
import signal
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from snowcave.agent.engine.sandbox_image import Architecture, executable, image_tar

runs_here = pytest.mark.skipif(
    os.geteuid() != 0 or platform.machine() != "x86_64",
    reason="runs an amd64 program in a pid namespace",
)


@contextmanager
def first_process(folder: Path) -> Generator[int]:
    """Its pid, seen from here."""
    program = folder / "pause"
    program.write_bytes(executable("amd64"))
    program.chmod(0o755)
    unshare = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", str(program)])
    try:
        yield _only_child(unshare.pid, str(program))
    finally:
        unshare.kill()
        unshare.wait()


def _only_child(parent: int, program: str) -> int:
    def child() -> int:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        named = [int(c) for c in children if _is_running(int(c), program)]
        return named[0] if named else 0

    return _eventually(child)


def _is_running(pid: int, program: str) -> bool:
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    status = status_of(pid)
    # It ignores SIGCHLD and sleeps: it has come to its wait. Others it may have inherited as ignored.
    ignored = int(status.partition("SigIgn:\t")[2].split()[0], 16)
    ignores = bool(ignored & 1 << (signal.SIGCHLD - 1))
    return command == f"{program}\0".encode() and ignores and "State:\tS" in status


def status_of(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def _eventually(look: Callable[[], int]) -> int:
    deadline = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


@runs_here
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_success_when_it_is_told_to(tmp_path: Path, number: signal.Signals):
    with first_process(tmp_path) as pid:
        pidfd = os.pidfd_open(pid)
        try:
            os.kill(pid, number)
            ready, _, _ = select.select([pidfd], [], [], 10)
        finally:
            os.close(pidfd)
    assert ready


@runs_here
def test_other_signals_leave_it_alone(tmp_path: Path):
    with first_process(tmp_path) as pid:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGCONT):
            os.kill(pid, number)
        assert "State:\tS" in status_of(pid)


@runs_here
def test_it_reaps_what_is_orphaned_to_it(tmp_path: Path):
    leave_an_orphan = (
        "import os, sys; sys.exit() if os.fork() else os.execvp('sleep', ['sleep', '0'])"
    )
    with first_process(tmp_path) as pid:
        enter = ("nsenter", f"--target={pid}", "--pid", "--", sys.executable, "-c")
        subprocess.run([*enter, leave_an_orphan], check=True, timeout=30)
        children = Path(f"/proc/{pid}/task/{pid}/children")
        _eventually(lambda: not children.read_text().strip())
        assert "State:\tS" in status_of(pid)


@pytest.mark.parametrize(("arch", "machine"), [("amd64", 62), ("arm64", 183)])
def test_the_program_is_a_static_elf_of_its_architecture(arch: Architecture, machine: int):
    program = executable(arch)
    assert program[:6] == b"\x7fELF\x02\x01"
    kind, found, _version, entry = struct.unpack_from("<HHIQ", program, 16)
    assert (kind, found) == (2, machine)
    address, _physical, size = struct.unpack_from("<QQQ", program, 64 + 16)
    assert (entry - address, size) == (64 + 56, len(program))


def test_the_image_is_one_executable_file_and_always_the_same():
    image = image_tar("amd64")
    with tarfile.open(fileobj=BytesIO(image)) as archive:
        (entry,) = archive.getmembers()
        assert (entry.name, entry.mode) == ("pause", 0o755)
        content = archive.extractfile(entry)
        assert content is not None
        assert content.read() == executable("amd64")
    assert image == image_tar("amd64")
