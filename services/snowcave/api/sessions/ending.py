"""The end of a session: what it runs is cancelled, the warehouse forgets it, its keys go."""

import structlog

from snowcave.api.queries.life import Queries
from snowcave.api.sessions.book import Found, SessionBook
from snowcave.api.warehouse import Warehouse
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()


class SessionEnding:
    def __init__(self, book: SessionBook, queries: Queries, warehouse: Warehouse) -> None:
        self._book = book
        self._queries = queries
        self._warehouse = warehouse

    async def close(self, found: Found) -> None:
        await self._book.close(found)
        log.info("session_closed", session=found.id)
        await self.clear(found.id)

    async def clear(self, session: int) -> None:
        """Of a session that is not in the book any more."""
        self._queries.cancel_session(session)
        try:
            await self._warehouse.close_session(session)
        except SnowcaveError as error:
            # The warehouse bounds its sessions by itself; this one goes with the oldest.
            log.info("warehouse_session_not_closed", session=session, error=error.message)
