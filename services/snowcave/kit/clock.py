"""Time as a dependency, so tests and the simulator can own it. The only reader of the wall clock."""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What code that waits or stamps asks for."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class LoopClock:
    """The event loop's time; tests make the loop's time virtual."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def backoff(rng: random.Random, base: float = 0.1, cap: float = 30.0) -> Iterator[float]:
    """Endless delays in seconds. Full jitter: a fleet that failed together must not retry together."""
    ceiling = base
    while True:
        yield rng.uniform(0, ceiling)
        ceiling = min(cap, ceiling * 2)
