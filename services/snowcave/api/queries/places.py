"""How many statements run at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Place:
    """One statement's place among those that run."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._held = False

    async def __aenter__(self) -> "Place":
        await self._slots.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_failure: object) -> None:
        self._give_up()

    @asynccontextmanager
    async def aside(self) -> AsyncGenerator[None]:
        """Gives the place to others; what fails in between does not wait to get it back."""
        self._give_up()
        yield
        await self.__aenter__()

    def _give_up(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()
