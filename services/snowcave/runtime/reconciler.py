"""Level-triggered reconciliation: keys in, convergence out."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic

import structlog

from snowcave.kit.clock import backoff
from snowcave.kit.workqueue import K, WorkQueue
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.metrics import RECONCILES


@dataclass(frozen=True, slots=True)
class Done:
    """Converged. Look again after `again_in` seconds even if nothing changes."""

    again_in: float | None = None


log = structlog.get_logger()

Reconcile = Callable[[K], Awaitable[Done]]

_DONE, _RETRIED, _REFUSED, _BUGS = (
    RECONCILES.labels(outcome) for outcome in ("done", "retry", "refused", "bug")
)


class Reconciler(Generic[K]):
    """Calls `reconcile(key)` until the world matches the store.

    The key says what to look at, never what happened to it, so a lost, doubled or reordered
    event costs latency and nothing else.
    """

    def __init__(
        self,
        reconcile: Reconcile[K],
        *,
        list_keys: Callable[[], Awaitable[Iterable[K]]],
        resync: float = 300.0,
        workers: int = 4,
        rng: random.Random | None = None,
    ) -> None:
        self.queue: WorkQueue[K] = WorkQueue()
        self.bugs = 0
        self._reconcile = reconcile
        self._list_keys = list_keys
        self._resync = resync
        self._workers = workers
        self._rng = rng or random.Random()
        self._delays: dict[K, Iterator[float]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._resync_forever())
            for _ in range(self._workers):
                tasks.create_task(self._work_forever())

    async def _resync_forever(self) -> None:
        while True:
            for key in await self._listed():
                self.queue.add(key)
            await asyncio.sleep(self._resync)

    async def _listed(self) -> Iterable[K]:
        """Whoever knows the keys may be away, at our start too; that must not end the daemon."""
        for delay in backoff(self._rng):
            try:
                return await self._list_keys()
            except SnowcaveError as error:
                if not error.kind.value.retryable:
                    raise
                log.info("keys_not_listed", error=error.message)
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")

    async def _work_forever(self) -> None:
        while True:
            key = await self.queue.get()
            # The worker's task has variables of its own.
            structlog.contextvars.bind_contextvars(reconciled=str(key))
            try:
                self._settle(key, await self._reconcile(key))
                _DONE.inc()
            except SnowcaveError as error:
                (_RETRIED if error.kind.value.retryable else _REFUSED).inc()
                self._retry(key, error)
            except Exception:
                _BUGS.inc()
                self.bugs += 1  # tests assert this stays zero; one bad key must not stop the rest
                log.exception("reconcile_bug")
                self.queue.add_after(key, self._resync)
            finally:
                self.queue.done(key)

    def _settle(self, key: K, done: Done) -> None:
        self._delays.pop(key, None)
        if done.again_in is not None:
            self.queue.add_after(key, done.again_in)

    def _retry(self, key: K, error: SnowcaveError) -> None:
        if not error.kind.value.retryable:
            self._delays.pop(key, None)  # resync will look again; hammering would not help
            return
        delays = self._delays.setdefault(key, backoff(self._rng))
        self.queue.add_after(key, next(delays))
