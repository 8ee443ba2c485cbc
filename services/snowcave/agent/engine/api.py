"""What the agent asks of a container engine, and nothing that an engine could not give.

Every call ends: an engine that does not answer within its deadline raises EngineUnavailable, as
does one that is away. What the engine refuses raises EngineRefused, what it does not have
ContainerGone or ImageMissing, what it cannot fetch ImagePullFailed.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

ContainerId = NewType("ContainerId", str)


class Phase(StrEnum):
    """Where a container stands, as the engine tells it."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    # Being removed, or half removed: of no more use.
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    version: str
    # amd64 or arm64.
    architecture: str
    cpus: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Credential:
    username: str
    # Kept out of every repr, and so out of logs and tracebacks.
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SandboxNames:
    """What an instance's containers share through their sandbox."""

    hostname: str
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    # name → address
    extra_hosts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the machine that a container may read, or write."""

    source: str
    target: str
    writable: bool = False
    # What is mounted over the folder later shows in the container, too.
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """A container to create. Security options are the engine's business, the same for all."""

    name: str
    image: str
    labels: Mapping[str, str]
    # Empty: what the image says.
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    mounts: tuple[Mount, ...] = ()
    # A sandbox has names and no network; any other container joins a sandbox's namespace.
    sandbox: SandboxNames | None = None
    joins: ContainerId | None = None
    cgroup_parent: str = ""
    # 0: no limit of its own.
    cpu_milli: int = 0
    cpu_shares: int = 0
    memory_bytes: int = 0
    pids: int = 4096


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine shows it."""

    id: ContainerId
    name: str
    labels: Mapping[str, str]
    image: str
    phase: Phase
    created_at: datetime
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    # Why it could not be started, in the engine's words.
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    log_path: Path | None = None


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something happened to a container with these labels; look at it to learn what it is now.

    `labels` is empty in the first event of a stream: listening has begun, and what happened before
    has to be looked up.
    """

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float
    memory_bytes: int


class Engine(Protocol):
    async def info(self) -> EngineInfo: ...

    async def has_image(self, reference: str) -> bool: ...

    async def pull(self, reference: str, credential: Credential | None) -> None:
        """`reference` ends in a digest. Raises ImagePullFailed."""
        ...

    async def import_image(self, reference: str, tar: bytes, entrypoint: tuple[str, ...]) -> None:
        """An image of one layer."""
        ...

    async def create(self, recipe: Recipe) -> ContainerId:
        """A container of that name which is there already is given back."""
        ...

    async def start(self, container: ContainerId) -> None:
        """Raises EngineRefused where its program cannot run; harmless on a running one."""
        ...

    async def signal(self, container: ContainerId, name: str) -> None:
        """Harmless where the container does not run."""
        ...

    async def stop(self, container: ContainerId, *, signal: str, grace: float) -> None:
        """`signal`, `grace` seconds, SIGKILL; returns when it has exited."""
        ...

    async def remove(self, container: ContainerId) -> None:
        """Kills first; harmless where it is gone."""
        ...

    async def inspect(self, container: ContainerId) -> Container: ...

    async def list(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """All that carry these labels, whatever their phase."""
        ...

    async def wait(self, container: ContainerId, *, timeout: float) -> int:
        """Its exit code once it has exited. Raises TimeoutError."""
        ...

    def events(self, labels: Mapping[str, str]) -> AsyncGenerator[EngineEvent]:
        """Endings and removals, until the engine goes away (EngineUnavailable)."""
        ...

    async def usage(self, container: ContainerId) -> Usage: ...
