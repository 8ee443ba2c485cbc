"""Faults of one process: a daemon, an agent (`agent-<node>`), our own engine, the supervisor (`up`)."""

import asyncio
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.cli.supervisor.processes import ProcessId, wait_gone
from tests.fault.kit.faults import FaultVoid, Undo, nothing
from tests.fault.kit.view import MeshView

_DEATH = 30.0


@dataclass
class _ProcessFault:
    """The victim is remembered by pid and start time, so its successor is never taken for it."""

    target: str
    victim: ProcessId | None = field(default=None, init=False)

    def available(self, mesh: MeshView) -> bool:
        return mesh.process(self.target) is not None

    def _choose(self, mesh: MeshView) -> ProcessId:
        self.victim = mesh.process(self.target)
        if self.victim is None:
            raise FaultVoid(f"{self.target} does not run")
        return self.victim

    def replaced(self, mesh: MeshView) -> bool:
        """Whether another process has taken the victim's place."""
        successor = mesh.process(self.target)
        return successor is not None and successor != self.victim


class Kill(_ProcessFault):
    """SIGKILL. Whoever keeps the process running has to start another."""

    @property
    def name(self) -> str:
        return f"kill {self.target}"

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        victim = self._choose(mesh)
        victim.send(signal.SIGKILL)
        await wait_gone(victim, _DEATH)
        return nothing

    def happened(self, mesh: MeshView) -> bool:
        return self.victim is not None and not self.victim.alive()


class Restart(Kill):
    """SIGTERM: it drains, ends by itself and is started again."""

    @property
    def name(self) -> str:
        return f"restart {self.target}"

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        victim = self._choose(mesh)
        victim.send(signal.SIGTERM)
        await wait_gone(victim, _DEATH)
        return nothing


@dataclass
class Pause(_ProcessFault):
    """SIGSTOP until it is healed: it lives, holds its connections and says nothing."""

    seen_stopped: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return f"pause {self.target}"

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        victim = self._choose(mesh)
        victim.send(signal.SIGSTOP)
        async with asyncio.timeout(_DEATH):
            while _state(victim) != "T":
                await asyncio.sleep(0.01)

        async def resume() -> None:
            # Somebody may have killed or resumed it meanwhile; then it was not paused all the time.
            self.seen_stopped = _state(victim) == "T"
            victim.send(signal.SIGCONT)

        return resume

    def happened(self, mesh: MeshView) -> bool:
        return self.seen_stopped


def _state(process: ProcessId) -> str:
    """As in ps: T is stopped. Empty where it is gone."""
    if not process.alive():
        return ""
    try:
        text = Path(f"/proc/{process.pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]
