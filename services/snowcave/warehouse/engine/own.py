"""Statements that never reach fakesnow: SHOW of what DuckDB's catalog knows, variables, SQL functions."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
from sqlglot import Expr, exp

from snowcave.model.errors import Kind, ObjectNotFound, RemoteError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import rewrite
from snowcave.warehouse.catalog import conditions, objects, owners, shows, temporary, udfs
from snowcave.warehouse.catalog.file_formats import FileFormats
from snowcave.warehouse.catalog.objects import literal, quoted
from snowcave.warehouse.databases import cloning
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.variables import Variables
from snowcave.warehouse.rewrite import access, file_formats, guard, place_of, swapping

_DONE = "SELECT 'Statement executed successfully.' AS status"


class OwnStatements:
    """Of one session. `translate`: a query in DuckDB's words."""

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, translate: Callable[[Expr, Context], str]
    ) -> None:
        self._duck = duck
        self._translate = translate
        self._variables = Variables()
        self._cloning = cloning.Cloning(duck)
        self._formats = FileFormats(duck)

    @property
    def variables(self) -> Mapping[str, str]:
        """As they are written in statements, by upper-case name."""
        return self._variables.literals

    def run(self, statement: Expr, context: Context) -> str | None:
        """DuckDB's SQL that gives the rows to answer with; None where it is another statement.

        Raises SnowcaveError and DuckDB's errors.
        """
        if isinstance(statement, exp.Transaction):
            return _DONE  # begun before, by the session
        if isinstance(statement, exp.Comment):
            return self._comment(statement, context)
        if other := swapping.partner(statement):
            return self._swap(statement, other, context)
        if (answer := self._formats.run(statement, context)) is not None:
            return answer
        if status := conditions.unmet(statement, context, self._duck):
            return f"SELECT {literal(status)} AS status"
        if (of := cloning.source(statement)) is not None:
            assert isinstance(statement, exp.Create)
            made = self._cloning.run(statement, of, context)
            return f"SELECT {literal(made)} AS status"
        if isinstance(statement, exp.TruncateTable) and statement.args.get("exists"):
            return self._without_condition(statement, context)
        if isinstance(statement, (exp.Show, exp.Command)):
            notes = shows.Notes(self._databases(), self._formats.notes())
            return shows.query(statement, context, notes, self._variables.all)
        if definition := udfs.definition_of(statement):
            return self._create_function(definition, context)
        if (
            isinstance(statement, exp.Drop)
            and str(statement.args.get("kind")).upper() == "FUNCTION"
        ):
            return self._drop_function(statement, context)
        if described := temporary.description(statement):
            return described
        if isinstance(statement, exp.Describe) and _kind(statement) == "FUNCTION":
            return self._describe_function(statement, context)
        if self._variables.change(statement, lambda e: self._value(e, context), self._now):
            return _DONE
        return None

    def note(self, statement: Expr, context: Context) -> tuple[pb.WarehouseObject, ...]:
        """Remember what the statement made, once it has."""
        text = file_formats.options(statement) or str(statement.meta.get("sql") or "")
        made: list[pb.WarehouseObject] = []
        if not (changes := objects.changes(statement, text, context)):
            return ()
        with self._at_once():
            for change in changes:
                rows = self._duck.execute(change).fetchall()
                if change.startswith("INSERT "):
                    made += [owners.of_row(*row) for row in rows]
        return tuple(made)

    def look(self, wanted: frozenset[tuple[str, access.Place]]) -> access.Found:
        return replace(owners.look(self._duck, wanted), own=self._formats.own())

    def _comment(self, statement: exp.Comment, context: Context) -> str | None:
        kind = _kind(statement)
        if kind not in ("TABLE", "VIEW") or statement.args.get("exists"):
            return None
        place = objects.path(place_of(statement.this, context))
        self._duck.execute(f"COMMENT ON {kind} {place} IS {literal(statement.expression.name)}")
        return _DONE

    def _swap(self, statement: Expr, other: exp.Table, context: Context) -> str:
        """Nobody sees one name without its table. A definition, so no transaction is open."""
        assert isinstance(statement, exp.Alter)
        there = conditions.has_table(place_of(statement.this, context), self._duck)
        if statement.args.get("exists") and not there:
            return _DONE
        with self._at_once():
            for step in swapping.steps(statement, other, context):
                self._duck.execute(step)
        return _DONE

    @contextmanager
    def _at_once(self) -> Generator[None]:
        """All or nothing, and written to disk once. For definitions, which no transaction is open at."""
        self._duck.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._duck.execute("ROLLBACK")
            raise
        self._duck.execute("COMMIT")

    def _without_condition(self, statement: exp.TruncateTable, context: Context) -> str | None:
        """DuckDB knows no TRUNCATE … IF EXISTS. None: run what is left of the statement."""
        found = self._duck.execute(
            "SELECT 1 FROM duckdb_tables() WHERE (database_name, schema_name, table_name) = (?, ?, ?)",
            place_of(statement.find(exp.Table), context),
        ).fetchall()
        statement.set("exists", False)
        return None if found else _DONE

    def _create_function(self, definition: udfs.Definition, context: Context) -> str:
        database, schema, name = place_of(definition.name, context)
        query = rewrite.qualify(udfs.body(definition), database, schema)
        guard.check(query)
        access.check(query, context, self.look)
        text = self._translate(query, context)
        value = self._translate_item(query, context) if not definition.columns else ""
        place = objects.path((database, schema, name))
        self._duck.execute(udfs.macro(definition, place, text, value))
        return f"SELECT {literal(f'Function {name} successfully created.')} AS status"

    def _translate_item(self, query: Expr, context: Context) -> str:
        """The only item of a query without FROM."""
        text = self._translate(query, context)
        alias = text.rsplit(" AS ", 1)[0]
        return alias.removeprefix("SELECT ")

    def _drop_function(self, statement: exp.Drop, context: Context) -> str:
        database, schema, name = place_of(statement.find(exp.Table), context)
        kind = self._function_kind(database, schema, name)
        if not kind:
            if statement.args.get("exists"):
                gone = f"Drop statement executed successfully ({name} already dropped)."
                return f"SELECT {literal(gone)} AS status"
            raise ObjectNotFound("Function", name)
        word = "MACRO TABLE" if kind == "table_macro" else "MACRO"
        self._duck.execute(f"DROP {word} {objects.path((database, schema, name))}")
        return f"SELECT {literal(f'{name} successfully dropped.')} AS status"

    def _describe_function(self, statement: exp.Describe, context: Context) -> str:
        database, schema, name = place_of(statement.find(exp.Table), context)
        if not database:
            raise ObjectNotFound("Function", name)
        found = self._duck.execute(
            f"SELECT text FROM {quoted(database)}.{objects.TABLE} "
            "WHERE schema_name = ? AND name = ? AND kind = 'FUNCTION'",
            [schema, name],
        ).fetchall()
        definition = udfs.read(found[0][0]) if found else None
        if definition is None:
            raise ObjectNotFound("Function", name)
        rows = {
            "signature": definition.signature,
            "returns": definition.returns or "TABLE",
            "language": definition.language,
            "body": definition.body,
        }
        values = ", ".join(f"({literal(k)}, {literal(v)})" for k, v in rows.items())
        return f"SELECT * FROM (VALUES {values}) AS f(property, value)"

    def _function_kind(self, database: str, schema: str, name: str) -> str:
        found = self._duck.execute(
            "SELECT function_type FROM duckdb_functions() WHERE NOT internal "
            "AND database_name = ? AND schema_name = ? AND function_name = ?",
            [database, schema, name],
        ).fetchall()
        return str(found[0][0]) if found else ""

    def _databases(self) -> list[str]:
        found = self._duck.execute(
            "SELECT database_name FROM duckdb_tables() WHERE table_name = '_sc_objects'"
        ).fetchall()
        return [str(row[0]) for row in found]

    def _value(self, expression: Expr, context: Context) -> Any:
        query = exp.select(exp.alias_(expression.copy(), "V"))
        rows = self._duck.execute(self._translate(query, context)).fetchall()
        if len(rows) != 1:
            raise RemoteError(Kind.INVALID, 2055, "42601", "A variable takes one value.")
        return rows[0][0]

    def _now(self) -> datetime:
        return self._duck.execute("SELECT now()").fetchall()[0][0]


def _kind(statement: Expr) -> str:
    return str(statement.args.get("kind") or "").upper()
