"""Messages of a call that have not been answered: sent again where a stream breaks, and bounded in number."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager


class Waiting:
    """`most` messages wait at the most, of `most_bytes` together; a single one may be larger."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._messages: deque[bytes] = deque()
        # When the first message could be sent.
        self._since = 0.0
        self._is_finished = False
        self._stream = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        # Messages that were answered, over all streams.
        self.answered = 0

    async def room(self) -> None:
        while len(self._messages) >= self._most or self._bytes >= self._most_bytes:
            self._room.clear()
            await self._room.wait()

    def add(self, message: bytes) -> None:
        if not self._messages and not self.answered:
            self._since = asyncio.get_running_loop().time()
        self._messages.append(message)
        self._bytes += len(message)
        self._news.set()

    async def nearly_answered(self, seconds: float) -> None:
        """Until the answers that are missing are expected within so many seconds; none will be added."""
        while self._messages and not self._is_expected(seconds):
            self._room.clear()
            await self._room.wait()

    def _is_expected(self, seconds: float) -> bool:
        """If they come as the others came."""
        passed = asyncio.get_running_loop().time() - self._since
        return self.answered > 0 and passed * len(self._messages) <= seconds * self.answered

    def finish(self) -> None:
        """No more will be added."""
        self._is_finished = True
        self._news.set()

    def answer(self) -> None:
        """The first one has been."""
        self._bytes -= len(self._messages.popleft())
        self.answered += 1
        self._room.set()

    @contextmanager
    def stream(self) -> Generator[AsyncIterator[bytes]]:
        """From the first unanswered message on; whatever reads an older stream comes to its end."""
        self._stream += 1
        try:
            yield self._from_here(self._stream)
        finally:
            self._stream += 1
            self._news.set()

    async def _from_here(self, stream: int) -> AsyncIterator[bytes]:
        at = self.answered
        while stream == self._stream:
            if at - self.answered < len(self._messages):
                at += 1
                yield self._messages[at - 1 - self.answered]
            elif self._is_finished:
                return
            else:
                self._news.clear()
                await self._news.wait()
