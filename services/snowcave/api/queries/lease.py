"""The lease of this replica: what it alone can bring to its end hangs on it."""

import random

from snowcave.kit.clock import Clock, backoff
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import LeaseId, Store


class ReplicaLease:
    """`current` is 0 while there is none; records made then are swept up like all others."""

    def __init__(self, store: Store, ttl: float, clock: Clock, rng: random.Random) -> None:
        self._store = store
        self._ttl = ttl
        self._clock = clock
        self._rng = rng
        self._current: LeaseId = 0

    def current(self) -> LeaseId:
        return self._current

    async def run(self) -> None:
        """Holds a lease for ever, and takes a new one when it was lost."""
        pauses = backoff(self._rng, base=0.2, cap=self._ttl)
        while True:
            try:
                async with self._store.lease(self._ttl) as lease:
                    self._current = lease.id
                    pauses = backoff(self._rng, base=0.2, cap=self._ttl)
                    await lease.wait_lost()
            except SnowcaveError:
                await self._clock.sleep(next(pauses))
            finally:
                self._current = 0
