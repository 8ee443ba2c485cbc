"""Drops jobs that ended long ago. Every replica looks; the first one's drop counts."""

from datetime import UTC, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change
from snowcave.api.statements.existing import clear_up
from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()


class JobRetention:
    """`keep`, `every`: seconds."""

    def __init__(self, catalog: Catalog, clock: Clock, *, keep: float, every: float) -> None:
        self._catalog = catalog
        self._clock = clock
        self._keep = timedelta(seconds=keep)
        self._every = every

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._every)
            try:
                await self.once()
            except SnowcaveError as error:
                log.warning("old_jobs_not_dropped", error=error.message)

    async def once(self) -> None:
        before, now = self._clock.now() - self._keep, Timestamp()
        now.FromDatetime(self._clock.now())
        for (uid,), known in self._catalog.mirrors.services.items():
            if not known.HasField("ended_on") or known.ended_on.ToDatetime(UTC) > before:
                continue
            entry = self._catalog.entry("service", int(uid))
            if entry is not None and entry.message.service.is_job:
                change = Change()
                clear_up(self._catalog, change, entry, now)
                await self._catalog.commit(change)
                log.info("old_job_dropped", job=entry.message.name)
