"""SHOW TABLES, VIEWS, OBJECTS, COLUMNS, SEQUENCES, FILE FORMATS, VARIABLES: as queries. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import Expr, exp

from snowcave.warehouse.catalog import key_shows
from snowcave.warehouse.catalog.objects import literal
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.variables import Variable
from snowcave.warehouse.rewrite import place_of

# DuckDB's default of a column that fakesnow numbers by a sequence.
_NUMBERED = re.compile(r"""nextval\('(?:[^']*\.)?"?_fs_seq_""", re.IGNORECASE)
_NEXT = re.compile(r"^nextval\('([^']+)'\)$")
_IDENTITY = "IDENTITY START 1 INCREMENT 1 NOORDER"
_VARIABLES = re.compile(r"\s*VARIABLES(?:\s+LIKE\s+'(?P<like>[^']*)')?\s*", re.IGNORECASE)
_TABLES = f"""SELECT database_name, schema_name, table_name AS name, 'TABLE' AS kind, comment,
    estimated_size AS rows, NULL AS definition FROM duckdb_tables()
    WHERE {key_shows.USERS} AND NOT internal AND NOT temporary"""
_VIEWS = f"""SELECT database_name, schema_name, view_name AS name, 'VIEW' AS kind, comment,
    NULL AS rows, sql AS definition FROM duckdb_views()
    WHERE {key_shows.USERS} AND NOT internal AND NOT temporary"""
_SEQUENCES = f"""SELECT database_name, schema_name, sequence_name AS name, 'SEQUENCE' AS kind, comment,
    NULL AS rows, NULL AS definition, coalesce(last_value + increment_by, start_value) AS next_value,
    increment_by FROM duckdb_sequences()
    WHERE {key_shows.USERS} AND NOT starts_with(lower(sequence_name), '_fs_seq_')"""
_TERSE = "created_on, name, kind, database_name, schema_name"
_OFF = "'OFF' AS automatic_clustering, 'OFF' AS change_tracking, 'OFF' AS search_optimization"
_SHOWN = {
    "TABLES": (
        _TABLES,
        f"""created_on, name, database_name, schema_name, kind, coalesce(comment, '') AS comment,
        '' AS cluster_by, rows, 0 AS bytes, owner, '1' AS retention_time, {_OFF},
        NULL::VARCHAR AS search_optimization_progress, NULL::BIGINT AS search_optimization_bytes,
        'N' AS is_external, 'N' AS enable_schema_evolution, 'ROLE' AS owner_role_type,
        CASE WHEN definition IS NULL THEN 'N' ELSE 'Y' END AS is_event,
        NULL::VARCHAR AS budget, 'N' AS is_hybrid, 'N' AS is_iceberg, 'N' AS is_dynamic,
        'N' AS is_immutable""",
    ),
    "VIEWS": (
        _VIEWS,
        """created_on, name, '' AS reserved, database_name, schema_name, owner,
        coalesce(comment, '') AS comment, coalesce(text, definition) AS text, 'false' AS is_secure,
        'false' AS is_materialized, 'ROLE' AS owner_role_type, 'OFF' AS change_tracking""",
    ),
    "OBJECTS": (
        f"{_TABLES} UNION ALL {_VIEWS}",
        """created_on, name, database_name, schema_name, kind, coalesce(comment, '') AS comment,
        '' AS cluster_by, rows, 0 AS bytes, owner, '1' AS retention_time, 'ROLE' AS owner_role_type,
        NULL::VARCHAR AS budget, 'N' AS is_hybrid, 'N' AS is_iceberg, 'N' AS is_dynamic""",
    ),
    "SEQUENCES": (
        _SEQUENCES,
        """name, database_name, schema_name, next_value, increment_by AS interval, created_on, owner,
        coalesce(comment, '') AS comment, 'ROLE' AS owner_role_type, 'N' AS ordered""",
    ),
    "FILE FORMATS": (
        "SELECT database_name, schema_name, name, kind FROM noted WHERE kind = 'FILE FORMAT'",
        """created_on, name, database_name, schema_name, text->>'TYPE' AS type, owner,
        coalesce(text->>'COMMENT', '') AS comment,
        json_merge_patch(text, '{"COMMENT": null}')::VARCHAR AS format_options,
        'ROLE' AS owner_role_type""",
    ),
}


@dataclass(frozen=True, slots=True)
class Notes:
    """Databases that have notes of their objects, and queries for those of the session alone."""

    databases: Sequence[str]
    own: Sequence[str]


def query(
    statement: Expr, context: Context, notes: Notes, variables: Mapping[str, Variable]
) -> str | None:
    """DuckDB's SQL for it, or None where it is none of these."""
    if isinstance(statement, exp.Command) and str(statement.this).upper() == "SHOW":
        found = _VARIABLES.fullmatch(str(statement.expression))
        return _variables(found["like"], context, variables) if found else None
    if not isinstance(statement, exp.Show):
        return None
    keys = key_shows.source(statement, context)
    known = keys or _SHOWN.get(statement.name.upper())
    if known is None:
        return None
    source, picked = known
    if statement.name.upper() in ("TABLES", "OBJECTS"):
        source = " UNION ALL ".join([source, *_event_tables(context)])
    order = "name, constraint_name, key_sequence" if keys else "name"
    if statement.args.get("terse"):
        picked = _TERSE
    filters, limit = _filters(statement, context)
    return f"""WITH noted AS ({_noted(notes, context)}) SELECT {picked} FROM (
        SELECT found.*, noted.created_on, coalesce(noted.owner, '') AS owner, noted.text,
        noted.uid, noted.owner_uid
        FROM ({source}) AS found LEFT JOIN noted
        USING (database_name, schema_name, name, kind))
        WHERE {filters} ORDER BY database_name, schema_name, {order} {limit}"""


def _event_tables(context: Context) -> list[str]:
    """Those of the account's own, as rows beside those of `_TABLES`; the definition tells them apart."""
    return [
        f"""SELECT {literal(database)}, {literal(schema)}, {literal(name)}, 'TABLE',
        {literal(one.comment)}, NULL, 'EVENT TABLE'"""
        for (database, schema, name), one in context.event_tables.items()
    ]


def _noted(notes: Notes, context: Context) -> str:
    """The notes of all databases beside each other, with what api notes of event tables."""
    parts = [
        f"SELECT {literal(name)} AS database_name, * "
        f'FROM "{name.replace(chr(34), chr(34) * 2)}"._fs_information_schema._sc_objects'
        for name in notes.databases
    ]
    parts += [
        f"SELECT {literal(database)} AS database_name, {literal(schema)} AS schema_name, "
        f"{literal(name)} AS name, 'TABLE' AS kind, make_timestamptz({one.created_on}) AS created_on, "
        f"{literal(one.owner_name)} AS owner, {one.uid} AS uid, {one.owner} AS owner_uid"
        for (database, schema, name), one in context.event_tables.items()
    ]
    parts += notes.own
    empty = (
        "SELECT ''::VARCHAR AS database_name, ''::VARCHAR AS schema_name, ''::VARCHAR AS name, "
        "''::VARCHAR AS kind, NULL::TIMESTAMPTZ AS created_on, "
        "''::VARCHAR AS owner, ''::VARCHAR AS text, NULL::BIGINT AS uid, NULL::BIGINT AS owner_uid "
        "WHERE false"
    )
    return " UNION ALL BY NAME ".join([empty, *parts])


def _filters(statement: exp.Show, context: Context) -> tuple[str, str]:
    """The condition and the limit."""
    found: list[str] = []
    database, schema = _scope(statement, context)
    if context.schemas is not None:
        found += [_visible(context.schemas), _own_or_granted(context)]
    if database:
        found.append(f"database_name = {literal(database)}")
    if schema:
        found.append(f"schema_name = {literal(schema)}")
    if isinstance(like := statement.args.get("like"), exp.Literal):
        found.append(f"name ILIKE {literal(like.name)} ESCAPE '\\'")
    if isinstance(start := statement.args.get("starts_with"), exp.Literal):
        found.append(f"starts_with(name, {literal(start.name)})")
    if isinstance(after := statement.args.get("from_"), exp.Literal):
        found.append(f"name > {literal(after.name)}")
    limit = statement.args.get("limit")
    return " AND ".join(found) or "true", limit.sql("duckdb") if isinstance(limit, Expr) else ""


def _own_or_granted(context: Context) -> str:
    """Objects of the roles, and those that they hold something on."""
    roles = ", ".join(map(str, sorted(context.roles))) or "NULL"
    held = ", ".join(map(str, sorted(context.held))) or "NULL"
    return f"(owner_uid IN ({roles}) OR uid IN ({held}))"


def _visible(schemas: Collection[tuple[str, str]]) -> str:
    listed = ", ".join(f"({literal(d)}, {literal(s)})" for d, s in sorted(schemas))
    return f"(database_name, schema_name) IN ({listed})" if listed else "false"


def _scope(statement: exp.Show, context: Context) -> tuple[str, str]:
    """Database and schema to look in; empty: everywhere."""
    named = statement.args.get("scope")
    table = named if isinstance(named, exp.Table) else None
    match statement.args.get("scope_kind"):
        case "ACCOUNT":
            return "", ""
        case "DATABASE":
            return (place_of(table, context)[2] if table else context.database), ""
        case "TABLE" if table:
            return place_of(table, context)[:2]
        case "SCHEMA" if table:
            _, database, schema = place_of(table, context)
            return (database if table.args.get("db") else context.database), schema
        case _:
            return context.database, context.schema


def _variables(like: str | None, context: Context, variables: Mapping[str, Variable]) -> str:
    rows = [
        f"({literal(str(context.session))}, {literal(v.updated.isoformat())}::TIMESTAMPTZ, {literal(name)}, "
        f"{literal(v.value)}, {literal(v.type)})"
        for name, v in sorted(variables.items())
    ] or ["(NULL, NULL::TIMESTAMPTZ, NULL, NULL, NULL)"]
    wanted = f"AND name ILIKE '{like}'" if like else ""
    return f"""SELECT session_id, updated_on AS created_on, updated_on, name, value, type, '' AS comment
        FROM (VALUES {", ".join(rows)}) AS v(session_id, updated_on, name, value, type)
        WHERE name IS NOT NULL {wanted}"""


def name_identities(table: pa.Table) -> pa.Table:
    """DESCRIBE TABLE and SHOW COLUMNS: columns that sequences number, in Snowflake's words."""
    names = table.column_names
    if "default" not in names or "kind" not in names:
        return table
    at = names.index("default")
    defaults = table.column(at).to_pylist()
    numbered = [isinstance(d, str) and _NUMBERED.match(d) is not None for d in defaults]
    if not any(isinstance(d, str) and d.startswith("nextval(") for d in defaults):
        return table
    apart = "autoincrement" in names
    shown = [
        ("" if apart else _IDENTITY) if one else default and _NEXT.sub(r"\1.NEXTVAL", default)
        for one, default in zip(numbered, defaults, strict=True)
    ]
    table = table.set_column(at, "default", pa.array(shown, pa.string()))
    if apart:
        marks = pa.array([_IDENTITY if one else "" for one in numbered], pa.string())
        table = table.set_column(names.index("autoincrement"), "autoincrement", marks)
    return table
