"""Kept connections by instance, and which instance has least to do."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Sequence

from snowcave.ingress.heads import KnownAnswers
from snowcave.ingress.routes import Address
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.upstream import Upstream


class Pool:
    """Bounded in number and in age."""

    def __init__(self, settings: IngressSettings, rng: random.Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = settings.limits.kept
        self._age = settings.deadlines.kept
        self._connect = settings.deadlines.connect
        self._known = KnownAnswers(settings.limits.known)
        self._rng = rng
        self._idle: dict[Address, deque[Upstream]] = {}
        self._busy = Counter[Address]()
        self._all: set[Upstream] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def least_loaded(self, addresses: Sequence[Address]) -> Address:
        """Of one or more; among equals by chance, so that many gateways do not all choose the same."""
        if len(addresses) == 1:
            return addresses[0]
        first = self._rng.randrange(len(addresses))
        turned = (*addresses[first:], *addresses[:first])
        return min(turned, key=self._busy.__getitem__)

    def take(self, address: Address) -> Upstream | None:
        """A kept connection, the youngest first."""
        idle = self._idle.get(address)
        while idle:
            upstream = idle.pop()
            if upstream.usable:
                upstream.busy = True
                self._busy[address] += 1
                upstream.take_again()
                return upstream
        return None

    async def connect(self, address: Address) -> Upstream:
        """Raises OSError, TimeoutError."""
        upstream = Upstream(self, address, self._known)
        self._busy[address] += 1
        try:
            async with asyncio.timeout(self._connect):
                await self._loop.create_connection(lambda: upstream, *address)
        except BaseException:
            # It may have been made all the same, and be lost in a moment: that counts once.
            self.forget(upstream)
            raise
        if not upstream.usable:
            raise ConnectionResetError  # it has been lost already, with nobody to be told
        self._all.add(upstream)
        return upstream

    def keep(self, upstream: Upstream) -> None:
        """For another request; it is read meanwhile, so that the instance's goodbye is noticed."""
        idle = self._idle.setdefault(upstream.address, deque())
        if len(idle) >= self._limit or not upstream.usable:
            upstream.abandon()
            return
        upstream.busy = False
        self._done(upstream.address)
        upstream.kept_at = self._loop.time()
        idle.append(upstream)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(self._age / 4, self._sweep)

    def forget(self, upstream: Upstream) -> None:
        self._all.discard(upstream)
        if upstream.busy:
            upstream.busy = False
            self._done(upstream.address)
        idle = self._idle.get(upstream.address)
        if idle is not None and upstream in idle:
            idle.remove(upstream)
        if not idle:
            self._idle.pop(upstream.address, None)

    def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        for upstream in list(self._all):
            upstream.abandon()

    def _done(self, address: Address) -> None:
        self._busy[address] -= 1
        if not self._busy[address]:
            del self._busy[address]

    def _sweep(self) -> None:
        """One timer for all: most of them are used again at once."""
        self._sweeping = None
        for idle in list(self._idle.values()):
            while idle and self._loop.time() - idle[0].kept_at >= self._age:
                idle.popleft().abandon()
        if any(self._idle.values()):
            self._sweeping = self._loop.call_later(self._age / 4, self._sweep)
