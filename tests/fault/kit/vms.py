"""Faults of a VM: killed, frozen, cut off from the others."""

import asyncio
import json
import os
import random
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field

from snowcave.hypervisor import names
from snowcave.hypervisor.cgroups import of_machine
from tests.fault.kit.faults import Undo, nothing
from tests.fault.kit.view import MeshView

_SECONDS = 20.0


@dataclass
class KillVm:
    """Everything that runs in the VM gets SIGKILL, its agent included."""

    node: str
    victims: frozenset[int] = field(default=frozenset(), init=False)
    left: frozenset[int] = field(default=frozenset(), init=False)

    @property
    def name(self) -> str:
        return f"kill VM {self.node}"

    def available(self, mesh: MeshView) -> bool:
        return bool(of_machine().pids(mesh.vm_cgroup(self.node)))

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        self.victims = frozenset(of_machine().pids(mesh.vm_cgroup(self.node)))
        for pid in self.victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(_SECONDS):
            while left := self.victims & of_machine().pids(mesh.vm_cgroup(self.node)):
                await asyncio.sleep(0.02)
        self.left = left
        return nothing

    def happened(self, mesh: MeshView) -> bool:
        return bool(self.victims) and not self.left


@dataclass
class FreezeVm:
    """The VM stands still until it is healed; its agent and containers too."""

    node: str
    seen_frozen: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return f"freeze VM {self.node}"

    def available(self, mesh: MeshView) -> bool:
        return bool(of_machine().pids(mesh.vm_cgroup(self.node)))

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        _freeze(mesh.vm_cgroup(self.node))

        async def thaw() -> None:
            self.seen_frozen = of_machine().is_frozen(mesh.vm_cgroup(self.node))
            of_machine().thaw(mesh.vm_cgroup(self.node))

        return thaw

    def happened(self, mesh: MeshView) -> bool:
        return self.seen_frozen


@dataclass
class CutLink:
    """The VM's link to the fabric is down until it is healed: its instances and agent hear nobody."""

    node: str
    seen_down: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return f"cut the link of VM {self.node}"

    def available(self, mesh: MeshView) -> bool:
        return self._state(mesh) == "UP"

    async def inject(self, mesh: MeshView, rng: random.Random) -> Undo:
        self._set(mesh, "down")

        async def heal() -> None:
            self.seen_down = self._state(mesh) == "DOWN"
            self._set(mesh, "up")

        return heal

    def happened(self, mesh: MeshView) -> bool:
        return self.seen_down

    def _set(self, mesh: MeshView, word: str) -> None:
        self._ip(mesh, "link", "set", names.vm_port(self.node), word)

    def _state(self, mesh: MeshView) -> str:
        try:
            told = self._ip(mesh, "-json", "link", "show", names.vm_port(self.node))
        except subprocess.CalledProcessError:
            return ""
        return json.loads(told)[0]["operstate"]

    def _ip(self, mesh: MeshView, *arguments: str) -> str:
        command = ("ip", "-n", mesh.fabric_namespace, *arguments)
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_SECONDS
        ).stdout


def _freeze(path: str) -> None:
    """Everything below the group; thawing is the hypervisor's own, which does it before it kills."""
    trees = of_machine()
    if trees.is_unified:
        assert trees.unified is not None
        (trees.unified / path.lstrip("/") / "cgroup.freeze").write_text("1")
    else:
        (trees.controllers["freezer"] / path.lstrip("/") / "freezer.state").write_text("FROZEN")
