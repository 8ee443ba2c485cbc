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


@dataclass(frozen=True, slots=True, eq=False)
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
    """A queue of which one writer takes; no longer than the service lets appends wait.

    What its sender has given up leaves it, however long the writer is held up.
    """

    def __init__(self, settings: EventsSettings) -> None:
        self._settings = settings
        # In the order in which they came.
        self._waiting: dict[Waiting, None] = {}
        self._news = asyncio.Event()

    async def add(self, rows: Incoming, lane: Lane) -> None:
        """Returns once the writer has stored it. Raises what `EventStore.append` does."""
        one = Waiting(rows, lane, asyncio.get_running_loop().create_future())
        try:
            if len(rows) > self._settings.largest_append:
                raise Exhausted(f"An append holds at most {self._settings.largest_append} rows.")
            # Without a pause before it: appends of a lane keep their order.
            self._waiting[one] = None
            self._news.set()
            async with asyncio.timeout(self._settings.append_deadline):
                await one.stored
        except TimeoutError as error:
            lane.is_broken = True
            raise Unavailable("The event table did not store it in time.") from error
        except BaseException:
            lane.is_broken = True
            raise
        finally:
            self._waiting.pop(one, None)

    async def next(self, most_rows: int = 0) -> list[Waiting]:
        """What waits, and about so many rows of it (0: all). Those of broken lanes fail here."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        waiting: list[Waiting] = []
        count = 0
        for one in self._waiting:
            if waiting and most_rows and count >= most_rows:
                break
            waiting.append(one)
            count += len(one.rows)
        for one in waiting:
            del self._waiting[one]
        for one in waiting:
            if one.lane.is_broken:
                one.fail(Unavailable("An earlier append could not be stored."))
        return [one for one in waiting if not one.lane.is_broken]
