"""What the registry does by itself: tags kept equal to the store's, garbage collected."""

import asyncio
from collections.abc import Callable

import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.registry import metrics
from snowcave.registry.backend.api import Backend, Collected, Pin
from snowcave.registry.errors import PartUnavailable, RegistryError
from snowcave.registry.repositories import Repositories
from snowcave.registry.settings import RegistrySettings
from snowcave.registry.tags import Tags

log = structlog.get_logger()


class Upkeep:
    """`age()` gives the seconds since the store last spoke to the catalog's mirror."""

    def __init__(
        self,
        settings: RegistrySettings,
        backend: Backend,
        repositories: Repositories,
        tags: Tags,
        clock: Clock,
        age: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._repositories = repositories
        self._tags = tags
        self._clock = clock
        self._age = age
        self._collecting = asyncio.Lock()

    async def collect(self, dry_run: bool = False) -> Collected:
        """Raises PartUnavailable where what is in use cannot be told now."""
        stale = self._settings.garbage.stale
        async with self._collecting:
            if self._age() > stale:
                raise PartUnavailable("the state store has not spoken for too long")
            # Repositories after pins: a service pins only what is in a repository.
            pins = frozenset(
                Pin(ref.repository, ref.image_name, ref.digest)
                for ref in self._repositories.pins()
            )
            done = await self._backend.collect(self._repositories.uids(), pins, dry_run)
        if not dry_run and done.blobs:
            metrics.COLLECTED.inc(done.bytes)
            log.info("garbage_collected", blobs=done.blobs, bytes=done.bytes)
        return done

    async def keep_tags(self) -> None:
        """Endless; the store being away only delays it."""
        while True:
            try:
                await self._tags.reconcile()
            except (SnowcaveError, RegistryError, TimeoutError) as error:
                log.warning("tags_not_reconciled", error=str(error))
            await self._clock.sleep(self._settings.reconcile)

    async def keep_clean(self) -> None:
        """Endless."""
        while True:
            await self._clock.sleep(self._settings.garbage.every)
            try:
                await self.collect()
            except (SnowcaveError, RegistryError, OSError) as error:
                log.warning("garbage_not_collected", error=str(error))
