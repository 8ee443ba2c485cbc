"""What DuckDB's catalog says of a few tables and views, asked so that it need not write out the rest.

Its functions for columns and for views make rows for all there is, with the text of each view, before any of
them is filtered away: as much work as a small query.
"""

from collections.abc import Collection, Sequence

import duckdb

from snowcave.warehouse.catalog.objects import path

# (database, schema, name), folded.
Place = tuple[str, str, str]


def texts_of_views(duck: duckdb.DuckDBPyConnection, places: Collection[Place]) -> list[str]:
    """The definitions of those that are views."""
    if not places:
        return []
    # First the name alone, which few of them have.
    names = sorted({name for *_, name in places})
    marks = ", ".join("?" for _ in names)
    if not duck.execute(
        f"SELECT 1 FROM duckdb_views() WHERE view_name IN ({marks})", names
    ).fetchall():
        return []
    found = duck.execute(
        "SELECT sql FROM duckdb_views() "
        f"WHERE (database_name, schema_name, view_name) IN ({_marks(places)})",
        [part for place in places for part in place],
    ).fetchall()
    return [str(text) for (text,) in found]


def columns_of(
    duck: duckdb.DuckDBPyConnection, places: Sequence[Place], *, may_fail: bool
) -> list[tuple[Place, str, str]]:
    """(table, column in upper case, DuckDB's type), column after column; nothing of what is not there.

    `may_fail`: no transaction is open, which a question about what is not there would end.
    """
    if not places:
        return []
    if may_fail:
        return [row for place in dict.fromkeys(places) for row in _described(duck, place)]
    found = duck.execute(
        "SELECT database_name, schema_name, table_name, upper(column_name), data_type "
        "FROM duckdb_columns() "
        f"WHERE (database_name, schema_name, table_name) IN ({_marks(places)}) ORDER BY column_index",
        [part for place in places for part in place],
    ).fetchall()
    return [
        ((database, schema, table), name, kind) for database, schema, table, name, kind in found
    ]


def _described(duck: duckdb.DuckDBPyConnection, place: Place) -> list[tuple[Place, str, str]]:
    try:
        rows = duck.execute(f"DESCRIBE {path(place)}").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        return []
    return [(place, str(row[0]).upper(), str(row[1])) for row in rows]


def _marks(places: Collection[Place]) -> str:
    return ", ".join("(?, ?, ?)" for _ in places)
