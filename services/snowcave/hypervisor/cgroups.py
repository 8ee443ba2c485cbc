"""The cgroup of a VM: its limits, everything that runs in it, and its end.

Version 1 has a tree a controller, version 2 one tree; Docker with the cgroupfs driver uses whichever
the machine has, and so do we. The agent stands in a leaf of its own, for freezing and killing alone.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from snowcave.model.errors import DeadlinePassed

_LIMITED = ("memory", "cpu", "cpuacct", "pids", "freezer")
_PERIOD_US = 100_000
AGENT_LEAF = "agent"


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int
    cpu_milli: int


@dataclass(frozen=True)
class Cgroups:
    """Where the trees are mounted. `controllers` is version 1's; `unified` is version 2's tree, if any."""

    controllers: dict[str, Path]
    unified: Path | None

    @property
    def is_unified(self) -> bool:
        """Version 2 holds the controllers; on a hybrid machine its tree is there, but empty of them."""
        return "memory" not in self.controllers and self.unified is not None

    def make(self, path: str, limits: Limits) -> None:
        """The VM's directories with their limits; may be repeated."""
        if self.is_unified:
            self._make_unified(path, limits)
            return
        for name in _LIMITED:
            if (root := self.controllers.get(name)) is not None:
                (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        if (memory := self._v1("memory", path)) is not None:
            (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        if (cpu := self._v1("cpu", path)) is not None:
            (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            quota = limits.cpu_milli * _PERIOD_US // 1000
            (cpu / "cpu.cfs_quota_us").write_text(str(quota))

    def adopt_agent(self, path: str, pid: int) -> None:
        """Freezing or killing the VM reaches its agent; the agent's memory is not the VM's."""
        root = self.unified if self.is_unified else self.controllers.get("freezer")
        if root is None:
            return
        leaf = root / path.lstrip("/") / AGENT_LEAF
        leaf.mkdir(parents=True, exist_ok=True)
        with suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(str(pid))

    def exists(self, path: str) -> bool:
        return any(folder.is_dir() for folder in self._folders(path))

    def children(self, path: str) -> set[str]:
        """Names of the groups right under `path`, in any tree."""
        return {
            entry.name
            for folder in self._folders(path)
            if folder.is_dir()
            for entry in folder.iterdir()
            if entry.is_dir()
        }

    def pids(self, path: str) -> set[int]:
        """Every process in it, at any depth, in any tree."""
        found: set[int] = set()
        for top in self._folders(path):
            for folder in _and_below(top):
                with suppress(OSError):
                    procs = (folder / "cgroup.procs").read_text()
                    found.update(int(line) for line in procs.split())
        return found

    def is_frozen(self, path: str) -> bool:
        return any(
            file.read_text().strip() in ("FROZEN", "FREEZING", "1")
            for file in self._freeze_files(path)
        )

    def thaw(self, path: str) -> None:
        word = "0" if self.is_unified else "THAWED"
        for file in self._freeze_files(path):
            with suppress(OSError):
                file.write_text(word)

    async def kill(self, path: str, *, within: float) -> None:
        """SIGKILL, then thaw, until nothing is left: the frozen die only once they are thawed.

        Raises DeadlinePassed where something will not die.
        """
        try:
            async with asyncio.timeout(within):
                while pids := self.pids(path):
                    for pid in pids:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    self.thaw(path)
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise DeadlinePassed(f"processes of {path} will not die.") from error

    async def remove(self, path: str, *, within: float) -> None:
        """Its directories in every tree; a dying process keeps one busy for a moment."""
        try:
            async with asyncio.timeout(within):
                # No event tells that a cgroup has become empty in every tree.
                while not self._try_remove(path):
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise DeadlinePassed(f"cgroup {path} stays busy.") from error

    def _try_remove(self, path: str) -> bool:
        for folder in self._folders(path):
            for entry in reversed(_and_below(folder)):
                with suppress(OSError):
                    entry.rmdir()
        return not self.exists(path)

    def _make_unified(self, path: str, limits: Limits) -> None:
        assert self.unified is not None
        folder = self.unified
        for part in path.strip("/").split("/"):
            # A controller must be handed down level by level.
            with suppress(OSError):
                (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
            folder = folder / part
            folder.mkdir(exist_ok=True)
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        (folder / "memory.max").write_text(str(limits.memory_bytes))
        quota = limits.cpu_milli * _PERIOD_US // 1000
        (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")

    def _v1(self, controller: str, path: str) -> Path | None:
        root = self.controllers.get(controller)
        return root / path.lstrip("/") if root is not None else None

    def _folders(self, path: str) -> Iterator[Path]:
        for root in dict.fromkeys(self.controllers.values()):
            yield root / path.lstrip("/")
        if self.unified is not None:
            yield self.unified / path.lstrip("/")

    def _freeze_files(self, path: str) -> list[Path]:
        if self.is_unified:
            assert self.unified is not None
            files = [self.unified / path.lstrip("/") / "cgroup.freeze"]
        else:
            freezer = self._v1("freezer", path)
            below = _and_below(freezer) if freezer is not None else []
            files = sorted(folder / "freezer.state" for folder in below)
        return [file for file in files if file.exists()]


def _and_below(top: Path) -> list[Path]:
    """The folder and all in it, parents first; passes over what vanishes meanwhile, as containers do."""
    return [Path(folder) for folder, _, _ in os.walk(top)]


def read(mounts: str) -> Cgroups:
    """From the text of /proc/self/mounts."""
    controllers: dict[str, Path] = {}
    unified: Path | None = None
    for line in mounts.splitlines():
        _device, where, kind, options, *_ = line.split()
        if kind == "cgroup":
            for option in options.split(","):
                controllers.setdefault(option, Path(where))
        elif kind == "cgroup2" and unified is None:
            unified = Path(where)
    for word in ("rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr"):
        controllers.pop(word, None)
    return Cgroups(controllers, unified)


def of_machine() -> Cgroups:
    return read(Path("/proc/self/mounts").read_text())
