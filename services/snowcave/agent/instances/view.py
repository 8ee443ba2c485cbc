"""What the agent knows of one instance: the engine's containers, and what it has done itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from snowcave.agent.engine.api import Container, ContainerId, Phase
from snowcave.agent.instances.recipe import CONTAINER_LABEL, SANDBOX, Run


@dataclass(frozen=True, slots=True)
class Problem:
    """The engine would not do it; `tries` times in a row, last at `at`."""

    at: datetime
    tries: int = 1
    # It waits for what is not there yet: nothing has failed.
    waiting: bool = False


@dataclass(slots=True)
class View:
    """`stale`: something happened since the engine was asked."""

    stale: bool = True
    sandbox: Container | None = None
    # The latest run of each container, and the runs before it, by the container's name.
    containers: dict[str, Container] = field(default_factory=dict[str, Container])
    earlier: dict[str, tuple[Container, ...]] = field(
        default_factory=dict[str, tuple[Container, ...]]
    )
    # Containers that ran already when the engine was first asked: an agent before this one started them.
    taken_up: frozenset[ContainerId] | None = None
    # PID of the sandbox that was given its network.
    plugged: int = 0
    # When the order to stop was first seen, and when SIGTERM was sent.
    stop_asked: datetime | None = None
    stop_sent: datetime | None = None
    problems: dict[str, Problem] = field(default_factory=dict[str, Problem])
    # Runs that went with a dead sandbox; the next ones count on from them.
    lost_runs: dict[str, Run] = field(default_factory=dict[str, Run])

    def all(self) -> Iterator[Container]:
        if self.sandbox is not None:
            yield self.sandbox
        yield from self.containers.values()
        for runs in self.earlier.values():
            yield from runs

    def running(self) -> tuple[Container, ...]:
        """Application containers that run."""
        return tuple(c for c in self.containers.values() if c.phase is Phase.RUNNING)

    def replace(self, found: Iterable[Container]) -> None:
        """Become what the engine has just told."""
        self.sandbox, self.containers, self.earlier = None, {}, {}
        for container in sorted(found, key=lambda c: Run.of(c).number):
            self.put(container)
        if self.taken_up is None:
            self.taken_up = frozenset(c.id for c in self.running())

    def put(self, container: Container) -> None:
        name = container.labels[CONTAINER_LABEL]
        if name == SANDBOX:
            self.sandbox = container
            return
        before = self.containers.get(name)
        if before is not None and before.id != container.id:
            self.earlier[name] = (*self.earlier.get(name, ()), before)
        self.containers[name] = container

    def drop(self, container: ContainerId) -> None:
        """It has been removed."""
        if self.sandbox is not None and self.sandbox.id == container:
            self.sandbox, self.plugged = None, 0
        self.containers = {n: c for n, c in self.containers.items() if c.id != container}
        self.earlier = {
            name: left
            for name, runs in self.earlier.items()
            if (left := tuple(c for c in runs if c.id != container))
        }

    @property
    def empty(self) -> bool:
        return next(self.all(), None) is None
