"""A key that says that somebody is alive: it lives under a lease, and is gone soon after its writer."""

import random

import structlog

from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import Store

log = structlog.get_logger()


async def announce(store: Store, key: str, value: bytes, *, ttl: float, clock: Clock) -> None:
    """Endless: where the lease is lost, the key is written again under a new one. It is gone when we end."""
    delays = backoff(random.Random(), base=0.1, cap=2.0)
    while True:
        try:
            async with store.lease(ttl) as lease:
                await store.put(key, value, lease=lease.id)
                log.info("announced", key=key)
                delays = backoff(random.Random(), base=0.1, cap=2.0)
                await lease.wait_lost()
                log.warning("announcement_lost", key=key)
        except SnowcaveError as error:
            log.warning("not_announced", key=key, reason=str(error))
        await clock.sleep(next(delays))
