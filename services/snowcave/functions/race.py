"""One batch at two instances: the first good answer counts, and the other request is ended.

What the first instance says counts as if it were alone, but that a failure which may be tried again waits for
the second one. Of that one only a good answer counts; whatever else becomes of it is forgotten.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from snowcave.functions.answers import Answers
from snowcave.functions.attempts import AttemptFailed
from snowcave.functions.connections import Reply
from snowcave.functions.hedging import Allowance
from snowcave.functions.lanes import Lanes, Turn
from snowcave.functions.routing import Instance
from snowcave.functions.settings import HedgeSettings


@dataclass(frozen=True, slots=True)
class Won:
    """By the hedge."""

    answers: Answers
    instance: Instance


# The first attempt raises what it would alone; a hedge without a good answer is None.
First = Callable[[Turn], Coroutine[Any, Any, Reply]]
Hedge = Callable[[Turn], Coroutine[Any, Any, Won | None]]


class Races:
    """Shared by all calls. Where one ends, both its requests have ended, and so has the second one's turn."""

    def __init__(self, settings: HedgeSettings, lanes: Lanes) -> None:
        self._after = settings.after
        self._allowance = Allowance(settings.share)
        self._lanes = lanes
        self._loop = asyncio.get_running_loop()

    async def run(
        self, turn: Turn, first: First, hedge: Hedge, on_hedge: Callable[[], None]
    ) -> Reply | Won:
        """`on_hedge` is called as the hedge is sent, if it is."""
        self._allowance.begin(turn.call)
        asked = self._loop.create_task(first(turn))
        hedged: asyncio.Task[Won | None] | None = None
        try:
            while hedged is None and not await self._is_done_in_time(asked):
                if (spare := self._spare(turn)) is not None:
                    hedged = self._send(hedge, spare)
                    on_hedge()
            return await (asked if hedged is None else _first_good(asked, hedged))
        finally:
            tasks: list[asyncio.Task[Any]] = [asked] if hedged is None else [asked, hedged]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_done_in_time(self, asked: asyncio.Task[Reply]) -> bool:
        done, _ = await asyncio.wait((asked,), timeout=self._after)
        return bool(done)

    def _spare(self, turn: Turn) -> Turn | None:
        """None where the query has hedged enough, or no other instance has room; there may be one later."""
        if not self._allowance.has_more(turn.call):
            return None
        if (spare := self._lanes.spare(turn)) is not None:
            self._allowance.spend(turn.call)
        return spare

    def _send(self, hedge: Hedge, spare: Turn) -> asyncio.Task[Won | None]:
        task = self._loop.create_task(hedge(spare))
        # It may be cancelled before it begins.
        task.add_done_callback(lambda _: self._lanes.give_back(spare))
        return task


async def _first_good(asked: asyncio.Task[Reply], hedged: asyncio.Task[Won | None]) -> Reply | Won:
    await asyncio.wait((asked, hedged), return_when=asyncio.FIRST_COMPLETED)
    if not asked.done() or isinstance(asked.exception(), AttemptFailed):
        won = await hedged
        if won is not None:
            return won
    return await asked
