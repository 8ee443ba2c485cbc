"""Removes sessions and tokens that have expired, and records of queries long done.

Every replica sweeps; removing twice does no harm.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import Delete, KeyValue, Store
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# Deletions in one transaction.
_BATCH = 64


class Sweep:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        every: float,
        retention: float,
        most: int,
        closed: Callable[[int], Awaitable[None]],
    ) -> None:
        """Ended statements' records are kept for `retention` seconds, and no more than `most` of them.

        `closed` is told of each session that ended.
        """
        self._store = store
        self._clock = clock
        self._every = every
        self._retention = retention
        self._most = most
        self._closed = closed

    async def run(self) -> None:
        while True:
            await self._clock.sleep(self._every)
            try:
                await self.once()
            except SnowcaveError as error:
                log.warning("sweep_failed", error=error.message)

    async def once(self) -> None:
        now = self._clock.now()
        sessions = await self._store.list(keys.SESSIONS.prefix)
        tokens = await self._store.list(keys.SESSION_TOKENS.prefix)
        queries = await self._store.list(keys.QUERIES.prefix)
        ended = list(_expired_sessions(sessions.items, now))
        gone = [key for key, _ in ended]
        gone += _expired_tokens(tokens.items, now)
        before = now - timedelta(seconds=self._retention)
        gone += _old_queries(queries.items, before, self._most)
        for start in range(0, len(gone), _BATCH):
            batch = [Delete(key) for key in gone[start : start + _BATCH]]
            await self._store.txn([], batch)
        for _, session in ended:
            await self._closed(session)


def _expired_sessions(items: Sequence[KeyValue], now: datetime) -> Iterator[tuple[str, int]]:
    for item in items:
        session = state.Session.FromString(item.value)
        if _at(session.expires_on) <= now:
            yield item.key, session.id


def _expired_tokens(items: Sequence[KeyValue], now: datetime) -> Iterator[str]:
    for item in items:
        if _at(state.SessionToken.FromString(item.value).expires_on) <= now:
            yield item.key


def _old_queries(items: Sequence[KeyValue], before: datetime, most: int) -> Iterator[str]:
    """What ended before then, or earlier than the newest `most`."""
    queries = ((item.key, state.Query.FromString(item.value)) for item in items)
    ended = [(_at(query.ended_on), key) for key, query in queries if query.HasField("ended_on")]
    ended.sort(reverse=True)
    for place, (moment, key) in enumerate(ended):
        if place >= most or moment <= before:
            yield key


def _at(moment: Timestamp) -> datetime:
    return moment.ToDatetime(UTC)
