"""The session's variables as statements of api's own see them: asked of the warehouse, which keeps them."""

import random
from collections.abc import Mapping

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.api.queries import encoding, rows
from snowcave.api.warehouse import Warehouse
from snowcave.kit import ids

Value = str | int | float | bool | None


class SessionVariables:
    """Raises what the warehouse raises, or Unavailable."""

    def __init__(self, warehouse: Warehouse, rng: random.Random, timeout: float) -> None:
        self._warehouse = warehouse
        self._rng = rng
        self._timeout = timeout

    async def read(self, context: SessionContext) -> Mapping[str, Value]:
        asked = ToWarehouse("SHOW VARIABLES", context)
        reply = await self._warehouse.execute(
            asked, ids.query_id(self._rng), timeout=self._timeout
        )
        shown = rows.rows_of(encoding.read_stream(reply.arrow_stream), list(reply.columns))
        at = {column.name.lower(): index for index, column in enumerate(shown.columns)}
        return {
            str(row[at["name"]]).upper(): _value(str(row[at["type"]]), str(row[at["value"]] or ""))
            for row in shown.rows
        }


def _value(kind: str, text: str) -> Value:
    match kind.lower():
        case "fixed" if text.lstrip("-").isdigit():
            return int(text)
        case "fixed" | "real":
            return float(text)
        case "boolean":
            return text.lower() == "true"
        case _:
            return text
