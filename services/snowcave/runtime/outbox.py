"""Platform events on their way: written with the change that they tell of, stored once, then deleted.

Whoever writes a state puts its events into the same transaction, under a key space of its own. This part
sends them to the event table in the order of their revisions, which are their exactly-once keys: a row
that was stored and not deleted yet, whoever sends it again, is not stored twice. So nothing is lost where
a process ends at any point, and any number of replicas may send.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc.aio
import prometheus_client
import structlog

from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model.errors import SnowcaveError, Unavailable
from snowcave.model.keys import KeySpace
from snowcave.runtime.outcomes import streaming
from snowcave.store.api import Delete, Store
from snowcave.store.mirror import Mirror
from snowcave.v1 import events_pb2 as events
from snowcave.v1.events_pb2_grpc import EventServiceStub

log = structlog.get_logger()

DROPPED = prometheus_client.Counter(
    "snowcave_platform_events_dropped", "Given up unsent, since too many waited."
)

Append = Callable[[events.AppendRequest], Awaitable[None]]

# Entries that may wait: those who write them count from there on what they do not tell.
MOST_WAITING = 5000
# Not all who write look how many wait: beyond this the newest go.
MOST_KEPT = 6000
# Rows of one transaction; revisions and the numbers of rows make up the keys.
MOST_ROWS = 2000
# Entries and rows of one append.
_BATCH = 50
_BATCH_ROWS = 5000
_DELETED_AT_ONCE = 100
_RETRY_CAP = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    parts: tuple[str, ...]
    request: events.AppendRequest
    revision: int

    def order(self) -> tuple[int, int]:
        """Entries of one transaction have one revision; their rows say which comes first."""
        return self.revision, self.request.rows[0].offset if self.request.rows else 0


class Outbox:
    """Made by `open_outbox`."""

    def __init__(
        self,
        store: Store,
        space: KeySpace[events.AppendRequest],
        mirror: Mirror[events.AppendRequest],
        append: Append,
        is_active: Callable[[], bool],
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._store = store
        self._space = space
        self._mirror = mirror
        self._append = append
        self._is_active = is_active
        self._clock = clock
        self._rng = rng
        self._news = asyncio.Event()
        self._news.set()

    def wake(self, *_: object) -> None:
        self._news.set()

    async def run(self) -> None:
        delays = backoff(self._rng, cap=_RETRY_CAP)
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while self._is_active() and (batch := self._next()):
                    await self._send(batch)
                delays = backoff(self._rng, cap=_RETRY_CAP)
            except SnowcaveError as error:
                log.info("platform_events_wait", waiting=len(self._mirror), error=error.message)
                await self._bound()
                await self._clock.sleep(next(delays))
                self._news.set()

    async def _bound(self) -> None:
        gone = self._waiting()[MOST_KEPT:]
        if not self._is_active() or not gone:
            return
        try:
            for start in range(0, len(gone), _DELETED_AT_ONCE):
                some = gone[start : start + _DELETED_AT_ONCE]
                await self._store.txn((), [Delete(self._space.key(*one.parts)) for one in some])
                DROPPED.inc(sum(len(one.request.rows) for one in some))
        except SnowcaveError as error:
            log.info("platform_events_not_dropped", error=error.message)
        else:
            log.warning("platform_events_dropped", entries=len(gone))

    def _waiting(self) -> list[_Waiting]:
        """Oldest first."""
        entries = ((parts, self._mirror.entry(*parts)) for parts, _ in self._mirror.items())
        waiting = [
            _Waiting(parts, entry.message, entry.create_revision)
            for parts, entry in entries
            if entry is not None
        ]
        return sorted(waiting, key=_Waiting.order)

    def _next(self) -> list[_Waiting]:
        chosen: list[_Waiting] = []
        rows = 0
        for one in self._waiting()[:_BATCH]:
            rows += len(one.request.rows)
            if chosen and rows > _BATCH_ROWS:
                break
            chosen.append(one)
        return chosen

    async def _send(self, batch: Sequence[_Waiting]) -> None:
        source = f"platform/{self._space.prefix.strip('/')}"
        await self._append(merged(source, [(one.request, one.revision) for one in batch]))
        await self._store.txn((), [Delete(self._space.key(*one.parts)) for one in batch])
        # Until our own deletion has come back, these entries would be sent once more.
        revision = batch[-1].revision
        gone = {one.parts for one in batch}
        try:
            async with asyncio.timeout(_RETRY_CAP):
                await self._mirror.wait(
                    lambda mirror: (
                        mirror.revision > revision
                        and not any(mirror.get(*parts) for parts in gone)
                    )
                )
        except TimeoutError as error:
            raise Unavailable("The mirror does not show what was deleted.") from error


def merged(
    source: str, waiting: Sequence[tuple[events.AppendRequest, int]]
) -> events.AppendRequest:
    """One append of several entries, in order; each row has its key. Pure.

    Where a transaction has several entries, `offset` numbers the rows of all of them.
    """
    made = events.AppendRequest(sequence=1)
    for request, revision in waiting:
        first = len(made.resources)
        made.resources.extend(request.resources)
        for number, row in enumerate(request.rows):
            added = made.rows.add()
            added.CopyFrom(row)
            added.resource += first
            added.offset += revision * MOST_ROWS
            if not row.offset:
                added.offset += number
    for resource in made.resources:
        resource.source = source
    return made


class EventTable:
    """The events daemon, for one append at a time."""

    def __init__(self, channel: grpc.aio.Channel, deadline: float) -> None:
        self._stub = EventServiceStub(channel)
        self._deadline = deadline

    async def append(self, request: events.AppendRequest) -> None:
        """Returns once it is on disk. Raises Unavailable, or what the daemon raised."""

        async def one() -> AsyncGenerator[events.AppendRequest]:
            yield request

        with streaming("events", self._stub.Append(one(), timeout=self._deadline)) as call:
            async for _ in call:
                return
        raise Unavailable("The events daemon has closed the stream.")


@asynccontextmanager
async def open_outbox(
    store: Store,
    space: KeySpace[events.AppendRequest],
    mirror: Mirror[events.AppendRequest],
    append: Append,
    is_active: Callable[[], bool],
    clock: Clock,
    rng: random.Random,
) -> AsyncGenerator[Outbox]:
    """Sends while it is open. `mirror` follows all of `space`."""
    outbox = Outbox(store, space, mirror, append, is_active, clock, rng)
    unsubscribe = mirror.subscribe(outbox.wake)
    try:
        async with background(outbox.run()):
            yield outbox
    finally:
        unsubscribe()
