"""The warehouse's SQL engine in the test's own process: statements in, rows out."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine import failures
from snowcave.warehouse.engine.api import Context, Outcome
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.engine.session import DuckSession
from snowcave.warehouse.settings import EngineSettings

HERE = Context(
    session=1, user="U", role="R", warehouse="WH", database="DB", schema="S", role_uid=1
)
Row = tuple[Any, ...]


class Sql:
    """One session. Every method raises SnowcaveError where the statement fails."""

    def __init__(self, session: DuckSession, context: Context = HERE) -> None:
        self.session = session
        self.context = context

    def outcome(self, sql: str, bindings: Sequence[pb.Binding] = ()) -> Outcome:
        """Of the statement; of a query that may be repeated, as it is when it is."""
        try:
            statement = self.session.parse(sql, self.context)
            first = self.session.execute(
                statement, self.context, bindings=bindings, lasting=not bindings
            )
            known = self.session.remembers(sql, self.context) is not None
            if not known or "nextval" in sql.lower():
                return first
            # The first time as the engine's own columns, then by rows where they are plain and few.
            self.session.repeat(sql, self.context)
            again = self.session.repeat(sql, self.context)
        except Exception as error:
            raise failures.translated(error) from error
        assert again is not None
        assert again.columns == first.columns
        assert again.table.schema.types == first.table.schema.types
        assert again.statement_type == first.statement_type
        assert (again.database, again.schema) == (first.database, first.schema)
        return again

    def rows(self, sql: str, bindings: Sequence[pb.Binding] = ()) -> list[Row]:
        table = self.outcome(sql, bindings).table
        columns = [column.to_pylist() for column in table.columns]
        return list(zip(*columns, strict=True))

    def row(self, sql: str) -> Row:
        """The only one."""
        (row,) = self.rows(sql)
        return row

    def value(self, sql: str) -> Any:
        """The only one of the only row."""
        (value,) = self.row(sql)
        return value

    def error(self, sql: str) -> SnowcaveError:
        try:
            rows = self.rows(sql)
        except SnowcaveError as error:
            return error
        raise AssertionError(f"no error, but {rows}")


@contextmanager
def sql_engine(folder: Path) -> Generator[DuckEngine]:
    """With database DB and schema S."""
    engine = DuckEngine(folder / "warehouse", folder / "stages", EngineSettings())
    try:
        engine.create_database("DB", replace=False)
        engine.create_schema("DB", "S", replace=False)
        yield engine
    finally:
        engine.close()


@contextmanager
def sql_session(folder: Path) -> Generator[Sql]:
    with sql_engine(folder) as engine:
        session = engine.open_session(1)
        try:
            yield Sql(session)
        finally:
            session.close()
