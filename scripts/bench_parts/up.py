"""`snowcave up` from nothing to all ready, and what the idle mesh costs; reported, there is no peer."""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.kit.mesh import snowcave
from tests.kit.ports import free_port_base

_IDLE = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


async def run(rounds: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(measure, rounds)


def measure(rounds: int) -> list[dict[str, Any]]:
    seconds: list[float] = []
    memory, cores = 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="snowcave-bench-") as folder:
        home = Path(folder) / "home"
        base = str(free_port_base())
        for number in range(rounds):
            began = time.monotonic()
            snowcave(home, "up", "--detach", "--port-base", base)
            seconds.append(time.monotonic() - began)
            print(f"  round {number + 1}: {seconds[-1]:.1f} s", flush=True)
            if number == rounds - 1:
                memory, cores = idle(home)
            snowcave(home, "down")
    return [
        _row("up to all ready", statistics.median(seconds), "s"),
        _row("idle memory (proportional set size)", memory / 1e6, "MB"),
        _row("idle CPU", cores * 100, "% of a core"),
    ]


def idle(home: Path) -> tuple[float, float]:
    """Bytes, and cores in use over ten seconds; the engine counts, containers are none."""
    pids = [int(path.read_text().split()[0]) for path in (home / "run").glob("*.pid")]
    before = sum(map(cpu_ticks, pids))
    time.sleep(_IDLE)
    used = sum(map(cpu_ticks, pids)) - before
    return sum(map(proportional_memory, pids)), used / _TICKS / _IDLE


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def proportional_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": value,
        "peer": None,
        "unit": unit,
        "ratio": None,
        "target": None,
        "ok": True,
    }
