"""CREATE TABLE … CLONE and … LIKE: a table that is defined as another one is, with its rows or without.

DuckDB's own text of a table has the defaults and constraints that a query of it would lose. Defaults go on
naming the sequences that they named; only the numbers of AUTOINCREMENT columns are each table's own.
"""

import re
import secrets
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from snowcave.model.errors import Unsupported
from snowcave.warehouse.catalog.objects import literal, quoted
from snowcave.warehouse.databases import copying
from snowcave.warehouse.databases.copying import Place
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import TEMPORARY, guard, place_of

_NAME = copying.NAME
_NAMES = rf"\({_NAME}(?:, {_NAME})*\)"
_FOREIGN_KEY = re.compile(
    rf"(?:,\s*(?:CONSTRAINT {_NAME} )?FOREIGN KEY {_NAMES})?\s+REFERENCES {_NAME}(?:\.{_NAME})*{_NAMES}",
    re.IGNORECASE,
)
# Of AUTOINCREMENT columns.
_OWN_NUMBERS = re.compile(r"""nextval\('(?P<path>(?:[^']*\.)?"?_fs_seq_[^']*)'\)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    table: exp.Table
    with_rows: bool


def source(statement: object) -> Source | None:
    """What a table is to be made after. Raises Unsupported."""
    if not isinstance(statement, exp.Create) or str(statement.args.get("kind")).upper() != "TABLE":
        return None
    if isinstance(clone := statement.args.get("clone"), exp.Clone):
        if clone.this.args.get("when"):
            raise Unsupported("CLONE … AT a point of time")
        return Source(clone.this, with_rows=True)
    like = statement.find(exp.LikeProperty)
    return Source(like.this, with_rows=False) if like else None


@dataclass(frozen=True, slots=True)
class _Made:
    """A table to be: its name, and where DuckDB has it."""

    name: str
    place: Place

    @property
    def is_temporary(self) -> bool:
        return (self.place.database, self.place.schema) == TEMPORARY

    @property
    def path(self) -> str:
        return f"{self.place.sql}.{quoted(self.name)}"


class Cloning:
    """`duck` is in no transaction: a definition is one of its own."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck

    def run(self, statement: exp.Create, of: Source, context: Context) -> str:
        """Answers the status. Raises SnowcaveError and DuckDB's errors."""
        database, schema, name = place_of(statement.this.find(exp.Table), context)
        made = _Made(name, Place(database, schema))
        old, old_name, sql, comment = self._found(of.table, context)
        if (old, old_name) != (made.place, made.name):
            self._duck.execute("BEGIN")
            try:
                self._make(statement, made, old, sql, goes_on=of.with_rows)
                if of.with_rows:
                    copying.fill(self._duck, old, old_name, made.path)
                copying.comment(self._duck, old, old_name, comment, made.path)
            except BaseException:
                self._duck.execute("ROLLBACK")
                raise
            self._duck.execute("COMMIT")
        return f"Table {name} successfully created."

    def _found(self, table: exp.Table, context: Context) -> tuple[Place, str, str, str | None]:
        database, schema, name = place_of(table, context)
        rows = self._duck.execute(
            "SELECT database_name, schema_name, table_name, sql, comment FROM duckdb_tables() "
            "WHERE upper(table_name) = upper(?) AND database_name = ? "
            "AND upper(schema_name) = upper(?)",
            [name, database, schema],
        ).fetchall()
        if not rows:
            raise guard.not_found(table)
        ((database, schema, name, sql, comment),) = rows
        return Place(database, schema), name, sql, comment

    def _make(
        self, statement: exp.Create, made: _Made, old: Place, sql: str, *, goes_on: bool
    ) -> None:
        rest = copying.behind_name("TABLE", sql)
        if made.place != old:
            # DuckDB keeps foreign keys within a schema.
            rest = _FOREIGN_KEY.sub("", rest)
        rest = _OWN_NUMBERS.sub(
            lambda match: self._numbers(match["path"], made, old, goes_on=goes_on), rest
        )
        if made.place.database not in (old.database, "temp") and copying.takes_numbers(
            rest, made.place.database
        ):
            what = "CLONE or LIKE in another database of a table with a sequence as a default"
            raise Unsupported(what)
        replace = "OR REPLACE " if statement.args.get("replace") else ""
        kind = "TEMP " if made.is_temporary else ""
        self._duck.execute(f"CREATE {replace}{kind}TABLE {made.path} {rest}")

    def _numbers(self, path: str, made: _Made, old: Place, *, goes_on: bool) -> str:
        """A sequence of the new table's own."""
        name = exp.to_table(path, dialect="duckdb").name
        fresh = f"{name.rpartition('_')[0]}_{secrets.token_hex(4)}"
        kind = "TEMP SEQUENCE" if made.is_temporary else "SEQUENCE"
        what = f"{kind} {made.place.sql}.{quoted(fresh)}"
        copying.sequence(self._duck, old, name, what, goes_on=goes_on)
        path = f"{made.place.sql}.{quoted(fresh)}"
        return f"nextval({literal(path)})"
