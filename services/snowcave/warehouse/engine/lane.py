"""A thread for calls that are over at once, beside the pool for those that are not.

Waking a thread, and then the loop, costs more than a small query does. What comes together goes through the
lane one after the other and is answered together, so both are paid once for all of them. Nobody waits there
for one that takes long after all: the pool takes over those behind it, and what has ended is told.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Seconds between two looks at the lane while it is busy; nobody behind a long call waits longer for the pool.
_LOOK = 0.005


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    call: Callable[[], T]
    future: asyncio.Future[T]
    result: T | None = None
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:
            self.error = error

    def tell(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)  # type: ignore[arg-type]
        else:
            self.future.set_exception(self.error)


class Lane:
    """Belongs to the loop that it was made on. `close` it when all calls have ended."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._ended: deque[_Call[Any]] = deque()
        # Calls that the lane has not told of yet.
        self._count = 0
        # When the thread took up what it is at.
        self._since = 0.0
        self._look: asyncio.TimerHandle | None = None
        Thread(target=self._work, name="sql-lane", daemon=True).start()

    def submit(self, call: Callable[[], T], *, is_quick: bool) -> asyncio.Future[T]:
        """Through the lane where the call is expected to be over at once, and else by the pool."""
        made = _Call(call, self._loop.create_future())
        if not is_quick:
            self._pool.submit(self._in_pool, made)
            return made.future
        self._count += 1
        self._waiting.put(made)
        if self._look is None:
            self._look = self._loop.call_later(_LOOK, self._look_after)
        return made.future

    def close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._waiting.put(None)

    # ------------------------------------------------------------ on the loop

    def _look_after(self) -> None:
        self._look = None
        self._tell()
        if self._count == 0:
            return
        if time.monotonic() - self._since > _LOOK:
            self._clear()
        self._look = self._loop.call_later(_LOOK, self._look_after)

    def _clear(self) -> None:
        """To the pool with everything behind what takes long."""
        while True:
            try:
                waiting = self._waiting.get_nowait()
            except Empty:
                return
            if waiting is not None:
                self._count -= 1
                self._pool.submit(self._in_pool, waiting)

    def _tell(self) -> None:
        while self._ended:
            self._count -= 1
            self._ended.popleft().tell()

    # ------------------------------------------------------------ on threads

    def _in_pool(self, call: _Call[Any]) -> None:
        call.run()
        self._loop.call_soon_threadsafe(call.tell)

    def _work(self) -> None:
        while (call := self._next()) is not None:
            self._since = time.monotonic()
            call.run()
            self._ended.append(call)

    def _next(self) -> _Call[Any] | None:
        """Blocks. What has ended is told as soon as nothing waits."""
        try:
            return self._waiting.get_nowait()
        except Empty:
            if self._ended:
                self._loop.call_soon_threadsafe(self._tell)
            return self._waiting.get()
