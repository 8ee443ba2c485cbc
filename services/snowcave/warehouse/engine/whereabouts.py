"""Where a session's connection is: database, schema and time zone."""

from typing import Any

import duckdb
from fakesnow.conn import FakeSnowflakeConnection

from snowcave.warehouse.engine.api import Context

_UTC = "UTC"
# The search path of a session without a database.
_NOWHERE = "memory.main"


class Whereabouts:
    """Puts fakesnow's connection and DuckDB's where each request says that the session is."""

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, connection: FakeSnowflakeConnection
    ) -> None:
        self._duck = duck
        self._connection: Any = connection
        self.database = self.schema = ""
        # DuckDB's search path as it was set here; empty where something else may have changed it.
        self._path = ""
        self._time_zone = _UTC
        duck.execute(f"SET search_path = '{_NOWHERE}'")

    def look_at(self, context: Context) -> None:
        self._tell_time(context.parameters.get("TIMEZONE") or _UTC)
        here = (context.database, context.schema)
        connection = self._connection
        if here == (self.database, self.schema) and (here != ("", "") or self._path == _NOWHERE):
            return
        connection.database, connection._schema = context.database or None, context.schema or None
        connection.database_set, connection.schema_set = (
            bool(context.database),
            bool(context.schema),
        )
        path = (
            f"{_quoted(context.database)}.{_quoted(context.schema or 'main')}"
            if context.database
            else _NOWHERE
        )
        try:
            self._duck.execute("SET search_path = '" + path.replace("'", "''") + "'")
            (self.database, self.schema), self._path = here, path
        except duckdb.CatalogException:
            # Dropped meanwhile: names must be qualified then, as on Snowflake.
            self._duck.execute(f"SET search_path = '{_NOWHERE}'")
            self._path = ""
            connection.database_set = connection.schema_set = False
            self.database = self.schema = ""

    def note(self, *, may_have_moved: bool) -> None:
        """Where a statement has left the connection."""
        self.database = self._connection.database or ""
        self.schema = self._connection.schema or ""
        if may_have_moved:
            self._path = ""

    def _tell_time(self, zone: str) -> None:
        if zone != self._time_zone:
            self._duck.execute("SET TimeZone = '" + zone.replace("'", "''") + "'")
            self._time_zone = zone


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
