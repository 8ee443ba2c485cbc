"""Room for so many bytes at one time, given in the order in which it was asked for."""

import asyncio
from collections import deque


class Room:
    """What is larger than all of it passes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def taken(self) -> int:
        return self._taken

    async def take(self, size: int) -> None:
        """Until there is room for it, which `give` gives back."""
        if not self._waiting and self._fits(size):
            self._taken += size
            return
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append((size, admitted))
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self.give(size)
            else:
                self._waiting.remove((size, admitted))
                self._admit()
            raise

    def give(self, size: int) -> None:
        self._taken -= size
        self._admit()

    def _fits(self, size: int) -> bool:
        return self._taken + size <= self._most or self._taken == 0

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, admitted = self._waiting.popleft()
            self._taken += size
            admitted.set_result(None)
