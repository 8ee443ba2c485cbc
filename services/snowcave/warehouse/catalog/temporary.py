"""Temporary tables and views by the names that they were given: DuckDB keeps a session's in no schema.

So their names get DuckDB's place before it reads them, and the schema is remembered here; a name without
a schema means such a table only where the session is in that schema.
"""

import duckdb
from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported
from snowcave.warehouse import rewrite
from snowcave.warehouse.catalog.objects import literal
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import guard, place_of

_KINDS = ("TABLE", "VIEW")
_THERE = """SELECT upper(table_name) FROM duckdb_tables() WHERE temporary
    UNION ALL SELECT upper(view_name) FROM duckdb_views() WHERE temporary AND NOT internal"""
_MADE, _RENAMED = "temporary_made", "temporary_renamed"


# As DESCRIBE TABLE has it; fakesnow looks for columns in schemas only.
_DESCRIBED = """SELECT column_name AS "name",
    CASE data_type
        WHEN 'VARCHAR' THEN 'VARCHAR(16777216)' WHEN 'DOUBLE' THEN 'FLOAT' WHEN 'JSON' THEN 'VARIANT'
        WHEN 'BLOB' THEN 'BINARY(8388608)' WHEN 'TIME' THEN 'TIME(9)'
        WHEN 'TIMESTAMP' THEN 'TIMESTAMP_NTZ(9)' WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_TZ(9)'
        WHEN 'BIGINT' THEN 'NUMBER(38,0)' WHEN 'INTEGER' THEN 'NUMBER(38,0)'
        ELSE replace(data_type, 'DECIMAL', 'NUMBER') END AS "type",
    'COLUMN' AS "kind", CASE WHEN is_nullable THEN 'Y' ELSE 'N' END AS "null?",
    column_default AS "default", 'N' AS "primary key", 'N' AS "unique key", NULL::VARCHAR AS "check",
    NULL::VARCHAR AS "expression", comment AS "comment", NULL::VARCHAR AS "policy name",
    NULL::JSON AS "privacy domain"
    FROM duckdb_columns() WHERE database_name = 'temp' AND upper(table_name) = upper({name})
    ORDER BY column_index"""


def description(statement: Expr) -> str:
    """DuckDB's query for DESCRIBE of a temporary table or view; empty for any other statement."""
    kind = str(statement.args.get("kind")).upper()
    if not isinstance(statement, exp.Describe) or kind not in _KINDS:
        return ""
    table = statement.find(exp.Table)
    if table is None or not rewrite.is_temporary(table):
        return ""
    return _DESCRIBED.format(name=literal(table.name))


class TemporaryNames:
    """Of one session."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        # Database and schema by upper-case name; some may be gone.
        self._places: dict[str, tuple[str, str]] = {}

    def resolve(self, statement: Expr, context: Context) -> Expr:
        """Temporary tables with DuckDB's place; those that only share their name with their own."""
        known = self._known()
        if not known:
            return statement
        ctes, made = guard.cte_names(statement), _made(statement)
        for table in list(statement.find_all(exp.Table)):
            if table is made or not isinstance(table.this, exp.Identifier):
                continue
            if not table.db and table.name.upper() in ctes:
                continue
            self._resolve(table, context, known)
        for column in list(statement.find_all(exp.Column)):
            if column.args.get("db"):
                _shorten_column(column, context, known)
        _note_new_name(statement, known)
        return statement

    def place(self, statement: Expr, context: Context) -> Expr:
        """The same for what makes a temporary one. Raises Unsupported."""
        made = _made(statement)
        if made is None:
            return statement
        *place, name = (part.upper() for part in place_of(made, context))
        database, schema = place
        if self._known().get(name, (database, schema)) != (database, schema):
            raise Unsupported("temporary tables of one name in two schemas")
        statement.meta[_MADE] = (name, (database, schema))
        _put(made)
        return statement

    def note(self, statement: Expr) -> None:
        """The statement has been carried out."""
        if (made := statement.meta.get(_MADE)) is not None:
            name, place = made
            self._places[name] = place
        if (renamed := statement.meta.get(_RENAMED)) is not None:
            old, new = renamed
            self._places[new] = self._places[old]

    def _known(self) -> dict[str, tuple[str, str]]:
        if not self._places:
            return {}
        there = {str(name) for (name,) in self._duck.execute(_THERE).fetchall()}
        return {name: place for name, place in self._places.items() if name in there}

    def _resolve(
        self, table: exp.Table, context: Context, known: dict[str, tuple[str, str]]
    ) -> None:
        database, schema, name = place_of(table, context)
        where = known.get(name.upper())
        if where is None:
            return
        if where == (database.upper(), schema.upper()):
            _put(table)
        elif not table.db and database and schema:
            table.set("db", exp.to_identifier(schema, quoted=True))
            table.set("catalog", exp.to_identifier(database, quoted=True))


def _made(statement: Expr) -> exp.Table | None:
    """The name of the temporary table or view that a statement makes."""
    if not isinstance(statement, exp.Create) or not statement.find(exp.TemporaryProperty):
        return None
    is_one = str(statement.args.get("kind")).upper() in _KINDS
    return statement.this.find(exp.Table) if is_one else None


def _put(table: exp.Table) -> None:
    catalog, db = rewrite.TEMPORARY
    table.set("db", exp.to_identifier(db, quoted=True))
    table.set("catalog", exp.to_identifier(catalog, quoted=True))


def _shorten_column(
    column: exp.Column, context: Context, known: dict[str, tuple[str, str]]
) -> None:
    """`s.t.c` of a temporary table."""
    parts = {"this": "table", "db": "db", "catalog": "catalog"}
    table = exp.Table(**{key: column.args.get(part) for key, part in parts.items()})
    database, schema, name = place_of(table, context)
    if known.get(name.upper()) == (database.upper(), schema.upper()):
        column.set("db", None)
        column.set("catalog", None)


def _note_new_name(statement: Expr, known: dict[str, tuple[str, str]]) -> None:
    renamed = statement.find(exp.AlterRename) if isinstance(statement, exp.Alter) else None
    if renamed is None or not isinstance(renamed.this, exp.Table):
        return
    old = statement.this
    if isinstance(old, exp.Table) and rewrite.is_temporary(old) and old.name.upper() in known:
        renamed.this.set("db", None)
        renamed.this.set("catalog", None)
        statement.meta[_RENAMED] = (old.name.upper(), renamed.this.name.upper())
