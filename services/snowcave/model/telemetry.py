"""Which event table rows belong to: decided as they come in, from the catalog as it is then. Pure.

A row bears the number of its table among its RESOURCE_ATTRIBUTES; readers of the table take it out again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from snowcave.v1 import state_pb2 as state

# The number of SNOWFLAKE.TELEMETRY.EVENTS, and of no table at all.
DEFAULT = 0
NOWHERE = -1
# The attribute with the number; without it rows are the default table's. The prefix is the platform's own.
ATTRIBUTE = "snow.event_table.number"
# In SNOWFLAKE.TELEMETRY, for statements of api's own: the rows of all event tables.
ALL_EVENTS = "ALL_EVENTS"

# The catalog's object of a domain and uid, dropped or not.
Get = Callable[[str, int], state.Object | None]


@dataclass(frozen=True, slots=True)
class Routes:
    """Numbers of the tables that are set: the account's, and those of databases with one of their own."""

    account: int = DEFAULT
    databases: Mapping[int, int] = field(default_factory=dict[int, int])

    def of(self, database: int) -> int:
        return self.databases.get(database, self.account)

    @property
    def are_plain(self) -> bool:
        return self.account == DEFAULT and not self.databases


def routes_of(account: state.Object | None, databases: Iterable[state.Object], get: Get) -> Routes:
    """A table that is gone, or dropped with what holds it, counts for nothing."""
    own: dict[int, int] = {}
    for database in databases:
        number = _number(database.database.event_table, get)
        if number is not None:
            own[database.uid] = number
    number = _number(account.account.event_table, get) if account else None
    return Routes(DEFAULT if number is None else number, own)


def told_apart(attributes: str) -> tuple[str, int]:
    """RESOURCE_ATTRIBUTES as readers have them, and the number of the table that their rows are in."""
    if ATTRIBUTE not in attributes:
        return attributes, DEFAULT
    found = json.loads(attributes)
    number = found.pop(ATTRIBUTE, DEFAULT)
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False), number


def _number(uid: int, get: Get) -> int | None:
    if uid in (DEFAULT, NOWHERE):
        return uid or None
    table = get("event_table", uid)
    schema = get("schema", table.parent) if table else None
    database = get("database", schema.parent) if schema else None
    for one in (table, schema, database):
        if one is None or one.HasField("dropped_on"):
            return None
    return table.event_table.number if table else None
