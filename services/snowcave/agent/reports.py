"""What the agent tells the mesh: `node/<node>` and `report/<node>/<instance>`, under one heartbeat lease.

What should be there is kept in memory; a single writer makes the store match it, everything
again whenever a new lease was needed. Only what differs from what was last written is written.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from snowcave.kit.clock import Clock, backoff
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.store.api import Delete, Put, Store, StoreLease, Write
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

# Writes of one transaction.
_BATCH = 100
_RETRY_CAP = 2.0


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Seconds."""

    # The node's heartbeat lease.
    lease: float = 10.0


class Reports:
    """Made by `open_reports`."""

    def __init__(
        self,
        store: Store,
        node: state.Node,
        before: Mapping[str, state.InstanceReport],
        settings: ReportSettings,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        # What the agent before this one had told, by instance.
        self.before = dict(before)
        self._store = store
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._node_key = keys.NODES.key(node.name)
        self._node = node.name
        # By key: the value that should be there; empty for none.
        self._wanted: dict[str, bytes] = {self._node_key: node.SerializeToString()}
        self._written: dict[str, bytes] = {}
        self._news = asyncio.Event()

    def put(self, report: state.InstanceReport) -> None:
        self._want(report.instance, report.SerializeToString(deterministic=True))

    def told(self, instance: str) -> state.InstanceReport | None:
        """What we say of it; None: nothing."""
        value = self._wanted.get(keys.REPORTS.key(self._node, instance))
        return state.InstanceReport.FromString(value) if value else None

    def drop(self, instance: str) -> None:
        """There is nothing to tell of it any more."""
        self._want(instance, b"")

    def _want(self, instance: str, value: bytes) -> None:
        key = keys.REPORTS.key(self._node, instance)
        if self._wanted.get(key) != value:
            self._wanted[key] = value
            self._news.set()

    async def run(self) -> None:
        delays = backoff(self._rng, cap=_RETRY_CAP)
        while True:
            try:
                async with self._store.lease(self._settings.lease) as lease:
                    self._written = {}
                    await self._write_all(lease)
                    delays = backoff(self._rng, cap=_RETRY_CAP)
                    await self._write_while(lease)
                log.warning("heartbeat_lease_lost", node=self._node)
            except SnowcaveError as error:
                log.warning("report_not_written", node=self._node, error=error.message)
                await self._clock.sleep(next(delays))

    async def _write_while(self, lease: StoreLease) -> None:
        lost = asyncio.ensure_future(lease.wait_lost())
        try:
            while not lease.lost:
                news = asyncio.ensure_future(self._news.wait())
                try:
                    await asyncio.wait((news, lost), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    news.cancel()
                await self._write_with_patience(lease)
        finally:
            lost.cancel()

    async def _write_with_patience(self, lease: StoreLease) -> None:
        """A store that is away for less than the lease's life costs a pause, not the lease."""
        for delay in backoff(self._rng, cap=_RETRY_CAP):
            if lease.lost:
                return
            try:
                return await self._write_all(lease)
            except SnowcaveError as error:
                log.info("report_delayed", node=self._node, error=error.message)
                await self._clock.sleep(delay)

    async def _write_all(self, lease: StoreLease) -> None:
        self._news.clear()
        differing = {k: v for k, v in self._wanted.items() if self._written.get(k) != v}
        for batch in _batches(differing):
            writes: list[Write] = [
                Put(key, value, lease.id) if value else Delete(key) for key, value in batch.items()
            ]
            await self._store.txn((), writes)
            self._written.update(batch)
            for key, value in batch.items():
                if not value and self._wanted.get(key) == b"":
                    del self._wanted[key], self._written[key]


def _batches(items: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    pairs = list(items.items())
    return [dict(pairs[i : i + _BATCH]) for i in range(0, len(pairs), _BATCH)]


@asynccontextmanager
async def open_reports(
    store: Store, node: state.Node, settings: ReportSettings, clock: Clock, rng: random.Random
) -> AsyncGenerator[Reports]:
    """Entered before the node is announced; the node's keys go when it is left."""
    listing = await store.list(keys.REPORTS.under(node.name))
    before = {
        keys.REPORTS.split(item.key)[1]: state.InstanceReport.FromString(item.value)
        for item in listing.items
    }
    reports = Reports(store, node, before, settings, clock, rng)
    async with background(reports.run()):
        yield reports
