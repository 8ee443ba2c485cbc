"""One client's connection to the engine: fakesnow's connection and cursor with Snowflake's gaps closed.

Blocking, and not safe for two callers at once; `Sessions` sees to that.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, cast

import duckdb
import pyarrow as pa
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.statement_type import statement_type_id
from sqlglot import Expr, exp

from snowcave.model.errors import QueryCancelled, Unsupported
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse import columns, rewrite
from snowcave.warehouse.catalog import shows, udfs
from snowcave.warehouse.catalog.temporary import TemporaryNames
from snowcave.warehouse.engine import bindings as binding
from snowcave.warehouse.engine import explaining, plans
from snowcave.warehouse.engine.api import ArrowFunction, Context, Outcome, Relation
from snowcave.warehouse.engine.brought import brought
from snowcave.warehouse.engine.cursor import Cursor, Duck, Forgetful
from snowcave.warehouse.engine.meaning import Meaning
from snowcave.warehouse.engine.own import OwnStatements
from snowcave.warehouse.engine.plans import Plan, Plans
from snowcave.warehouse.engine.read_ahead import ReadAhead
from snowcave.warehouse.engine.transactions import Transactions
from snowcave.warehouse.engine.whereabouts import Whereabouts
from snowcave.warehouse.event_tables import refusals as own_events
from snowcave.warehouse.event_tables import table as event_table
from snowcave.warehouse.event_tables.bounds import EventBounds
from snowcave.warehouse.event_tables.moments import SessionEvents
from snowcave.warehouse.rewrite import absent, access, guard

_SELECT = 0x1000
_OTHER = 0x6000
# Rows of one of DuckDB's own batches.
_VECTOR = 2048


class DuckSession:
    """See engine.EngineSession."""

    def __init__(
        self, number: int, duck: duckdb.DuckDBPyConnection, own: Path, remembered: Plans
    ) -> None:
        self.number = number
        self._raw = duck
        self._duck = Duck(duck)
        self._connection = FakeSnowflakeConnection(
            cast(Any, self._duck),
            Forgetful(),
            create_database=False,
            create_schema=False,
            paramstyle="qmark",
        )
        self._where = Whereabouts(duck, self._connection)
        self._meaning = Meaning(duck, self._cursor, lambda: self.in_transaction)
        self._events = SessionEvents(duck, own, self._meaning)
        self._answers = OwnStatements(duck, self._meaning.translated)
        self._temporary = TemporaryNames(duck)
        self._plans = remembered
        self._cancelled = Event()
        self._transactions = Transactions(duck)

    # ------------------------------------------------------------ statements

    def parse(self, sql: str, context: Context) -> Expr:
        """Raises SnowcaveError. The tree is checked and filled in, but not yet bound to any rows."""
        self._transactions.revive()
        # What is decided from here on rests on these.
        as_of = self._plans.definitions.number
        filled = rewrite.fill_variables(sql, self._answers.variables)
        definition = udfs.read(filled)
        statement = udfs.as_create(definition) if definition else rewrite.parse(filled)
        form, text = explaining.asked(statement) or ("", sql)
        if form:
            statement = explaining.statement_of(text)
        statement = rewrite.name_formats(rewrite.name_tables(statement))
        absent.refuse(statement)
        guard.check(statement)
        statement = self._temporary.resolve(statement, context)
        access.check(statement, context, self._answers.look)
        own_events.refuse(statement, context)
        statement = self._temporary.place(statement, context)
        statement = rewrite.name_columns(statement, text)
        statement = rewrite.fill_context(statement, context)
        if form:
            statement = explaining.Explain(this=statement, form=form)
        statement.meta["sql"] = sql
        statement.meta["as_of"] = as_of
        return statement

    def execute(
        self,
        statement: Expr,
        context: Context,
        *,
        bindings: Sequence[pb.Binding] = (),
        relations: Sequence[Relation] = (),
        functions: Sequence[ArrowFunction] = (),
        lasting: bool = False,
    ) -> Outcome:
        """Raises SnowcaveError."""
        self._cancelled.clear()
        try:
            self._transactions.look_at(statement, context)
            if (opened := self._transactions.open) is None:
                return self._execute(statement, context, bindings, relations, functions, lasting)
            again = partial(self._repeat, statement.copy(), context, bindings, relations)
            outcome = self._execute(statement, context, bindings, relations, functions)
            opened.succeeded(statement, again, outcome.rows_affected, functions)
            return outcome
        except duckdb.InterruptException as error:
            raise QueryCancelled from error

    def remembers(self, sql: str, context: Context) -> float | None:
        if self.in_transaction or (plan := self._plans.find(sql, context)) is None:
            return None
        return plan.seconds

    def repeat(self, sql: str, context: Context) -> Outcome | None:
        """Raises SnowcaveError. What DuckDB refuses is left to `execute`, which knows the words for it."""
        plan = self._plans.find(sql, context)
        if plan is None or self.in_transaction:
            return None
        self._cancelled.clear()
        began = time.perf_counter()
        try:
            return self._repeated(sql, context, plan)
        finally:
            plan.seconds = time.perf_counter() - began

    def _repeated(self, sql: str, context: Context, plan: Plan) -> Outcome | None:
        try:
            self._where.look_at(context)
            if plan.parsed is None:
                plan.parsed = self._raw.extract_statements(plan.sql)[0]
            self._duck.execute(plan.parsed)
            if (table := self._duck.few_rows(plan)) is not None:
                plan.rows = table.num_rows
                return self._normal(table, plan.described, _SELECT, 0)
            table = self._duck.to_arrow_table()
        except duckdb.InterruptException as error:
            raise QueryCancelled from error
        except duckdb.Error:
            self._plans.forget(sql)
            return None
        if plan.types != self._duck.types:
            plan.types = self._duck.types
            plan.described = tuple(columns.column_type(*one) for one in plan.types)
            plan.are_plain = columns.are_plain(plan.types)
        plan.rows = table.num_rows
        return self._outcome(table, plan.described, _SELECT, 0)

    def stream(
        self,
        query: Expr,
        context: Context,
        *,
        relations: Sequence[Relation],
        rows: int,
        most_bytes: int,
    ) -> ReadAhead:
        """Raises SnowcaveError and DuckDB's errors; so does reading."""
        self._cancelled.clear()
        self._where.look_at(context)
        with ExitStack() as held:
            held.enter_context(brought(self._raw, relations))
            relation = self._raw.sql(self._meaning.translated(query, context))
            described = zip(relation.columns, relation.types, strict=True)
            variants = frozenset(name for name, kind in described if str(kind) == "JSON")
            reader = relation.to_arrow_reader(_VECTOR)
            return ReadAhead(reader, variants, rows, most_bytes, held.pop_all().close)

    def refusal(self, query: Expr, context: Context, relations: Sequence[Relation]) -> str:
        """As JSON: DuckDB plans the query and does nothing else, so this is no error of its own."""
        self._where.look_at(context)
        with brought(self._raw, relations):
            sql = self._meaning.translated(query, context)
            told = self._raw.execute("SELECT json_serialize_plan(?)", [sql]).fetchall()
            return str(told[0][0])

    def describe(
        self, statement: Expr, context: Context, relations: Sequence[Relation] = ()
    ) -> tuple[pb.ColumnType, ...]:
        """Raises SnowcaveError. Statements other than queries give one text column, as they do when run."""
        if isinstance(statement, explaining.Explain):
            told = explaining.columns_of(statement.args["form"])
            return tuple(columns.column_type(name, kind) for name, kind in told.items())
        if not isinstance(statement, exp.Query):
            return (columns.column_type("status", "VARCHAR"),)
        self._where.look_at(context)
        plain = statement.transform(
            lambda node: exp.Null() if isinstance(node, exp.Placeholder) else node
        )
        with brought(self._raw, relations):
            sql = "DESCRIBE " + self._meaning.translated(plain, context)
            rows = self._raw.execute(sql).fetchall()
        return tuple(columns.column_type(str(row[0]), str(row[1])) for row in rows)

    def interrupt(self) -> None:
        self._cancelled.set()
        self._raw.interrupt()

    def close(self) -> None:
        self._raw.close()

    @property
    def in_transaction(self) -> bool:
        return self._transactions.open is not None

    def point_event_table(self, now: event_table.Moment) -> None:
        """What the event table holds for this session from now on."""
        self._events.point(now)

    def event_bounds(self, statement: Expr, context: Context) -> EventBounds:
        if self.in_transaction:
            return EventBounds()
        self._where.look_at(context)
        return self._events.bounds(statement, context)

    def reads_event_table(self, statement: Expr, sql: str, context: Context) -> bool:
        # Where the session was before may be gone.
        self._where.look_at(context)
        return self._events.are_read(statement, sql, context)

    # ------------------------------------------------------------ inside

    def _repeat(
        self,
        statement: Expr,
        context: Context,
        bindings: Sequence[pb.Binding],
        relations: Sequence[Relation],
    ) -> int:
        return self._execute(statement.copy(), context, bindings, relations, ()).rows_affected

    def _execute(
        self,
        statement: Expr,
        context: Context,
        bindings: Sequence[pb.Binding],
        relations: Sequence[Relation],
        functions: Sequence[ArrowFunction],
        lasting: bool = False,
    ) -> Outcome:
        as_of = self._still_allowed(statement, context)
        self._where.look_at(context)
        if isinstance(statement, explaining.Explain):
            return self._explain(statement, context, bindings, relations, functions)
        statement_type = type_id(statement)
        lasting = lasting and plans.is_lasting(statement, str(statement.meta.get("sql") or ""))
        definitions, defines = self._plans.definitions, plans.defines(statement)
        if defines:
            definitions.changed()
        as_of = as_of if lasting else 0
        parameters: list[Any] | None = None
        held = list(relations)
        if binding.is_array(bindings):
            held.append(Relation(binding.RELATION, binding.rows(bindings)))
        try:
            with brought(self._raw, held, functions):
                statement = self._meaning.meant(statement, context)
                if binding.is_array(bindings):
                    statement = binding.spread(statement, binding.RELATION)
                elif bindings:
                    parameters = binding.order(statement, binding.values(bindings))
                return self._run(statement, parameters, statement_type, context, as_of)
        finally:
            if defines:
                definitions.changed()

    def _explain(
        self,
        asked: explaining.Explain,
        context: Context,
        bindings: Sequence[pb.Binding],
        relations: Sequence[Relation],
        functions: Sequence[ArrowFunction],
    ) -> Outcome:
        if binding.is_array(bindings):
            raise Unsupported("EXPLAIN with array bindings")
        described = self.describe(asked, context)
        statement = binding.inline(asked.this, binding.values(bindings))
        computed = explaining.computed_items(statement, functions)
        with brought(self._raw, relations, functions):
            sql = self._meaning.translated(statement, context)
            ((_, plan),) = self._raw.execute("EXPLAIN (FORMAT JSON) " + sql).fetchall()
        form, schemas = asked.args["form"], context.schemas
        table = explaining.answer(form, plan, functions, computed, schemas)
        return self._outcome(table, described, _OTHER, 0)

    def _still_allowed(self, statement: Expr, context: Context) -> int:
        """What the statement names may have been made, or become another's, since its rights were looked at.

        Answers the definitions that it was read with; raises SnowcaveError.
        """
        as_of = int(statement.meta.get("as_of") or 0)
        if context.schemas is not None and as_of != self._plans.definitions.number:
            self.parse(str(statement.meta["sql"]), context)
        return as_of

    def _run(
        self,
        statement: Expr,
        parameters: list[Any] | None,
        statement_type: int,
        context: Context,
        as_of: int,
    ) -> Outcome:
        """`as_of`: the definitions that a translation of a lasting statement rests on; else 0."""
        cursor = self._cursor()
        if self._cancelled.is_set():
            raise QueryCancelled
        if (query := self._answers.run(statement, context)) is not None:
            self._duck.execute(query)
            table, affected = self._duck.to_arrow_table(), 0
        else:
            cursor.run(statement, parameters)
            table, affected = shows.name_identities(cursor.table), cursor.rows_affected
            self._where.note(may_have_moved=not as_of)
            if as_of:
                text = str(statement.meta["sql"])
                self._plans.keep(text, context, as_of, Plan(cursor.translated))
        described = tuple(columns.column_type(name, kind) for name, kind in self._duck.types)
        made = self._answers.note(statement, context)
        self._temporary.note(statement)
        outcome = self._outcome(table, described, statement_type, affected)
        return replace(outcome, made=made)

    def _cursor(self) -> Cursor:
        return Cursor(self._connection, cast(Any, self._duck))

    def _outcome(
        self,
        table: pa.Table,
        described: tuple[pb.ColumnType, ...],
        statement_type: int,
        affected: int,
    ) -> Outcome:
        return self._normal(
            columns.normalise(table, described), described, statement_type, affected
        )

    def _normal(
        self,
        table: pa.Table,
        described: tuple[pb.ColumnType, ...],
        statement_type: int,
        affected: int,
    ) -> Outcome:
        return Outcome(
            table=table,
            columns=described,
            statement_type=statement_type,
            rows_affected=affected,
            database=self._where.database,
            schema=self._where.schema,
        )


def type_id(statement: Expr) -> int:
    """Snowflake's statementTypeId as far as clients look at it."""
    if isinstance(statement, exp.Query):
        return _SELECT
    found = statement_type_id(statement)
    return found if 0x3000 <= found < 0x4000 else _OTHER
