"""What DuckDB does not note about tables, views and sequences: when they were made, and whose they are.

File formats are nothing but notes: their text is what they say, as JSON.

Each has a number of its own, which grants are about: a table that takes another one's name has none of
its grants.

One table in each database's file, so it goes and comes with the database. A row without its object is
harmless: whatever reads this table starts from DuckDB's own catalog.
"""

from sqlglot import Expr, exp

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite import is_temporary, place_of

TABLE = "_fs_information_schema._sc_objects"
_KINDS = {"TABLE", "VIEW", "SEQUENCE", "FUNCTION", "FILE FORMAT"}
_WITH_TEXT = {"VIEW", "FUNCTION", "FILE FORMAT"}
# 53 bits of chance: a number that no grant knows yet.
_NEW_UID = "CAST(hash(uuid()) >> 11 AS BIGINT)"


def creation_sql(database: str) -> str:
    """`database`: quoted. Notes of before there were numbers get theirs, and no owner but administrators."""
    table = f"{database}.{TABLE}"
    return f"""
        CREATE TABLE IF NOT EXISTS {table} (schema_name VARCHAR, name VARCHAR, kind VARCHAR,
            created_on TIMESTAMPTZ, owner VARCHAR, text VARCHAR, uid BIGINT, owner_uid BIGINT);
        ALTER TABLE {table} ADD COLUMN IF NOT EXISTS uid BIGINT;
        ALTER TABLE {table} ADD COLUMN IF NOT EXISTS owner_uid BIGINT;
        UPDATE {table} SET uid = {_NEW_UID} WHERE uid IS NULL"""


def changes(statement: Expr, sql: str, context: Context) -> list[str]:
    """What to note once the statement has succeeded. What gives rows has made the objects that they name.

    Temporary objects are their session's, and have no notes.
    """
    named = statement.find(exp.Table)
    if named is None or not place_of(named, context)[0]:
        return []
    is_own = statement.args.get("temporary") or statement.find(exp.TemporaryProperty)
    if is_temporary(named) or is_own:
        return []
    match statement:
        case exp.Create() if _kind(statement) in _KINDS:
            return _created(statement, sql, context)
        case exp.Drop() if _kind(statement) in _KINDS:
            place = place_of(statement.find(exp.Table), context)
            return [_forget(place, _kind(statement)) + _if_gone(place, _kind(statement))]
        case exp.Alter() if _kind(statement) in _KINDS:
            renamed = next(iter(statement.find_all(exp.AlterRename)), None)
            return _renamed(statement, renamed, context) if renamed else []
        case _:
            return []


def _created(statement: exp.Create, sql: str, context: Context) -> list[str]:
    place = place_of(statement.find(exp.Table), context)
    database, schema, name = place
    kind, where = _kind(statement), f"{quoted(database)}.{TABLE}"
    row = ", ".join(literal(part) for part in (schema, name, kind))
    text = literal(sql) if kind in _WITH_TEXT else "NULL"
    insert = (
        f"INSERT INTO {where} (schema_name, name, kind, created_on, owner, text, uid, owner_uid) "
        f"SELECT {row}, now(), {literal(context.role)}, {text}, {_NEW_UID}, {context.role_uid}"
    )
    made = f"RETURNING uid, kind, {literal(database)}, schema_name, name, owner_uid, epoch_us(created_on)"
    comment = statement.find(exp.SchemaCommentProperty)
    about = (
        [f"COMMENT ON {kind} {path(place)} IS {literal(comment.this.name)}"]
        if comment and kind in ("TABLE", "VIEW")
        else []
    )
    same = _same(schema, name, kind)
    if statement.args.get("exists"):
        return [f"{insert} WHERE NOT EXISTS (SELECT 1 FROM {where} WHERE {same}) {made}"]
    if statement.find(exp.CopyGrantsProperty):
        # The same number, so the same grants.
        kept = f"UPDATE {where} SET created_on = now(), text = {text} WHERE {same}"
        again = f"{insert} WHERE NOT EXISTS (SELECT 1 FROM {where} WHERE {same}) {made}"
        return [kept, again, *about]
    return [_forget(place, kind), f"{insert} {made}", *about]


def _renamed(statement: exp.Alter, renamed: exp.AlterRename, context: Context) -> list[str]:
    place = place_of(statement.this, context)
    database, schema, name = place
    _, _, new = place_of(renamed.this, context)
    kind = _kind(statement)
    return [
        f"UPDATE {quoted(database)}.{TABLE} SET name = {literal(new)} "
        f"WHERE {_same(schema, name, kind)}{_if_gone(place, kind)}"
    ]


def _forget(place: tuple[str, str, str], kind: str) -> str:
    database, schema, name = place
    return f"DELETE FROM {quoted(database)}.{TABLE} WHERE {_same(schema, name, kind)}"


def _if_gone(place: tuple[str, str, str], kind: str) -> str:
    """A temporary table may have been meant, that hid this one."""
    if kind != "TABLE":
        return ""
    database, schema, name = (literal(part) for part in place)
    return (
        " AND NOT EXISTS (SELECT 1 FROM duckdb_tables() WHERE NOT temporary "
        f"AND database_name = {database} AND upper(schema_name) = upper({schema}) "
        f"AND upper(table_name) = upper({name}))"
    )


def _same(schema: str, name: str, kind: str) -> str:
    """As DuckDB compares names."""
    return (
        f"upper(schema_name) = upper({literal(schema)}) AND upper(name) = upper({literal(name)}) "
        f"AND kind = {literal(kind)}"
    )


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()


def path(place: tuple[str, str, str]) -> str:
    return ".".join(quoted(part) for part in place)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
