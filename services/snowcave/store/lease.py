"""A lease that is kept alive, and the knowledge whether it still can be."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import LeaseId

log = structlog.get_logger()

# Asks the store for another full life; its answer is the life in seconds, 0 where it has expired.
Refresh = Callable[[LeaseId], Awaitable[float]]
Revoke = Callable[[LeaseId], Awaitable[None]]


class KeptLease:
    """A StoreLease. Its end is reckoned from when an answered request was *sent*, so it is never late."""

    def __init__(self, lease_id: LeaseId, ttl: float, sent: float, clock: Clock) -> None:
        self._id = lease_id
        self._ttl = ttl
        self._clock = clock
        self._expires = sent + ttl
        self._gone = False
        self._over = asyncio.Event()

    @property
    def id(self) -> LeaseId:
        return self._id

    @property
    def lost(self) -> bool:
        return self._gone or self._clock.monotonic() >= self._expires

    async def wait_lost(self) -> None:
        await self._over.wait()

    async def keep(self, refresh: Refresh) -> None:
        """Ask again every third of its life, until it is lost."""
        try:
            pause = self._ttl / 3
            while not self.lost:
                await self._clock.sleep(min(pause, self._left()))
                if not self.lost:
                    pause = self._ttl / 3 if await self._refreshed(refresh) else self._ttl / 20
        finally:
            self._gone = True
            self._over.set()

    async def _refreshed(self, refresh: Refresh) -> bool:
        sent = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._left()):
                ttl = await refresh(self._id)
        except (SnowcaveError, TimeoutError) as error:
            log.debug("lease_not_refreshed", lease=self._id, error=str(error))
            return False
        if ttl <= 0:
            self._gone = True
        else:
            self._expires = sent + ttl
        return True

    def _left(self) -> float:
        return max(0.0, self._expires - self._clock.monotonic())


@asynccontextmanager
async def kept(
    lease: KeptLease, refresh: Refresh, revoke: Revoke, *, patience: float
) -> AsyncGenerator[KeptLease]:
    """Keep the lease alive beside the body; revoke it afterwards, so that its keys go at once."""
    keeping = asyncio.create_task(lease.keep(refresh), name=f"lease-{lease.id}")
    try:
        yield lease
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        try:
            async with asyncio.timeout(patience):
                await revoke(lease.id)
        except (SnowcaveError, TimeoutError) as error:
            # It runs out by itself.
            log.debug("lease_not_revoked", lease=lease.id, error=str(error))
    if not keeping.cancelled():
        keeping.result()
