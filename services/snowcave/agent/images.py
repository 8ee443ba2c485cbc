"""Images on this node: which are there, which are on their way, and why one does not come.

A pull belongs to the instances that want it: two wait for one pull, and when the last of them goes
the pull is given up. A failed pull is tried again with growing pauses for as long as it is wanted.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from snowcave.agent.engine.api import Credential, Engine
from snowcave.agent.instances.plan import ImageState
from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()

# A credential to pull from one repository (its path).
Issue = Callable[[str], Awaitable[Credential]]


@dataclass(frozen=True, slots=True)
class PullSettings:
    """Seconds, but for `at_once`."""

    # Pulls on this node at one time.
    at_once: int = 3
    retry_base: float = 2.0
    retry_cap: float = 60.0


@dataclass(slots=True)
class _Image:
    repository: str
    state: ImageState = ImageState.PULLING
    wanted_by: set[str] = field(default_factory=set[str])
    task: asyncio.Task[None] | None = None


class Images:
    """Made by `open_images`. `changed` is called with every instance that waits for the image."""

    def __init__(
        self,
        engine: Engine,
        issue: Issue,
        changed: Callable[[str], None],
        settings: PullSettings,
        clock: Clock,
        rng: random.Random,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._engine = engine
        self._issue = issue
        self._changed = changed
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._tasks = tasks
        self._slots = asyncio.Semaphore(settings.at_once)
        self._images: dict[str, _Image] = {}

    def state(self, reference: str) -> ImageState:
        image = self._images.get(reference)
        return image.state if image else ImageState.UNKNOWN

    def want(self, reference: str, repository: str, instance: str) -> None:
        image = self._images.setdefault(reference, _Image(repository))
        image.wanted_by.add(instance)
        if image.task is None and image.state is not ImageState.READY:
            image.task = self._tasks.create_task(self._fetch(reference, image))

    def missing(self, reference: str) -> None:
        """The engine no longer has it."""
        image = self._images.pop(reference, None)
        if image is not None and image.task is not None:
            image.task.cancel()

    def release(self, instance: str) -> None:
        """The instance wants nothing any more."""
        for reference, image in list(self._images.items()):
            image.wanted_by.discard(instance)
            if not image.wanted_by:
                self.missing(reference)

    def give_up(self) -> None:
        for reference in list(self._images):
            self.missing(reference)

    async def _fetch(self, reference: str, image: _Image) -> None:
        settings = self._settings
        for delay in backoff(self._rng, settings.retry_base, settings.retry_cap):
            try:
                async with self._slots:
                    if not await self._engine.has_image(reference):
                        credential = await self._issue(image.repository)
                        await self._engine.pull(reference, credential)
                        log.info("image_pulled", image=reference)
            except SnowcaveError as error:
                log.warning("image_not_pulled", image=reference, error=error.message)
                self._settle(image, ImageState.FAILED)
                await self._clock.sleep(delay)
                continue
            break
        image.task = None
        self._settle(image, ImageState.READY)

    def _settle(self, image: _Image, state: ImageState) -> None:
        if image.state is not state:
            image.state = state
            for instance in list(image.wanted_by):
                self._changed(instance)


@asynccontextmanager
async def open_images(
    engine: Engine,
    issue: Issue,
    changed: Callable[[str], None],
    settings: PullSettings,
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[Images]:
    """Pulls under way are given up when it is left."""
    async with asyncio.TaskGroup() as tasks:
        images = Images(engine, issue, changed, settings, clock, rng, tasks)
        try:
            yield images
        finally:
            images.give_up()
