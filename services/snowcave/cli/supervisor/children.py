"""Keeps one process running: starts it, logs it, restarts it with backoff when it dies."""

import asyncio
import os
import random
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from snowcave.cli.supervisor import processes
from snowcave.kit.clock import backoff
from snowcave.kit.tasks import background
from snowcave.runtime.mesh import Mesh

log = structlog.get_logger()

# A child that ran this long (seconds) had started well: its next restart is quick again.
_SETTLED = 20.0
# Bytes of one generation of a child's log, of which there are two, and how often (seconds) that is looked at.
_LOG_LIMIT = 50 << 20
_LOG_LOOK = 30.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `cleanup` runs before each start, for what a killed one leaves behind."""

    name: str
    arguments: tuple[str, ...]
    stop_grace: float = 25.0
    environment: dict[str, str] | None = None
    cleanup: Callable[[], None] | None = None


def daemon_command(mesh: Mesh, name: str, *, engine_socket: Path) -> Command:
    """The engine is decided by the supervisor, once for all daemons."""
    arguments = (sys.executable, "-m", "snowcave", "daemon", name, "--home", str(mesh.home))
    return Command(
        name,
        arguments,
        environment={**os.environ, "SNOWCAVE_MESH__ENGINE_SOCKET": str(engine_socket)},
    )


@dataclass(slots=True)
class Child:
    """One child as `status` sees it."""

    command: Command
    restarts: int = 0
    process: processes.ProcessId | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def keep_running(mesh: Mesh, *commands: Command) -> AsyncGenerator[tuple[Child, ...]]:
    """Entered at once, not when the children are ready; left when all of them have ended."""
    children = tuple(Child(command) for command in commands)
    logs = [log_file(mesh, command.name) for command in commands]
    async with background(_bound_logs(logs), *(_forever(mesh, child) for child in children)):
        try:
            yield children
        finally:
            await asyncio.gather(*(_stop(mesh, child) for child in children))


async def _stop(mesh: Mesh, child: Child) -> None:
    child.stopping.set()
    if child.process is not None:
        await processes.end(child.process, child.command.stop_grace)
    pid_file(mesh, child.command.name).unlink(missing_ok=True)


async def _forever(mesh: Mesh, child: Child) -> None:
    delays = backoff(random.Random(), base=0.2, cap=5.0)
    loop = asyncio.get_running_loop()
    while not child.stopping.is_set():
        started = loop.time()
        code = await _run_once(mesh, child)
        if child.stopping.is_set():
            return
        log.warning("child_died", child=child.command.name, status=code)
        child.restarts += 1
        if loop.time() - started > _SETTLED:
            delays = backoff(random.Random(), base=0.2, cap=5.0)
        await asyncio.sleep(next(delays))


async def _run_once(mesh: Mesh, child: Child) -> int:
    """Starts the child and waits for its end; returns its exit status."""
    command = child.command
    if command.cleanup is not None:
        command.cleanup()
    path = log_file(mesh, command.name)
    with path.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *_dies_with_us(command.arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=command.environment,
            start_new_session=True,
        )
    try:
        child.process = processes.identify(process.pid)
        if child.process is not None:
            processes.write_pid(pid_file(mesh, command.name), child.process)
        if child.stopping.is_set():  # asked to stop between two starts
            process.send_signal(signal.SIGTERM)
        return await process.wait()
    finally:
        if process.returncode is not None:
            child.process = None


def _dies_with_us(arguments: Sequence[str]) -> tuple[str, ...]:
    """Children of a supervisor that was killed drain and end; the next one starts its own."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--", *arguments) if setpriv else tuple(arguments)


def pid_file(mesh: Mesh, name: str) -> Path:
    return mesh.folder("run") / f"{name}.pid"


def log_file(mesh: Mesh, name: str) -> Path:
    return mesh.folder("log") / f"{name}.log"


async def _bound_logs(paths: Sequence[Path]) -> None:
    """Endless: no child's log grows much beyond its limit, however long the child runs."""
    while True:
        for path in paths:
            try:
                await asyncio.to_thread(rotate, path, _LOG_LIMIT)
            except OSError as error:  # a full disk, which is no reason to stop the daemons
                log.warning("log_not_kept", path=str(path), error=str(error))
        await asyncio.sleep(_LOG_LOOK)


def rotate(path: Path, limit: int) -> None:
    """Move a log that is over the limit into its older generation.

    It is copied and emptied in place, for its writer has it open and appends; the few lines that come in
    between are lost.
    """
    if path.exists() and path.stat().st_size > limit:
        try:
            shutil.copyfile(path, path.with_suffix(".log.1"))
        finally:
            os.truncate(path, 0)
