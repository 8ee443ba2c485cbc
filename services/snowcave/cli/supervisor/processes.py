"""Processes that outlive the one that started them: found again by pid and start time, never by name."""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_POLL = 0.05


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A pid alone may meanwhile be somebody else's: the start time (clock ticks) tells."""

    pid: int
    started: int

    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Nothing where it is gone already."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def __str__(self) -> str:
        return f"{self.pid} {self.started}"


def start_time(pid: int) -> int | None:
    """None where there is no such process, or only its remains wait for their parent."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def identify(pid: int) -> ProcessId | None:
    started = start_time(pid)
    return None if started is None else ProcessId(pid, started)


def write_pid(path: Path, process: ProcessId) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"{process}\n")
    temporary.replace(path)


def read_pid(path: Path) -> ProcessId | None:
    """The process of a pid file if it is alive still."""
    try:
        pid, started = path.read_text().split()
        process = ProcessId(int(pid), int(started))
    except (FileNotFoundError, ValueError):
        return None
    return process if process.alive() else None


async def wait_gone(process: ProcessId, seconds: float) -> bool:
    """Whether it ended within that time."""
    try:
        async with asyncio.timeout(seconds):
            while process.alive():
                await asyncio.sleep(_POLL)
    except TimeoutError:
        return False
    return True


async def end(process: ProcessId, grace: float) -> None:
    """SIGTERM, then after `grace` seconds SIGKILL; returns when it is gone."""
    process.send(signal.SIGTERM)
    if not await wait_gone(process, grace):
        process.send(signal.SIGKILL)
        await wait_gone(process, 10.0)
