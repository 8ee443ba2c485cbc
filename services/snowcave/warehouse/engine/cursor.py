"""fakesnow's cursor, with gaps closed in what it makes of statements, and DuckDB's connection below it."""

from typing import Any

import duckdb
import pyarrow as pa
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from snowcave.warehouse import columns, rewrite
from snowcave.warehouse.engine.plans import Plan
from snowcave.warehouse.rewrite import flattening, merging, plain_rows

# Rows that are read one by one.
_FEW = 100
_NUMERIC = (exp.Sum, exp.Avg, exp.Median)


class Forgetful(dict[str, Any]):
    """fakesnow keeps every result for ever; we keep them elsewhere and for a while."""

    def __setitem__(self, key: str, value: Any) -> None:
        pass


class Duck:
    """A DuckDB connection that remembers the types of its last result, which Arrow alone does not tell."""

    def __init__(self, inner: duckdb.DuckDBPyConnection) -> None:
        self._inner = inner
        self.types: list[tuple[str, str]] = []

    def execute(self, *args: Any, **kwargs: Any) -> "Duck":
        self._inner.execute(*args, **kwargs)
        return self

    def to_arrow_table(self, *args: Any) -> pa.Table:
        self.types = self._described()
        return self._inner.to_arrow_table(*args)

    def few_rows(self, plan: Plan) -> pa.Table | None:
        """What was executed, where it is plain and was small the last time; None: nothing has been read."""
        if not plan.are_plain or plan.rows > _FEW or self._described() != plan.types:
            return None
        return columns.from_rows(plan.types, self._inner.fetchall())

    def _described(self) -> list[tuple[str, str]]:
        return [(str(d[0]), str(d[1])) for d in self._inner.description or ()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _adds_others(error: Exception) -> bool:
    """Whether texts or semi-structured values are added up: DuckDB has no sum of those."""
    return "No function matches" in str(error)


class Cursor(FakeSnowflakeCursor):
    def run(self, statement: Expr, parameters: list[Any] | None) -> Expr:
        """fakesnow's `execute` from the tree on; answers the last translated statement."""
        statement = rewrite.bare_temporary(statement)
        self.check_db_and_schema(statement)
        if isinstance(statement, exp.Merge):
            return self._merge(statement, parameters)
        if statement.find(*_NUMERIC) is None:
            return self._parts(statement, parameters)
        try:
            return self._parts(statement.copy(), parameters, exact=True)
        except ProgrammingError as error:
            if not _adds_others(error):
                raise
        # Only then as floating-point numbers.
        return self._parts(statement, parameters)

    def _parts(
        self, statement: Expr, parameters: list[Any] | None, *, exact: bool = False
    ) -> Expr:
        translated = statement
        for part in self._transform_explode(statement):
            translated = self._transform(part, parameters)
            if exact:
                translated = rewrite.keep_exact(translated)
            self._execute(translated, parameters if translated.find(exp.Placeholder) else None)
        return translated

    def _merge(self, statement: exp.Merge, parameters: list[Any] | None) -> Expr:
        translated = self._transform(merging.spelled(statement.copy()), parameters)
        given = parameters or ()
        self._rowcount = merging.run(self._duck_conn, statement, translated, given)
        self._arrow_table = self._duck_conn.to_arrow_table()
        return translated

    def _transform(self, expression: Expr, params: Any) -> Expr:
        rows = plain_rows.set_aside(expression)
        translated = super()._transform(rewrite.unquote_calls(expression), params)
        translated = rewrite.call_the_clock(rewrite.quote_reserved(translated))
        translated = flattening.in_order(translated)
        plain_rows.put_back(translated, rows)
        return translated

    def duckdb_sql(self, query: Expr) -> str:
        """A query as DuckDB reads it."""
        query = rewrite.bare_temporary(query)
        self.check_db_and_schema(query)
        translated = self._transform(query, None)
        if translated.find(*_NUMERIC) is not None:
            exact = rewrite.keep_exact(translated.copy()).sql(dialect="duckdb")
            try:
                self._duck_conn.execute("EXPLAIN " + exact)
            except duckdb.Error as error:
                if _adds_others(error):
                    return translated.sql(dialect="duckdb")
            return exact
        return translated.sql(dialect="duckdb")

    @property
    def translated(self) -> str:
        """What DuckDB was given last."""
        return self._last_sql or ""

    @property
    def rows_affected(self) -> int:
        return self._rowcount or 0

    @property
    def table(self) -> pa.Table:
        assert self._arrow_table is not None
        return self._arrow_table
