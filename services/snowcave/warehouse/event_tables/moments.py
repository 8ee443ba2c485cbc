"""The event table as one session sees it: as of a moment, of which a statement may need a part only."""

from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from snowcave.model import telemetry
from snowcave.model.errors import SnowcaveError
from snowcave.warehouse import rewrite
from snowcave.warehouse.engine import duck_catalog
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.macros import call
from snowcave.warehouse.engine.meaning import Meaning
from snowcave.warehouse.event_tables import bounds as event_bounds
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.event_tables.bounds import EventBounds


class SessionEvents:
    def __init__(self, duck: duckdb.DuckDBPyConnection, own: Path, meaning: Meaning) -> None:
        """`own`: the warehouse's folder of events, see `event_table`."""
        self._duck = duck
        self._own = own
        self._meaning = meaning
        self._now = event_table.Moment()
        event_table.point(duck, own, self._now)

    def point(self, now: event_table.Moment) -> None:
        """What the event table holds from now on."""
        event_table.point(self._duck, self._own, now, self._now)
        if now.resources is not self._now.resources:
            texts = now.resources.values()
            self._meaning.event_tables = {telemetry.told_apart(text)[1] for text in texts}
        self._now = now

    def bounds(self, statement: Expr, context: Context) -> EventBounds:
        """Which rows such a statement can need. Not within a transaction, which an error would end."""
        asked = rewrite.ask_of_events(statement, context, _places(context))
        return event_bounds.evaluated(asked, partial(self._moment, context))

    def are_read(self, statement: Expr, sql: str, context: Context) -> bool:
        """By name, or through a view that does. A table of somebody's own may be called EVENTS too."""
        if event_table.names_its_schema(sql):
            return True
        tables = set(rewrite.tables_of(statement, context))
        return bool(tables & _places(context)) or any(
            event_table.may_read(text) for text in duck_catalog.texts_of_views(self._duck, tables)
        )

    def _moment(self, context: Context, side: Expr) -> datetime | None:
        """What such a constant is as a TIMESTAMP; None: that is not known."""
        try:
            asked = exp.select(call("without_zone", side.copy()))
            ((found,),) = self._duck.execute(self._meaning.translated(asked, context)).fetchall()
        except (duckdb.Error, ProgrammingError, SnowcaveError):
            return None
        return found if isinstance(found, datetime) else None


def _places(context: Context) -> set[tuple[str, str, str]]:
    return {event_table.PLACE, event_table.ALL_PLACE, *context.event_tables}
