"""SHOW PRIMARY KEYS, UNIQUE KEYS and IMPORTED KEYS, from what DuckDB knows of constraints."""

from sqlglot import exp

from snowcave.warehouse.catalog.objects import literal
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import place_of

# Not what the system itself keeps.
USERS = """database_name NOT IN ('memory', 'system', 'temp', '_fs_global') AND schema_name <> 'main'
    AND NOT starts_with(lower(schema_name), '_fs_')"""
_CONSTRAINTS = {
    "PRIMARY KEYS": "PRIMARY KEY",
    "UNIQUE KEYS": "UNIQUE",
    "IMPORTED KEYS": "FOREIGN KEY",
}
_OWN = """created_on, database_name, schema_name, name AS table_name, column_name, key_sequence,
    constraint_name, 'false' AS rely, NULL::VARCHAR AS comment"""
# Foreign keys of DuckDB stay within a schema.
_IMPORTED = """created_on, database_name AS pk_database_name, schema_name AS pk_schema_name,
    referenced_table AS pk_table_name, referenced_column AS pk_column_name,
    database_name AS fk_database_name, schema_name AS fk_schema_name, name AS fk_table_name,
    column_name AS fk_column_name, key_sequence, 'NO ACTION' AS update_rule, 'NO ACTION' AS delete_rule,
    constraint_name AS fk_name, upper(referenced_table || '_' || referenced_column || '_pkey') AS pk_name,
    'NOT DEFERRABLE' AS deferrability, 'false' AS rely, NULL::VARCHAR AS comment"""


def source(statement: exp.Show, context: Context) -> tuple[str, str] | None:
    """A row for each column of each constraint, and what is shown of it; None for any other SHOW."""
    kind = statement.name.upper()
    if (constraint := _CONSTRAINTS.get(kind)) is None:
        return None
    found = f"""SELECT database_name, schema_name, table_name AS name, 'TABLE' AS kind,
        unnest(constraint_column_names) AS column_name,
        generate_subscripts(constraint_column_names, 1) AS key_sequence,
        upper(constraint_name) AS constraint_name, referenced_table,
        unnest(if(len(referenced_column_names) = 0, constraint_column_names, referenced_column_names))
        AS referenced_column FROM duckdb_constraints()
        WHERE {USERS} AND constraint_type = {literal(constraint)} AND {_of_table(statement, context)}"""
    return found, _IMPORTED if kind == "IMPORTED KEYS" else _OWN


def _of_table(statement: exp.Show, context: Context) -> str:
    scope = statement.args.get("scope")
    if statement.args.get("scope_kind") != "TABLE" or not isinstance(scope, exp.Table):
        return "true"
    names = ("database_name", "schema_name", "table_name")
    place = zip(names, place_of(scope, context), strict=True)
    return " AND ".join(f"{column} = {literal(value)}" for column, value in place)
