"""What Snowflake means by a statement, put into it where fakesnow would not ask, and into DuckDB's words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
from sqlglot import Expr, exp

from snowcave.model import telemetry
from snowcave.warehouse import rewrite
from snowcave.warehouse.catalog import udfs
from snowcave.warehouse.engine import duck_catalog
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.cursor import Cursor
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.rewrite import (
    binaries,
    days,
    flattening,
    formats,
    lengths,
    semistructured,
    timestamps,
)
from snowcave.warehouse.service_functions import taking

_EVENTS = rewrite.EventTable(
    {event_table.PLACE: telemetry.DEFAULT, event_table.ALL_PLACE: None},
    event_table.COLUMNS,
    event_table.ROWS,
    (event_table.FILES, event_table.TAIL),
    event_table.RESOURCES,
)


class Meaning:
    """Of one session, which is where the statement's context says."""

    def __init__(
        self,
        duck: duckdb.DuckDBPyConnection,
        cursor: Callable[[], Cursor],
        in_transaction: Callable[[], bool],
    ) -> None:
        self._duck = duck
        self._cursor = cursor
        self._in_transaction = in_transaction
        # Of the event tables that the rows are in which the session sees now.
        self.event_tables = set[int]()

    def meant(self, statement: Expr, context: Context) -> Expr:
        types, target = self._columns(statement, context)
        variants = frozenset(name for name, kind in types.items() if kind == "JSON")
        statement = rewrite.compare_variants(statement, variants)
        statement = semistructured.calculate(statement, variants)
        statement = days.read_formats(lengths.cut(statement), types)
        statement = timestamps.read_offsets(statement, types, target)
        statement = binaries.in_hexadecimal(binaries.without_lengths(statement), types)
        statement = formats.write_defaults(statement, types)
        statement = formats.write_times(statement)
        statement = rewrite.take_numbers(rewrite.name_positions(statement), context)
        statement = flattening.carry_options(semistructured.spell_out(statement))
        statement = udfs.call_tables(statement)
        own = {place: one.number for place, one in context.event_tables.items()}
        if own or event_table.may_read(statement.sql()):
            # Most have rows of one table alone, and nothing to choose by.
            numbers = {
                place: None if self.event_tables <= {number} else number
                for place, number in {**_EVENTS.numbers, **own}.items()
            }
            events = replace(_EVENTS, numbers=numbers)
            statement = rewrite.narrow_events(statement, context, events, self._all_resources_meet)
        if own:
            statement = rewrite.name_events(statement, context, replace(_EVENTS, numbers=own))
        return statement

    def translated(self, query: Expr, context: Context) -> str:
        """A query as DuckDB reads it."""
        return self._cursor().duckdb_sql(self.meant(query, context))

    def _all_resources_meet(self, condition: Expr) -> bool:
        """They are few, so it is worth asking."""
        resources = exp.table_(event_table.RESOURCES, db="main", catalog="temp")
        texts = exp.select(exp.column("attributes").as_("RESOURCE_ATTRIBUTES")).from_(resources)
        meets = exp.Coalesce(this=condition.copy(), expressions=[exp.false()])
        others = exp.select("1").from_(texts.subquery("r")).where(exp.Not(this=meets)).limit(1)
        try:
            found: list[Any] = self._duck.execute(self._cursor().duckdb_sql(others)).fetchall()
        except duckdb.Error:  # the statement itself will say what is wrong with it
            return False
        return not found

    def _columns(self, statement: Expr, context: Context) -> tuple[dict[str, str], list[str]]:
        """DuckDB's type of each column of the tables in reach, and the columns of the one that is written."""
        if not rewrite.asks_for_types(statement):
            return {}, []
        own = context.event_tables
        named = rewrite.tables_of(statement, context)
        tables = [event_table.PLACE if place in own else place for place in named]
        made = isinstance(statement, exp.Create) and tables[:1]
        asked = tables[1:] if made else tables
        # To describe the event table, DuckDB looks into each of its files.
        events = [place for place in asked if place[0] == event_table.DATABASE]
        answers = [place for place in asked if place[:2] == taking.SCHEMA]
        others = [place for place in asked if place not in events and place not in answers]
        found = [
            *duck_catalog.columns_of(self._duck, answers, may_fail=True),  # which are there
            *duck_catalog.columns_of(self._duck, events, may_fail=False),
            *duck_catalog.columns_of(self._duck, others, may_fail=not self._in_transaction()),
        ]
        # One name in two tables: semi-structured wins, as the casts that follow from it do no harm elsewhere.
        types: dict[str, str] = {}
        for _, name, kind in found:
            types[name] = kind if types.get(name) != "JSON" else "JSON"
        for alias in statement.find_all(exp.Alias):
            if isinstance(alias.this, exp.Column) and (kind := types.get(alias.this.name.upper())):
                types.setdefault(alias.alias.upper(), kind)
        return types, [name for place, name, _ in found if place == tables[0]]
