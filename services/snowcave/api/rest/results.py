"""What a statement that took long has come to, and the further pages of a long list: from any replica."""

import asyncio

from snowcave.api.contract import Rows, SessionContext
from snowcave.api.queries import rows as row_values
from snowcave.api.queries.answer import InProgress
from snowcave.api.queries.results import StoredResults
from snowcave.api.rest.call import StillRunning, said
from snowcave.api.rest.models import Json
from snowcave.api.rest.settings import RestSettings
from snowcave.api.warehouse import Warehouse
from snowcave.model.errors import StatementNotFound


class Results:
    def __init__(
        self, stored: StoredResults, warehouse: Warehouse, settings: RestSettings
    ) -> None:
        self._stored = stored
        self._warehouse = warehouse
        self._settings = settings

    async def outcome(self, query_id: str, context: SessionContext) -> Json:
        """Raises what the statement failed with, StatementNotFound, StillRunning."""
        try:
            async with asyncio.timeout(self._settings.hold):
                found = await self._stored.outcome(query_id, context)
        except TimeoutError:
            found = InProgress(query_id)
        if isinstance(found, InProgress):
            raise StillRunning(query_id)
        return said(found)

    async def page(self, query_id: str, page: int, context: SessionContext) -> tuple[Rows, int]:
        """The rows of a page, and how many rows there are on all pages. Raises StatementNotFound."""
        known = await self._stored.progress(query_id, context)
        if known is None:
            raise StatementNotFound(query_id)
        size = self._settings.page
        fetched = await self._warehouse.fetch(query_id, page * size, size)
        return row_values.rows_of(fetched.table, fetched.columns), known.record.rows


def page_links(handle: str, page: int, total: int, size: int) -> str:
    """First, next and last, as the clients look for them."""
    last = max(0, (total - 1) // size)
    links = {"first": 0, **({"next": page + 1} if page < last else {}), "last": last}
    return ",".join(
        f'</api/v2/results/{handle}?page={number}>; rel="{word}"' for word, number in links.items()
    )
