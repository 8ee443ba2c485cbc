"""The leader's turns: one decision after the other, each on a view that shows all writes before it.

Every write compares the reign (nobody else leads) and the ledger key (no write of our own happened of
which we do not know: its answer may have been lost). After a doubt, and when a reign begins, the next
turn starts with a look at the store itself.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from snowcave.model import keys
from snowcave.model.errors import Conflict, Unavailable
from snowcave.model.keys import KeySpace
from snowcave.store.api import Compare, Listing, Put, Store, Write
from snowcave.store.election import Reign
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state

Own = Sequence[tuple[KeySpace[Any], Mirror[Any]]]

_KEY = keys.LEDGER.key("leader")


class Ledger:
    """`own`: the mirrors of everything that we write."""

    def __init__(self, store: Store, reign: Reign, own: Own, catch_up: float) -> None:
        self._store = store
        self._reign = reign
        self._own = own
        self._catch_up = catch_up
        self._turn = asyncio.Lock()
        # The reign in which we know all that was written; None in doubt.
        self._sure: Compare | None = None
        self._revision = 0
        # By the place in `own`: the revision that the mirror has learned last.
        self._shown = [0] * len(own)
        self._book = state.SchedulerLedger()

    @property
    def leading(self) -> bool:
        return self._reign.leading

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[state.SchedulerLedger]:
        """Nobody else decides meanwhile. Gives a copy of the book, to be handed to `commit`.

        Raises Conflict where we do not lead, Unavailable where the store does not answer.
        """
        async with self._turn:
            if not self._reign.leading:
                raise Conflict("This scheduler does not lead.")
            if self._sure is None or self._sure != self._reign.fence() or not self._is_shown():
                await self._make_sure()
            book = state.SchedulerLedger()
            book.CopyFrom(self._book)
            yield book

    async def commit(self, writes: Sequence[Write], book: state.SchedulerLedger) -> None:
        """All of it, seen in our mirrors when this returns. Raises Conflict, Unavailable."""
        sure = self._sure
        if sure is None:
            raise Conflict("A write outside of a turn.")
        self._sure = None
        compares = [sure, Compare(_KEY, mod_revision=self._revision)]
        result = await self._store.txn(compares, [*writes, Put(_KEY, book.SerializeToString())])
        if not result.succeeded:
            raise Conflict("Another leader has written, or an earlier write of ours.")
        self._revision = result.revision
        self._book.CopyFrom(book)
        self._learn(writes, result.revision)
        self._sure = sure

    def _learn(self, writes: Sequence[Write], revision: int) -> None:
        """Nobody else writes there, so our mirrors need not wait for their watches."""
        for at, (space, mirror) in enumerate(self._own):
            mine = [write for write in writes if write.key.startswith(space.prefix)]
            if mine:
                mirror.learn(mine, revision)
                self._shown[at] = revision

    def _is_shown(self) -> bool:
        """A mirror that had to list again may for a moment be behind what it has learned."""
        return all(mirror.revision >= self._shown[at] for at, (_, mirror) in enumerate(self._own))

    async def _make_sure(self) -> None:
        fence = self._reign.fence()
        # First the ledger: whatever lands after this makes the next commit fail.
        held = await self._store.get(_KEY)
        self._revision = held.mod_revision if held else 0
        self._book = state.SchedulerLedger.FromString(held.value if held else b"")
        for space, mirror in self._own:
            listing = await self._store.list(space.prefix, keys_only=True)
            expected = _revisions(space, listing)
            await self._caught_up(mirror, lambda m, expected=expected: _shows(m, expected))
        self._shown = [0] * len(self._own)
        self._sure = fence

    async def _caught_up(self, mirror: Mirror[Any], predicate: Any) -> None:
        try:
            async with asyncio.timeout(self._catch_up):
                await mirror.wait(predicate)
        except TimeoutError as error:
            raise Unavailable("Our mirrors do not show what the store has.") from error


def _revisions(space: KeySpace[Any], listing: Listing) -> dict[tuple[str, ...], int]:
    return {space.split(item.key): item.mod_revision for item in listing.items}


def _shows(mirror: Mirror[Any], expected: dict[tuple[str, ...], int]) -> bool:
    """The mirror has come as far as the listing. (A value that is no message counts as absent in it.)"""
    if mirror.revision < max(expected.values(), default=0):
        return False
    entries = ((parts, mirror.entry(*parts)) for parts, _ in mirror.items())
    return all(e is not None and e.mod_revision == expected.get(parts) for parts, e in entries)
