"""Calls that go together: what is asked for while a call is under way makes up the next one.

Alone, a call goes at once; under load each one carries what has gathered meanwhile, so the cost of a call is
shared by as many as there are to share it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from snowcave.kit.tasks import background

T = TypeVar("T")
R = TypeVar("R")


class Ended(Exception):
    """Nobody calls any more: the item was not taken, or what became of it is not known."""


class Together(Generic[T, R]):
    """Made by `together`, which owns the task that calls."""

    def __init__(self, call: Callable[[Sequence[T]], Awaitable[Sequence[R]]], most: int) -> None:
        self._call = call
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._asked = asyncio.Event()
        self._is_over = False

    async def __call__(self, item: T) -> R:
        """What the call answered for this item, or the error that it ended with; Ended at the latest."""
        if self._is_over:
            raise Ended
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._asked.set()
        return await answer

    async def run(self) -> None:
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                while batch := self._next():
                    await self._answer(batch)
        finally:
            self._is_over = True
            _end([answer for _, answer in self._waiting])
            self._waiting.clear()

    def _next(self) -> list[tuple[T, asyncio.Future[R]]]:
        """The oldest of those that are still wanted."""
        batch: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(batch) < self._most:
            item, answer = self._waiting.popleft()
            if not answer.done():
                batch.append((item, answer))
        return batch

    async def _answer(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._call([item for item, _ in batch])
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        except BaseException:
            _end([answer for _, answer in batch])
            raise
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                if not answer.done():
                    answer.set_result(result)


def _end(answers: Sequence[asyncio.Future[R]]) -> None:
    """Told by an error of its own: who waits has not been cancelled."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(Ended())


@asynccontextmanager
async def together(
    call: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, most: int
) -> AsyncGenerator[Together[T, R]]:
    """`call` gets at most `most` items at once, and answers in their order."""
    made = Together(call, most)
    async with background(made.run()):
        yield made
