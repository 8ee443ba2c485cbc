"""What DuckDB does not note about tables, views and sequences: when they were made, and by which role.

One table in each database's file, so it goes and comes with the database. A row without its object is
harmless: whatever reads this table starts from DuckDB's own catalog.
"""

from sqlglot import Expr, exp

from snowcave.warehouse.engine import Context
from snowcave.warehouse.rewrite import place_of

TABLE = "_fs_information_schema._sc_objects"
_KINDS = {"TABLE", "VIEW", "SEQUENCE", "FUNCTION"}


def creation_sql(database: str) -> str:
    """`database`: quoted."""
    return (
        f"CREATE TABLE IF NOT EXISTS {database}.{TABLE} (schema_name VARCHAR, name VARCHAR, kind VARCHAR, "
        "created_on TIMESTAMPTZ, owner VARCHAR, text VARCHAR)"
    )


def changes(statement: Expr, sql: str, context: Context) -> list[str]:
    """What to note once the statement has succeeded."""
    if not context.database:
        return []
    match statement:
        case exp.Create() if _kind(statement) in _KINDS:
            return _created(statement, sql, context)
        case exp.Drop() if _kind(statement) in _KINDS:
            database, schema, name = place_of(statement.find(exp.Table), context)
            return [_forget(database, schema, name, _kind(statement))]
        case exp.Alter() if _kind(statement) in _KINDS:
            renamed = next(iter(statement.find_all(exp.AlterRename)), None)
            return _renamed(statement, renamed, context) if renamed else []
        case _:
            return []


def _created(statement: exp.Create, sql: str, context: Context) -> list[str]:
    database, schema, name = place_of(statement.find(exp.Table), context)
    kind, where = _kind(statement), f"{quoted(database)}.{TABLE}"
    row = ", ".join(literal(part) for part in (schema, name, kind))
    text = literal(sql) if kind in ("VIEW", "FUNCTION") else "NULL"
    values = f"SELECT {row}, now(), {literal(context.role)}, {text}"
    comment = statement.find(exp.SchemaCommentProperty)
    about = (
        [f"COMMENT ON {kind} {path((database, schema, name))} IS {literal(comment.this.name)}"]
        if comment and kind in ("TABLE", "VIEW")
        else []
    )
    if statement.args.get("exists"):
        same = _same(schema, name, kind)
        return [
            f"INSERT INTO {where} {values} WHERE NOT EXISTS (SELECT 1 FROM {where} WHERE {same})"
        ]
    return [_forget(database, schema, name, kind), f"INSERT INTO {where} {values}", *about]


def _renamed(statement: exp.Alter, renamed: exp.AlterRename, context: Context) -> list[str]:
    database, schema, name = place_of(statement.this, context)
    _, _, new = place_of(renamed.this, context)
    return [
        f"UPDATE {quoted(database)}.{TABLE} SET name = {literal(new)} "
        f"WHERE {_same(schema, name, _kind(statement))}"
    ]


def _forget(database: str, schema: str, name: str, kind: str) -> str:
    return f"DELETE FROM {quoted(database)}.{TABLE} WHERE {_same(schema, name, kind)}"


def _same(schema: str, name: str, kind: str) -> str:
    return f"schema_name = {literal(schema)} AND name = {literal(name)} AND kind = {literal(kind)}"


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()


def path(place: tuple[str, str, str]) -> str:
    return ".".join(quoted(part) for part in place)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
