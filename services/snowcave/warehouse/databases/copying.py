"""A schema of DuckDB's copied whole: tables with rows, constraints and comments, views, sequences and macros.

DuckDB can neither rename a schema nor take one out of its database; a copy and a drop in one transaction do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from snowcave.warehouse.catalog import objects
from snowcave.warehouse.catalog.objects import literal, quoted

NAME = r'(?:"(?:[^"]|"")*"|\w+)'
_REFERENCES = re.compile(rf"REFERENCES (?P<schema>{NAME})\.(?={NAME}\()", re.IGNORECASE)
_SEQUENCES = (
    "SELECT sequence_name, start_value, min_value, max_value, increment_by, cycle, last_value "
    "FROM duckdb_sequences() WHERE database_name = ? AND schema_name = ?"
)
_NEXTVAL = re.compile(r"nextval\('(?P<path>(?:[^']|'')*)'\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    database: str
    schema: str

    @property
    def sql(self) -> str:
        return f"{quoted(self.database)}.{quoted(self.schema)}"


def copy_schema(duck: duckdb.DuckDBPyConnection, old: Place, new: Place) -> None:
    """`new` exists and is empty. In the caller's transaction, which writes to `new`'s database alone."""
    # A default may name its sequence without a place.
    duck.execute(f"USE {new.sql}")
    _sequences(duck, old, new)
    _tables(duck, old, new)
    # A macro is looked into when it is called; a view when it is made.
    for sql in (*_macros(duck, old, new), *_views(duck, old, new)):
        duck.execute(sql)
    table = objects.TABLE
    duck.execute(
        f"INSERT INTO {quoted(new.database)}.{table} BY NAME "
        f"SELECT * REPLACE ({literal(new.schema)} AS schema_name) "
        f"FROM {quoted(old.database)}.{table} WHERE schema_name = {literal(old.schema)}"
    )


def _rows(duck: duckdb.DuckDBPyConnection, sql: str, place: Place) -> list[tuple[Any, ...]]:
    return duck.execute(sql, [place.database, place.schema]).fetchall()


def _sequences(duck: duckdb.DuckDBPyConnection, old: Place, new: Place) -> None:
    for name, *values in _rows(duck, _SEQUENCES, old):
        duck.execute(_sequence(f"SEQUENCE {new.sql}.{quoted(name)}", values))


def sequence(
    duck: duckdb.DuckDBPyConnection, old: Place, name: str, what: str, *, goes_on: bool
) -> None:
    """`what`: kind and place of another one, which begins where this one is or began."""
    which = f"{_SEQUENCES} AND upper(sequence_name) = upper({literal(name)})"
    ((_, *values, last),) = _rows(duck, which, old)
    duck.execute(_sequence(what, [*values, last if goes_on else None]))


def _sequence(what: str, values: Sequence[Any]) -> str:
    """It goes on where the old one is."""
    start, least, most, step, cycle, last = values
    begin = start if last is None else max(int(least), min(int(last) + int(step), int(most)))
    return (
        f"CREATE {what} INCREMENT BY {step} MINVALUE {least} "
        f"MAXVALUE {most} START WITH {begin} {'CYCLE' if cycle else 'NO CYCLE'}"
    )


def _tables(duck: duckdb.DuckDBPyConnection, old: Place, new: Place) -> None:
    found = _rows(
        duck,
        "SELECT table_name, sql, comment FROM duckdb_tables() "
        "WHERE database_name = ? AND schema_name = ? AND NOT temporary ORDER BY table_oid",
        old,
    )
    # In the order of their making: what a foreign key names is older.
    for name, sql, _ in found:
        duck.execute(_made("TABLE", name, sql, old, new))
    for name, _, said in found:
        where = f"{new.sql}.{quoted(name)}"
        fill(duck, old, name, where)
        comment(duck, old, name, said, where)


def fill(duck: duckdb.DuckDBPyConnection, place: Place, table: str, where: str) -> None:
    """`where`: a table with the same columns, which gets the rows."""
    names = ", ".join(_stored_columns(duck, place, table))
    duck.execute(f"INSERT INTO {where} ({names}) SELECT {names} FROM {place.sql}.{quoted(table)}")


def comment(
    duck: duckdb.DuckDBPyConnection, place: Place, table: str, of_table: str | None, where: str
) -> None:
    if of_table is not None:
        duck.execute(f"COMMENT ON TABLE {where} IS {literal(of_table)}")
    for column, said in _commented(duck, place, table):
        duck.execute(f"COMMENT ON COLUMN {where}.{quoted(column)} IS {literal(said)}")


def _stored_columns(duck: duckdb.DuckDBPyConnection, place: Place, table: str) -> list[str]:
    """Without those that are computed."""
    found = duck.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? "
        "AND table_name = ? AND NOT is_generated ORDER BY column_index",
        [place.database, place.schema, table],
    ).fetchall()
    return [quoted(name) for (name,) in found]


def _commented(duck: duckdb.DuckDBPyConnection, place: Place, table: str) -> list[tuple[str, ...]]:
    return duck.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE database_name = ? "
        "AND schema_name = ? AND table_name = ? AND comment IS NOT NULL",
        [place.database, place.schema, table],
    ).fetchall()


def _views(duck: duckdb.DuckDBPyConnection, old: Place, new: Place) -> list[str]:
    found = _rows(
        duck,
        "SELECT view_name, sql FROM duckdb_views() "
        "WHERE database_name = ? AND schema_name = ? AND NOT internal",
        old,
    )
    texts = {name: _moved(sql, old, new) for name, sql in found}
    return [_made("VIEW", name, texts[name], old, new) for name in _in_order(texts)]


def _in_order(views: dict[str, str]) -> list[str]:
    """What a view reads comes before it."""
    graph = {
        name: {
            table.name
            for table in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Table)
            if table.name in views and table.name != name
        }
        for name, sql in views.items()
    }
    return list(TopologicalSorter(graph).static_order())


def _moved(sql: str, old: Place, new: Place) -> str:
    """A text whose own schema is another one now."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for table in tree.find_all(exp.Table):
        if table.db == old.schema and table.catalog in ("", old.database):
            table.set("db", exp.to_identifier(new.schema, quoted=True))
            table.set("catalog", exp.to_identifier(new.database, quoted=True))
    for call in tree.find_all(exp.Dot):
        if isinstance(call.expression, exp.Anonymous) and call.this.name == old.schema:
            call.set("this", exp.to_identifier(new.schema, quoted=True))
    return tree.sql(dialect="duckdb")


def repoint_defaults(duck: duckdb.DuckDBPyConnection, database: str) -> None:
    """Columns take their values from sequences of their own database, whatever name it had before."""
    found = duck.execute(
        "SELECT schema_name, table_name, column_name, column_default FROM duckdb_columns() "
        "WHERE database_name = ? AND contains(column_default, 'nextval(')",
        [database],
    ).fetchall()
    for schema, table, column, default in found:
        moved = _NEXTVAL.sub(lambda match: _own_sequence(match["path"], database), default)
        where = f"{Place(database, schema).sql}.{quoted(table)}"
        if moved != default:
            duck.execute(f"ALTER TABLE {where} ALTER COLUMN {quoted(column)} SET DEFAULT {moved}")


def _own_sequence(path: str, database: str) -> str:
    table = exp.to_table(path.replace("''", "'"), dialect="duckdb")
    if table.catalog and table.catalog != database:
        path = f"{Place(database, table.db).sql}.{quoted(table.name)}".replace("'", "''")
    return f"nextval('{path}')"


def _made(kind: str, name: str, sql: str, old: Place, new: Place) -> str:
    """DuckDB's own statement for it, with another place."""
    rest = behind_name(kind, sql)
    rest = _REFERENCES.sub(lambda match: _referenced(match["schema"], old, new), rest)
    rest = _NEXTVAL.sub(lambda match: _sequence_of(match["path"], old, new), rest)
    return f"CREATE {kind} {new.sql}.{quoted(name)} {rest}"


def behind_name(kind: str, sql: str) -> str:
    """What DuckDB's own statement says of an object after its name."""
    # DuckDB writes down the schema, not the database.
    head = rf"CREATE (?:TEMP )?{kind} (?:{NAME}\.){{0,2}}{NAME}"
    return re.sub(head, "", sql.strip().rstrip(";"), count=1, flags=re.IGNORECASE)


def takes_numbers(sql: str, database: str) -> bool:
    """Whether a default takes its values from a sequence of another database."""
    paths = (match["path"].replace("''", "'") for match in _NEXTVAL.finditer(sql))
    return any(exp.to_table(path, dialect="duckdb").catalog != database for path in paths)


def _referenced(schema: str, old: Place, new: Place) -> str:
    """Foreign keys stay within a schema."""
    is_own = schema.strip('"').replace('""', '"') == old.schema
    return f"REFERENCES {quoted(new.schema) if is_own else schema}."


def _sequence_of(path: str, old: Place, new: Place) -> str:
    """`nextval('db.schema.name')` of the new place, where it named the old one."""
    table = exp.to_table(path.replace("''", "'"), dialect="duckdb")
    if (table.catalog or old.database, table.db) == (old.database, old.schema):
        path = f"{new.sql}.{quoted(table.name)}".replace("'", "''")
    return f"nextval('{path}')"


def _macros(duck: duckdb.DuckDBPyConnection, old: Place, new: Place) -> list[str]:
    found = duck.execute(
        "SELECT function_name, function_type, parameters, macro_definition FROM duckdb_functions() "
        "WHERE database_name = ? AND schema_name = ? AND macro_definition IS NOT NULL",
        [old.database, old.schema],
    ).fetchall()
    made: list[str] = []
    for name, kind, parameters, definition in found:
        given = ", ".join(quoted(parameter) for parameter in parameters)
        moved = _moved(definition, old, new)
        body = f"TABLE {moved}" if kind == "table_macro" else moved
        made.append(f"CREATE MACRO {new.sql}.{quoted(name)}({given}) AS {body}")
    return made
