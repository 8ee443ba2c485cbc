"""Which tables a statement names. Pure."""

from sqlglot import Expr, exp

from snowcave.warehouse.engine.api import Context

# Where DuckDB keeps a session's own tables and views. Clients cannot name it, so what has it was put there.
TEMPORARY = ("temp", "main")


def is_temporary(table: exp.Table) -> bool:
    return (table.catalog, table.db) == TEMPORARY


def bare_temporary(statement: Expr) -> Expr:
    """fakesnow has notes of schemas that DuckDB's place has not; a bare name is the session's own first.

    The engine's own, such as the rows of event tables, stay: they are there without a database in use, too.
    """
    for table in statement.find_all(exp.Table):
        if is_temporary(table) and not table.name.startswith("_sc_"):
            table.set("db", None)
            table.set("catalog", None)
    return statement


def name_tables(statement: Expr) -> Expr:
    """IDENTIFIER('db.schema.t') in the place of a table is that table."""
    for table in list(statement.find_all(exp.Table)):
        text = _identifier_text(table)
        if text:
            named = exp.to_table(text, dialect="snowflake")
            for key in ("this", "db", "catalog"):
                table.set(key, named.args.get(key))
    return statement


def _identifier_text(table: exp.Table) -> str:
    call = table.this
    given = call.this if isinstance(call, exp.DynamicIdentifier) else None
    return given.name if isinstance(given, exp.Literal) and given.is_string else ""


def qualify(statement: Expr, database: str, schema: str) -> Expr:
    """Tables without a schema are those of this one, whoever runs the statement and where."""
    ctes = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    for table in list(statement.find_all(exp.Table)):
        named = isinstance(table.this, exp.Identifier) and not table.name.startswith("@")
        if not named or (not table.db and table.name.upper() in ctes):
            continue
        if not table.args.get("db"):
            table.set("db", exp.to_identifier(schema, quoted=True))
        if not table.args.get("catalog"):
            table.set("catalog", exp.to_identifier(database, quoted=True))
    return statement


def tables_of(statement: Expr, context: Context) -> list[tuple[str, str, str]]:
    """(database, schema, name) of every table that the statement reads, folded."""
    tables = [t for t in statement.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
    return [place_of(table, context) for table in tables]


def place_of(table: Expr | None, context: Context) -> tuple[str, str, str]:
    """(database, schema, name) as DuckDB has them, with the session's where the statement names none."""
    if table is None:
        return context.database, context.schema, ""
    database = _fold(table.args.get("catalog")) or context.database
    schema = _fold(table.args.get("db")) or context.schema
    return database, schema, _fold(table.this)


def _fold(identifier: object) -> str:
    if not isinstance(identifier, exp.Identifier):
        return ""
    return identifier.name if identifier.quoted else identifier.name.upper()
