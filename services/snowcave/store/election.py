"""One leader among the replicas of a role.

The leader holds `reign/<role>/<campaign>` under a lease. It stops leading before the lease can have run
out, and its writes carry `fence()`, so that what a leader sends that was paused and does not know yet
that its reign has ended is refused by the store.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from snowcave.kit.clock import Clock, LoopClock, backoff
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import Conflict, SnowcaveError, Unavailable
from snowcave.model.keys import Role
from snowcave.store.api import (
    CompactedError,
    Compare,
    Put,
    Revision,
    Store,
    StoreLease,
)
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# No key has it: a fence that nothing passes.
_NEVER = -1


class Reign:
    """Whether this process leads. Ask `leading` before every round, put `fence()` into every write."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._lease: StoreLease | None = None
        self._revision: Revision = _NEVER
        self._led = asyncio.Event()
        self._subscribers: dict[int, Callable[[bool], None]] = {}
        self._subscriptions = 0

    @property
    def leading(self) -> bool:
        return self._lease is not None and not self._lease.lost

    async def wait_leading(self) -> None:
        while not self.leading:
            self._led.clear()
            await self._led.wait()

    def fence(self) -> Compare:
        """Holds as long as nobody else has led since; never holds before this process has led."""
        return Compare(self.key, create_revision=self._revision)

    def subscribe(self, callback: Callable[[bool], None]) -> Callable[[], None]:
        """Called with `leading` whenever that changes."""
        self._subscriptions += 1
        number = self._subscriptions
        self._subscribers[number] = callback
        return lambda: self._subscribers.pop(number, None) and None

    def begin(self, lease: StoreLease, revision: Revision) -> None:
        self._lease, self._revision = lease, revision
        log.info("reign_begun", key=self.key, revision=revision)
        self._led.set()
        self._tell()

    def end(self) -> None:
        if self._lease is None:
            return
        self._lease = None
        log.info("reign_ended", key=self.key, revision=self._revision)
        self._tell()

    def _tell(self) -> None:
        for callback in list(self._subscribers.values()):
            callback(self._lease is not None)


@asynccontextmanager
async def campaign(
    store: Store,
    role: Role,
    name: str,
    *,
    ttl: float = 10.0,
    holder: str = "",
    clock: Clock = LoopClock(),  # noqa: B008  # stateless
    rng: random.Random | None = None,
) -> AsyncGenerator[Reign]:
    """Entered at once, leading or not; campaigns until it is left, which hands the reign on.

    `holder` is what an operator reads in the reign's key.
    """
    reign = Reign(keys.reign(role).key(name))
    candidate = _Candidate(store, reign, ttl, holder, clock, rng or random.Random())
    async with background(candidate.run()):
        yield reign


class _Candidate:
    def __init__(
        self,
        store: Store,
        reign: Reign,
        ttl: float,
        holder: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._reign = reign
        self._ttl = ttl
        self._holder = holder
        self._clock = clock
        self._rng = rng

    async def run(self) -> None:
        delays = backoff(self._rng, base=0.1, cap=2.0)
        while True:
            try:
                await self._wait_vacant()
                async with self._store.lease(self._ttl) as lease:
                    if revision := await self._claim(lease):
                        delays = backoff(self._rng, base=0.1, cap=2.0)
                        await self._lead(lease, revision)
            except (SnowcaveError, CompactedError) as error:
                log.debug("campaign_interrupted", key=self._reign.key, error=str(error))
                await self._clock.sleep(next(delays))

    async def _wait_vacant(self) -> None:
        held = await self._store.get(self._reign.key)
        if held:
            await self._wait_deleted(held.mod_revision + 1)

    async def _claim(self, lease: StoreLease) -> Revision | None:
        """The revision at which the key became ours; None where somebody else was first."""
        key = self._reign.key
        message = state.Reign(holder=self._holder)
        message.since.FromDatetime(self._clock.now())
        write = Put(key, message.SerializeToString(), lease=lease.id)
        try:
            result = await self._store.txn([Compare(key, create_revision=0)], [write])
        except Unavailable:
            # It may have been written all the same.
            held = await self._store.get(key)
            return held.create_revision if held and held.lease == lease.id else None
        return result.revision if result.succeeded else None

    async def _lead(self, lease: StoreLease, revision: Revision) -> None:
        """Until the lease is lost or the key is taken away."""
        watching = asyncio.create_task(self._wait_deleted(revision + 1))
        losing = asyncio.create_task(lease.wait_lost())
        self._reign.begin(lease, revision)
        try:
            await asyncio.wait([watching, losing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._reign.end()
            for task in (watching, losing):
                task.cancel()
            await asyncio.wait([watching, losing])
        if not watching.cancelled():
            watching.result()  # raises where it was not the key's deletion that ended it

    async def _wait_deleted(self, revision: Revision) -> None:
        """Returns when the key is gone; raises Conflict where that cannot be told any more."""
        batches = self._store.watch(self._reign.key, revision)
        try:
            async for batch in batches:
                for change in batch.changes:
                    if change.key == self._reign.key and change.value is None:
                        return
        except CompactedError as error:
            raise Conflict("The reign's history is gone.") from error
        finally:
            if isinstance(batches, AsyncGenerator):
                await batches.aclose()
