"""A container engine in memory, for unit tests, the seeded simulator and scale runs of many nodes.

It behaves as Docker does where the contract suite looks, and misbehaves on request: `behaviours`
says by image reference what its containers do, `away` and `hangs` what the engine itself does.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from snowcave.agent.engine.api import (
    Container,
    ContainerId,
    Credential,
    EngineEvent,
    EngineInfo,
    Phase,
    Recipe,
    Usage,
)
from snowcave.kit.clock import Clock, LoopClock
from snowcave.model.errors import (
    ContainerGone,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    ImagePullFailed,
)

_KILLED = 128 + 9


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What an image's containers do. Seconds."""

    # How long a pull takes, and why it fails (empty: it does not).
    pull: float = 0.0
    pull_error: str = ""
    start: float = 0.0
    start_error: str = ""
    # Exits by itself after so long, with this code.
    exits_after: float | None = None
    exit_code: int = 0
    oom: bool = False
    # Does not leave on any signal but SIGKILL.
    stubborn: bool = False


@dataclass(slots=True)
class SimulatedDeadlines:
    """How long a call waits for an engine that hangs, in seconds."""

    call: float = 10.0


class SimulatedEngine:
    """One node's engine. Everything in it may be looked at and changed by the test that owns it."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        cpus: int = 8,
        memory_bytes: int = 32 << 30,
        log_folder: Path | None = None,
        deadlines: SimulatedDeadlines | None = None,
    ) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.images: set[str] = set()
        self.containers: dict[ContainerId, Container] = {}
        self.recipes: dict[ContainerId, Recipe] = {}
        # What `usage` tells, where a test says so.
        self.usages: dict[ContainerId, Usage] = {}
        # Calls that changed something, in order: (verb, container or image).
        self.changes: list[tuple[str, str]] = []
        self.away = False
        self.hangs = False
        self._clock = clock or LoopClock()
        self._info = EngineInfo("simulated", "amd64", cpus, memory_bytes)
        self._log_folder = log_folder
        self._deadlines = deadlines or SimulatedDeadlines()
        self._numbers = itertools.count(1)
        self._listeners: set[asyncio.Queue[EngineEvent | None]] = set()
        self._exits: dict[ContainerId, asyncio.TimerHandle] = {}
        self._ended: dict[ContainerId, asyncio.Event] = {}

    async def info(self) -> EngineInfo:
        await self._answer()
        return self._info

    async def has_image(self, reference: str) -> bool:
        await self._answer()
        return reference in self.images

    async def pull(self, reference: str, credential: Credential | None) -> None:
        await self._answer()
        behaviour = self._behaviour(reference)
        await self._clock.sleep(behaviour.pull)
        if behaviour.pull_error:
            raise ImagePullFailed(reference, behaviour.pull_error)
        self.changes.append(("pull", reference))
        self.images.add(reference)

    async def import_image(self, reference: str, tar: bytes, entrypoint: tuple[str, ...]) -> None:
        await self._answer()
        self.images.add(reference)

    async def create(self, recipe: Recipe) -> ContainerId:
        await self._answer()
        for container in self.containers.values():
            if container.name == recipe.name:
                return container.id
        if recipe.image not in self.images:
            raise ImageMissing(recipe.image)
        made = ContainerId(f"{next(self._numbers):064x}")
        self.recipes[made] = recipe
        self._ended[made] = asyncio.Event()
        self.containers[made] = Container(
            id=made,
            name=recipe.name,
            labels=dict(recipe.labels),
            image=recipe.image,
            phase=Phase.CREATED,
            created_at=self._clock.now(),
            log_path=self._log_folder / f"{made}-json.log" if self._log_folder else None,
        )
        self.changes.append(("create", recipe.name))
        return made

    async def start(self, container: ContainerId) -> None:
        await self._answer()
        found = self._get(container)
        if found.phase is Phase.RUNNING:
            return
        behaviour = self._behaviour(found.image)
        await self._clock.sleep(behaviour.start)
        recipe = self.recipes[container]
        if recipe.joins and self._get(recipe.joins).phase is not Phase.RUNNING:
            raise EngineRefused(f"cannot join network of a non running container: {recipe.joins}")
        if behaviour.start_error:
            self.containers[container] = replace(found, error=behaviour.start_error, exit_code=127)
            raise EngineRefused(behaviour.start_error)
        self._ended[container].clear()
        self.containers[container] = replace(
            found,
            phase=Phase.RUNNING,
            pid=1000 + int(container, 16),
            started_at=self._clock.now(),
            finished_at=None,
            exit_code=0,
        )
        self.changes.append(("start", found.name))
        if behaviour.exits_after is not None:
            self._exits[container] = asyncio.get_running_loop().call_later(
                behaviour.exits_after, self.exit, container, behaviour.exit_code, behaviour.oom
            )

    async def signal(self, container: ContainerId, name: str) -> None:
        await self._answer()
        found = self._get(container)
        if found.phase is not Phase.RUNNING:
            return
        self.changes.append((name, found.name))
        if name == "SIGKILL":
            self.exit(container, _KILLED)
        elif not self._behaviour(found.image).stubborn:
            self.exit(container, 128 + 15)

    async def stop(self, container: ContainerId, *, signal: str, grace: float) -> None:
        await self.signal(container, signal)
        try:
            await self.wait(container, timeout=grace)
        except TimeoutError:
            await self.signal(container, "SIGKILL")

    async def remove(self, container: ContainerId) -> None:
        await self._answer()
        if (found := self.containers.get(container)) is None:
            return
        if found.phase is Phase.RUNNING:
            self.exit(container, _KILLED)
        self.changes.append(("remove", found.name))
        del self.containers[container], self.recipes[container]
        self._tell(found.labels)

    async def inspect(self, container: ContainerId) -> Container:
        await self._answer()
        return self._get(container)

    async def list(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        await self._answer()
        return tuple(c for c in self.containers.values() if labels.items() <= c.labels.items())

    async def wait(self, container: ContainerId, *, timeout: float) -> int:
        found = self._get(container)
        if found.phase is not Phase.EXITED:
            async with asyncio.timeout(timeout):
                await self._ended[container].wait()
        return self._get(container).exit_code

    async def events(self, labels: Mapping[str, str]) -> AsyncGenerator[EngineEvent]:
        await self._answer()
        queue: asyncio.Queue[EngineEvent | None] = asyncio.Queue(10_000)
        self._listeners.add(queue)
        try:
            yield EngineEvent({})
            while (event := await queue.get()) is not None:
                if labels.items() <= event.labels.items():
                    yield event
        finally:
            self._listeners.discard(queue)
        raise EngineUnavailable("The container engine has gone away.")

    async def usage(self, container: ContainerId) -> Usage:
        await self._answer()
        quiet = Usage(cpu_seconds=0.0, memory_bytes=1 << 20 if self._get(container).pid else 0)
        return self.usages.get(container, quiet)

    # ------------------------------------------------------------------ what a test does to it

    def exit(self, container: ContainerId, code: int, oom: bool = False) -> None:
        """The container's program ends now."""
        if (timer := self._exits.pop(container, None)) is not None:
            timer.cancel()
        found = self.containers.get(container)
        if found is None or found.phase is not Phase.RUNNING:
            return
        self.containers[container] = replace(
            found,
            phase=Phase.EXITED,
            pid=0,
            exit_code=code,
            oom_killed=oom,
            finished_at=self._clock.now(),
        )
        self._ended[container].set()
        self._tell(found.labels)

    def go_away(self) -> None:
        """Like SIGKILL of the engine with live-restore: containers stay, calls and streams fail."""
        self.away = True
        for queue in self._listeners:
            queue.put_nowait(None)

    def come_back(self) -> None:
        self.away = False

    # ------------------------------------------------------------------

    async def _answer(self) -> None:
        if self.hangs:
            await self._clock.sleep(self._deadlines.call)
            raise EngineUnavailable("The container engine does not answer in time.")
        if self.away:
            raise EngineUnavailable("The container engine does not answer.")
        await asyncio.sleep(0)

    def _behaviour(self, image: str) -> Behaviour:
        return self.behaviours.get(image, Behaviour())

    def _get(self, container: ContainerId) -> Container:
        try:
            return self.containers[container]
        except KeyError:
            raise ContainerGone(container) from None

    def _tell(self, labels: Mapping[str, str]) -> None:
        for queue in self._listeners:
            queue.put_nowait(EngineEvent(labels))
