"""What has come of a request's body while there is nowhere to send it: for an instance, or a form of ours."""

import asyncio

from snowcave.ingress.pages import Refused, page
from snowcave.ingress.settings import IngressSettings


class WaitingBody:
    """`add` says when it holds as much as it may."""

    __slots__ = ("_pieces", "_settings", "_settled", "_size", "is_whole")

    def __init__(self, settings: IngressSettings, *, is_whole: bool) -> None:
        # The request has come in whole, whether it still waits here or not.
        self.is_whole = is_whole
        self._settings = settings
        self._pieces: list[bytes] = []
        self._size = 0
        # Set as soon as the body is whole, or larger than any form of ours.
        self._settled: asyncio.Event | None = None

    def add(self, data: bytes) -> bool:
        """Whether the client is to send no more for now."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._settings.limits.form:
            self._settle()
        return self._size > self._settings.limits.buffered

    def complete(self) -> None:
        self.is_whole = True
        self._settle()

    def take(self) -> list[bytes]:
        """What there is, which waits no longer."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        return pieces

    async def form(self, announced: int) -> bytes:
        """All of it, where it is as short as forms are. `announced` is its length, or 0. Raises Refused."""
        most = self._settings.limits.form
        if announced <= most:
            await self._until_settled(most)
            if self._size <= most:
                return b"".join(self._pieces)
        raise Refused(page(413, "Too large", "That form is too large.", close=True))

    async def _until_settled(self, most: int) -> None:
        self._settled = asyncio.Event()
        if self.is_whole or self._size > most:
            self._settle()
        try:
            async with asyncio.timeout(self._settings.deadlines.head):
                await self._settled.wait()
        except TimeoutError as error:
            text = "The form did not come in time."
            raise Refused(page(408, "Too slow", text, close=True)) from error

    def _settle(self) -> None:
        if self._settled is not None:
            self._settled.set()
