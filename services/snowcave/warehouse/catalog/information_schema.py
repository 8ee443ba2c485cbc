"""INFORMATION_SCHEMA.TABLES with what fakesnow's leaves out: views, owners, times and comments."""

import duckdb

from snowcave.warehouse.catalog.objects import TABLE, literal, quoted

_OURS = "_fs_information_schema"
# fakesnow's view, under a name of our own; `_fs_tables` is what users are shown.
_LISTED, _TABLES = "_fs_tables", "_sc_tables"


def complete_tables(duck: duckdb.DuckDBPyConnection, database: str) -> None:
    """Once fakesnow's views and our notes of objects are there. Raises DuckDB's errors."""
    here = f"{quoted(database)}.{_OURS}"
    duck.execute(f"ALTER VIEW {here}.{_LISTED} RENAME TO {_TABLES}")
    duck.execute(f"CREATE VIEW {here}.{_LISTED} AS {_all(database)}")


def _all(database: str) -> str:
    """Those of fakesnow and the views; what is noted of either wins."""
    notes = f"{quoted(database)}.{TABLE}"
    return f"""
        SELECT listed.* EXCLUDE (told) REPLACE (
            coalesce(noted.owner, listed.TABLE_OWNER) AS TABLE_OWNER,
            coalesce(noted.created_on, listed.CREATED) AS CREATED,
            coalesce(listed.told, listed."COMMENT") AS "COMMENT")
        FROM ({_tables(database)} UNION ALL BY NAME {_views(database)}) AS listed
        LEFT JOIN {notes} AS noted ON noted.schema_name = listed.TABLE_SCHEMA
            AND noted.name = listed.TABLE_NAME AND noted.kind IN ('TABLE', 'VIEW')"""


def _tables(database: str) -> str:
    return f"""
        SELECT theirs.*, duck.comment AS told
        FROM {quoted(database)}.{_OURS}.{_TABLES} AS theirs JOIN duckdb_tables() AS duck
        ON duck.database_name = {literal(database)} AND duck.schema_name = theirs.TABLE_SCHEMA
            AND duck.table_name = theirs.TABLE_NAME"""


def _views(database: str) -> str:
    """What a view has not stays empty, as at Snowflake: rows, bytes, retention."""
    return f"""
        SELECT database_name AS TABLE_CATALOG, schema_name AS TABLE_SCHEMA, view_name AS TABLE_NAME,
            'VIEW' AS TABLE_TYPE, 'YES' AS IS_INSERTABLE_INTO, 'YES' AS IS_TYPED,
            'NO' AS AUTO_CLUSTERING_ON, 'NO' AS IS_TEMPORARY, 'NO' AS IS_ICEBERG, 'NO' AS IS_DYNAMIC,
            'NO' AS IS_IMMUTABLE, 'NO' AS IS_HYBRID, comment AS told
        FROM duckdb_views()
        WHERE database_name = {literal(database)} AND NOT internal
            AND schema_name NOT IN ({literal(_OURS)}, 'main')"""
