"""IF EXISTS and IF NOT EXISTS of tables, views and sequences: what is answered where nothing is to be done.

DuckDB carries these statements out rightly, but does not tell whether it did anything.
"""

import duckdb
from sqlglot import Expr, exp

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import place_of

# By kind: DuckDB's list of them, the column of their names, and whether some are a session's own.
_LISTS = {
    "TABLE": ("duckdb_tables()", "table_name", "temporary"),
    "VIEW": ("duckdb_views()", "view_name", "temporary"),
    "SEQUENCE": ("duckdb_sequences()", "sequence_name", "temporary"),
}


def unmet(statement: Expr, context: Context, duck: duckdb.DuckDBPyConnection) -> str:
    """The status of a statement whose condition keeps it from doing anything; empty where it is to be run."""
    if not isinstance(statement, (exp.Create, exp.Drop)) or not statement.args.get("exists"):
        return ""
    kind = str(statement.args.get("kind")).upper()
    if kind not in _LISTS or statement.find(exp.TemporaryProperty):
        return ""
    place = place_of(statement.find(exp.Table), context)
    if isinstance(statement, exp.Create):
        here = _is_there(kind, place, duck, or_temporary=False)
        return f"{place[2]} already exists, statement succeeded." if here else ""
    if _is_there(kind, place, duck, or_temporary=True):
        return ""
    return f"Drop statement executed successfully ({place[2]} already dropped)."


def has_table(place: tuple[str, str, str], duck: duckdb.DuckDBPyConnection) -> bool:
    return _is_there("TABLE", place, duck, or_temporary=False)


def _is_there(
    kind: str,
    place: tuple[str, str, str],
    duck: duckdb.DuckDBPyConnection,
    *,
    or_temporary: bool,
) -> bool:
    source, column, temporary = _LISTS[kind]
    database, schema, name = place
    found = duck.execute(
        f"SELECT 1 FROM {source} WHERE upper({column}) = upper(?) AND ((database_name = ? "
        f"AND upper(schema_name) = upper(?)) OR (? AND {temporary})) LIMIT 1",
        [name, database, schema, or_temporary],
    ).fetchall()
    return bool(found)
