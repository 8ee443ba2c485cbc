"""An event loop whose time is virtual and whose order is drawn from a seed.

    result = run(seed, scenario)          # scenario(rng) is a coroutine function

Callbacks that are ready at once run in an order drawn from the seed, so each seed is another
interleaving, and the same seed is the same run. No sockets, threads or subprocesses in here.
"""

import asyncio
import heapq
import random
import selectors
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

T = TypeVar("T")


class SeededLoop(asyncio.SelectorEventLoop):
    """Asks for nothing but the seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(selectors.SelectSelector())
        self._rng = random.Random(seed)
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        # The two queues of BaseEventLoop; their names have stood since 3.4.
        loop = cast("Any", self)
        ready: deque[Any] = loop._ready
        scheduled: list[Any] = loop._scheduled
        while scheduled and scheduled[0]._cancelled:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            loop._timer_cancelled_count = max(0, loop._timer_cancelled_count - 1)
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0]._when)
        if len(ready) > 1:
            shuffled = list(ready)
            self._rng.shuffle(shuffled)
            ready.clear()
            ready.extend(shuffled)
        cast("Any", super())._run_once()


@contextmanager
def seeded_chance(seed: int) -> Generator[None]:
    """Whoever makes a `random.Random()` of their own meanwhile draws from the seed, too."""
    seeds, original = random.Random(seed), random.Random

    class Drawn(original):
        def __init__(self, given: object = None) -> None:
            super().__init__(seeds.getrandbits(64) if given is None else given)  # type: ignore[arg-type]

    random.Random = Drawn  # type: ignore[misc]
    try:
        yield
    finally:
        random.Random = original  # type: ignore[misc]


def run(seed: int, scenario: Callable[[random.Random], Awaitable[T]]) -> T:
    """One run; what the scenario draws comes from the same seed.

    Of several failures at once the first is raised: the others are mostly what it pulled down.
    """
    with seeded_chance(seed + 2):
        return _run(seed, scenario)


def _run(seed: int, scenario: Callable[[random.Random], Awaitable[T]]) -> T:
    loop = SeededLoop(seed)

    async def main() -> T:
        return await scenario(random.Random(seed + 1))

    try:
        return loop.run_until_complete(main())
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        # First the tasks: a generator that one of them is inside of cannot be closed by anyone else.
        loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
