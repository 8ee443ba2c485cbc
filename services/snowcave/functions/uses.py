"""When each service was called last: `use/service/<uid>`, for its AUTO_SUSPEND_SECS.

A first call is told at once, further ones at most once an interval, and what runs on is told anew as long as
it runs. So the store hears of a service once an interval at most, however many calls there are; a stamp
that could not be written is written with the next ones. The stamps of services that are gone go too.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC

import structlog

from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import KeyValue, Put, Store, Write
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# Seconds in which first calls are waited for to be written together.
_GATHERING = 0.2
# Seconds between two looks for stamps of services that are gone.
_SWEEP = 600.0
# Stamps in one transaction.
_BATCH = 100


class Uses:
    def __init__(
        self, store: Store, services: Mirror[state.Object], clock: Clock, interval: float
    ) -> None:
        self._store = store
        self._services = services
        self._clock = clock
        self._interval = interval
        self._under_way: Counter[int] = Counter()
        # Called since their stamp was written.
        self._called: set[int] = set()
        # When it was written, for those of the last interval.
        self._written: dict[int, float] = {}
        self._news = asyncio.Event()
        self._swept: float | None = None

    @contextmanager
    def of(self, service: int) -> Generator[None]:
        """A call of one of its functions runs."""
        self._under_way[service] += 1
        self._note(service)
        try:
            yield
        finally:
            self._under_way[service] -= 1
            if not self._under_way[service]:
                del self._under_way[service]
            self._note(service)

    def _note(self, service: int) -> None:
        self._called.add(service)
        if service not in self._written:
            self._news.set()

    async def run(self) -> None:
        """Endless."""
        while True:
            if await self.write():
                await self._sweep()
                with suppress(TimeoutError):  # what runs on, or was called again
                    async with asyncio.timeout(self._interval):
                        await self._news.wait()
            else:  # a store that is in trouble is not asked for each call
                await self._clock.sleep(self._interval)
            # Many first calls at once share a transaction.
            await self._clock.sleep(min(_GATHERING, self._interval))
            self._news.clear()

    async def write(self) -> bool:
        """The stamps that are due. Whether the store took them all."""
        now = self._clock.monotonic()
        self._written = {s: at for s, at in self._written.items() if now - at < self._interval}
        due = sorted((self._called | set(self._under_way)) - self._written.keys())
        stamp = state.ServiceUse()
        stamp.called_on.FromDatetime(self._clock.now())
        for start in range(0, len(due), _BATCH):
            part = due[start : start + _BATCH]
            writes: list[Write] = [
                Put(keys.SERVICE_USE.key(service), stamp.SerializeToString()) for service in part
            ]
            self._called.difference_update(part)
            try:
                await self._store.txn((), writes)
            except SnowcaveError as error:
                self._called.update(part)
                log.warning("uses_not_written", services=len(part), error=error.message)
                return False
            self._written.update(dict.fromkeys(part, now))
        return True

    async def _sweep(self) -> None:
        """Once in a while: services are dropped much less often than they are called."""
        now = self._clock.monotonic()
        if self._swept is not None and now - self._swept < _SWEEP:
            return
        self._swept = now
        try:
            kept = await self._store.list(keys.SERVICE_USE.prefix)
            for item in kept.items:
                if self._is_left(item):
                    await self._store.delete(item.key)
        except SnowcaveError as error:
            log.info("uses_not_swept", error=error.message)

    def _is_left(self, kept: KeyValue) -> bool:
        """Of a service that is gone, and not of one that another router has heard of first."""
        if self._services.get(*keys.SERVICE_USE.split(kept.key)) is not None:
            return False
        called = state.ServiceUse.FromString(kept.value).called_on.ToDatetime(UTC)
        return (self._clock.now() - called).total_seconds() > _SWEEP
