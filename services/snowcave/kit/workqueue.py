"""A queue of keys waiting to be reconciled.

A key waits at most once however often it is added, and is never held by two workers at once;
an add() during processing runs the key again afterwards, so no change is ever lost.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Bounded by the number of distinct keys."""

    def __init__(self) -> None:
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._active: set[K] = set()
        # With the loop's time at which it is due: uvloop's handles do not always tell.
        self._later: dict[K, tuple[float, asyncio.Handle]] = {}
        self._wakeup = asyncio.Event()

    def __len__(self) -> int:
        return len(self._dirty) + len(self._active)

    def add(self, key: K) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._active:
            self._waiting.append(key)
            self._wakeup.set()

    def add_after(self, key: K, seconds: float) -> None:
        """At most one timer a key, the earliest asked for."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if key in self._later:
            earlier, handle = self._later[key]
            if earlier <= due:
                return
            handle.cancel()
        self._later[key] = due, loop.call_later(seconds, self._due, key)

    def _due(self, key: K) -> None:
        self._later.pop(key, None)
        self.add(key)

    async def get(self) -> K:
        while not self._waiting:
            self._wakeup.clear()
            await self._wakeup.wait()
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K) -> None:
        self._active.discard(key)
        if key in self._dirty:
            self._waiting.append(key)
            self._wakeup.set()
