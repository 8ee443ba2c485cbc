"""What a statement brings along: rows under names of their own, and functions that call services."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import duckdb

from snowcave.warehouse.engine.api import ArrowFunction, Relation


@contextmanager
def brought(
    duck: duckdb.DuckDBPyConnection,
    relations: Sequence[Relation],
    functions: Sequence[ArrowFunction] = (),
) -> Generator[None]:
    """Known to the connection in the body alone. Raises DuckDB's errors."""
    with ExitStack() as held:
        for relation in relations:
            held.callback(_forget, duck, relation)
            _show(duck, relation)
        for function in functions:
            _offer(duck, function)
            held.callback(duck.remove_function, function.name)
        yield


def _show(duck: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    if relation.query:
        rows = relation.query
    else:
        duck.register(_source(relation), relation.table)
        picked = ", ".join(
            f"{_quoted(name)}::JSON AS {_quoted(name)}"
            if name in relation.variants
            else _quoted(name)
            for name in relation.table.schema.names
        )
        rows = f"SELECT {picked} FROM {_quoted(_source(relation))}"
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {_quoted(relation.name)} AS {rows}")


def _forget(duck: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    duck.execute(f"DROP VIEW IF EXISTS temp.main.{_quoted(relation.name)}")
    duck.unregister(_source(relation))


def _offer(duck: duckdb.DuckDBPyConnection, function: ArrowFunction) -> None:
    duck.create_function(
        function.name,
        cast(Any, function.call),
        [cast(Any, duckdb.sqltype("VARCHAR"))] * function.arity,
        duckdb.sqltype("VARCHAR"),
        type=cast(Any, "arrow"),
        null_handling=cast(Any, "special"),
        side_effects=not function.stable,
    )


def _source(relation: Relation) -> str:
    return relation.name + "_"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
