"""Tasks with owners."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def background(*loops: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run endless loops beside the body. If one fails, so does the body's owner, loudly.

    A single failure is raised as itself, so that callers can catch what they know.
    """
    async with beside() as group:
        tasks = [group.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def beside() -> AsyncGenerator[asyncio.TaskGroup]:
    """A group for tasks that come and go beside the body; failures are raised as by `background`."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        if len(failures.exceptions) == 1:
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        raise


async def until_done(
    future: asyncio.Future[Any],
    again: Callable[[], None] = lambda: None,
    every: float | None = None,
) -> None:
    """Wait for what nobody can leave alone, however often the waiting task is cancelled.

    `again` is called before each wait, and every so many seconds. A cancellation is raised in the end.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        again()
        try:
            await asyncio.wait([future], timeout=every)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def seen_through(call: Callable[[], T]) -> T:
    """Like `asyncio.to_thread`, for what must not go on unseen: cancelling waits until it has ended."""
    running = asyncio.get_running_loop().run_in_executor(None, call)
    await until_done(running)
    return running.result()
