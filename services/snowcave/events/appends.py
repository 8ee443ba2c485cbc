"""Appends that wait for a store's one writer: it takes all that came meanwhile, and stores them together."""

import asyncio
from dataclasses import dataclass

import prometheus_client

from snowcave.events.intake import Incoming
from snowcave.events.settings import EventsSettings
from snowcave.events.store import Lane
from snowcave.model.errors import Exhausted, Unavailable

STORED_ROWS = prometheus_client.Counter("snowcave_events_rows", "Rows stored.")
DOUBLED_ROWS = prometheus_client.Counter("snowcave_events_doubled_rows", "Rows sent again.")


@dataclass(frozen=True, slots=True)
class Waiting:
    rows: Incoming
    lane: Lane
    stored: asyncio.Future[None]

    def succeed(self) -> None:
        if not self.stored.done():  # its sender may have gone away
            self.stored.set_result(None)

    def fail(self, failure: Unavailable) -> None:
        self.lane.is_broken = True
        if not self.stored.done():
            self.stored.set_exception(failure)


class Appends:
    """A queue of which one writer takes; no longer than the service lets appends wait."""

    def __init__(self, settings: EventsSettings) -> None:
        self._settings = settings
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue()

    async def add(self, rows: Incoming, lane: Lane) -> None:
        """Returns once the writer has stored it. Raises what `EventStore.append` does."""
        stored = asyncio.get_running_loop().create_future()
        try:
            if len(rows) > self._settings.largest_append:
                raise Exhausted(f"An append holds at most {self._settings.largest_append} rows.")
            # Without a pause before it: appends of a lane keep their order.
            self._queue.put_nowait(Waiting(rows, lane, stored))
            async with asyncio.timeout(self._settings.append_deadline):
                await stored
        except TimeoutError as error:
            lane.is_broken = True
            raise Unavailable("The event table did not store it in time.") from error
        except BaseException:
            lane.is_broken = True
            raise

    async def next(self, most_rows: int = 0) -> list[Waiting]:
        """What waits, and about so many rows of it (0: all). Those of broken lanes fail here."""
        waiting = [await self._queue.get()]
        count = len(waiting[0].rows)
        while not self._queue.empty() and (not most_rows or count < most_rows):
            waiting.append(self._queue.get_nowait())
            count += len(waiting[-1].rows)
        for one in waiting:
            if one.lane.is_broken:
                one.fail(Unavailable("An earlier append could not be stored."))
        return [one for one in waiting if not one.lane.is_broken]
