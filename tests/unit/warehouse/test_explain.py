"""EXPLAIN answers a plan in Snowflake's columns: it changes nothing and calls no service."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.engine.explaining import TABULAR
from tests.kit.doubling_services import a_desk
from tests.kit.sql_engine import Sql, sql_engine, sql_session


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    with sql_session(tmp_path_factory.mktemp("explained")) as opened:
        opened.rows("CREATE TABLE t (x INT, v VARIANT)")
        for x in (1, 40):
            opened.rows(f"INSERT INTO t SELECT {x}, PARSE_JSON('{{\"a\": 2}}')")
        opened.rows("CREATE TABLE u AS SELECT 1 AS a")
        yield opened


def operations(sql: Sql, statement: str) -> list[tuple[object, ...]]:
    """Without the first row, which is about all of them."""
    first, *others = sql.rows(statement)
    assert first == (None, None, None, "GlobalStats", None, None, None, 0, 0, 0)
    return others


@pytest.mark.documented
@pytest.mark.parametrize(
    "asked", ["EXPLAIN", "explain using tabular", "/* a */ EXPLAIN\nUSING TABULAR\n"]
)
def test_a_plan_has_a_row_for_each_operation(sql: Sql, asked: str) -> None:
    statement = f"{asked} SELECT t.v:a::int FROM t JOIN u ON t.x = u.a WHERE t.x = 1"
    assert [column.name for column in sql.outcome(statement).columns] == list(TABULAR)
    found = operations(sql, statement)
    by_id = {row[1]: row for row in found}
    assert len(by_id) == len(found)
    assert {row[0] for row in found} == {1}
    root, *others = found
    assert root[2] is None
    assert all(json.loads(str(row[2]))[0] in by_id for row in others)
    assert {row[4] for row in found if row[3] == "TableScan"} == {"DB.S.T", "DB.S.U"}
    assert "X = 1" in " ".join(str(row[6]) for row in found)


@pytest.mark.documented
def test_json_and_text_tell_the_same(sql: Sql) -> None:
    told = json.loads(sql.value("EXPLAIN USING JSON SELECT x FROM t"))
    scan = {"id": 0, "operation": "TableScan", "objects": ["DB.S.T"], "expressions": ["X"]}
    assert told["Operations"] == [[scan]]
    assert set(told["GlobalStats"]) == {"partitionsTotal", "partitionsAssigned", "bytesAssigned"}
    text = sql.value("EXPLAIN USING TEXT SELECT x FROM t")
    assert text.splitlines()[-1] == "1:0     ->TableScan  DB.S.T  X"


def test_nothing_is_run(sql: Sql) -> None:
    for statement in (
        "INSERT INTO t (x) SELECT 2",
        "UPDATE t SET x = 3",
        "DELETE FROM t",
        "CREATE TABLE made AS SELECT 1 AS a",
    ):
        operations(sql, f"EXPLAIN {statement}")
    assert sql.rows("SELECT x FROM t ORDER BY x") == [(1,), (40,)]
    assert sql.error("SELECT * FROM made").code == 2003


def test_a_plan_is_given_within_a_transaction(sql: Sql) -> None:
    sql.rows("BEGIN")
    sql.rows("INSERT INTO u SELECT 2")
    operations(sql, "EXPLAIN SELECT * FROM u")
    assert sql.error("EXPLAIN SELECT * FROM nowhere").code == 2003
    assert sql.rows("SELECT a FROM u ORDER BY a") == [(1,), (2,)]
    sql.rows("ROLLBACK")


@pytest.mark.parametrize(
    "source", ["SNOWFLAKE.TELEMETRY.EVENTS", "INFORMATION_SCHEMA.TABLES", "mine"]
)
def test_tables_that_no_statement_may_name_are_not_named(sql: Sql, source: str) -> None:
    sql.rows("CREATE OR REPLACE TEMPORARY TABLE mine (y INT)")
    objects = {row[4] for row in operations(sql, f"EXPLAIN SELECT * FROM {source}")}
    assert objects == ({"MINE"} if source == "mine" else {None})


def test_bound_values_are_put_in(sql: Sql) -> None:
    bound = pb.Binding(type="FIXED", values=[pb.BoundValue(value="17")])
    text = sql.rows("EXPLAIN USING TEXT SELECT * FROM t WHERE x > ?", [bound])[0][0]
    assert "17" in text


def test_describing_it_tells_its_columns(sql: Sql) -> None:
    def columns(statement: str) -> list[str]:
        parsed = sql.session.parse(statement, sql.context)
        return [column.name for column in sql.session.describe(parsed, sql.context)]

    assert columns("EXPLAIN SELECT 1") == list(TABULAR)
    assert columns("EXPLAIN USING JSON SELECT 1") == ["content"]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("EXPLAIN", 1003),
        ("EXPLAIN USING XML SELECT 1", 1003),
        ("EXPLAIN USING TEXT", 1003),
        ("EXPLAIN ANALYZE DELETE FROM t", 1003),
        ("EXPLAIN SELECT * FROM nowhere", 2003),
        ("EXPLAIN SELECT unheard_of(x) FROM t", 2140),
        ("EXPLAIN SELECT * FROM duckdb_settings()", 2140),
        ("EXPLAIN SHOW TABLES", 2),
        ("EXPLAIN DROP TABLE t", 2),
        ("EXPLAIN CREATE TABLE made (a INT)", 2),
        ("EXPLAIN CREATE VIEW made AS SELECT 1", 2),
        ("EXPLAIN EXPLAIN SELECT 1", 2),
        ("EXPLAIN INSERT OVERWRITE INTO t (x) SELECT 1", 2),
        ("EXPLAIN MERGE INTO t USING u ON t.x = u.a WHEN MATCHED THEN DELETE", 2),
    ],
)
def test_what_has_no_plan_is_refused(sql: Sql, statement: str, code: int) -> None:
    assert sql.error(statement).code == code


@pytest.mark.parametrize(
    ("statement", "shown", "hidden"),
    [
        ("SELECT x + 1 AS a FROM t", "Projection  x + 1", "A"),
        ("SELECT x + 1 AS a FROM t ORDER BY a", "Projection  x + 1", "Projection  A"),
        ("SELECT x + 1 AS x FROM t", "Projection  X", "x + 1"),
        ("SELECT SUM(x) AS s, AVG(x) FROM t", "sum(#0)", "CAST(X"),
        ("SELECT SUM(v) FROM t", "sum(#0)", "sum_no_overflow"),
        ("SELECT w, SUM(x) FROM words GROUP BY w ORDER BY w", "sum(#1)", "__internal"),
    ],
)
def test_a_plan_says_what_is_computed_in_no_inner_words(
    sql: Sql, statement: str, shown: str, hidden: str
) -> None:
    sql.rows("CREATE OR REPLACE TABLE words AS SELECT 'a' AS w, 1 AS x UNION ALL SELECT 'b', 2")
    text = sql.value(f"EXPLAIN USING TEXT {statement}").partition("Operations:")[2]
    assert shown in text
    assert hidden not in text.replace("Aggregate", "").replace("TableScan", "")


CALL = "DB.S.DBL("


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[DuckEngine, Path]]:
    home = tmp_path_factory.mktemp("called")
    with sql_engine(home) as engine:
        yield engine, home


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT dbl(x) FROM t",
        "SELECT dbl(x) AS d FROM t ORDER BY d LIMIT 2",
        "SELECT dbl(1)",
        "SELECT dbl(trp(x)) AS d, d + 1 FROM t",
        "SELECT x FROM t WHERE DB.S.dbl(x) > 3",
        "SELECT y, SUM(dbl(x)) FROM t GROUP BY y",
        "WITH c AS (SELECT dbl(x) + 1 AS d FROM t) SELECT * FROM c WHERE d > 1",
        "INSERT INTO t SELECT dbl(x), y FROM t",
        "CREATE TABLE made AS SELECT dbl(x) AS d FROM t",
        "UPDATE t SET y = dbl(x)",
        "DELETE FROM t WHERE dbl(x) = 2",
    ],
)
async def test_a_call_is_shown_and_not_made(
    called: tuple[DuckEngine, Path], statement: str
) -> None:
    async with a_desk(*called) as desk:
        await desk.rows("CREATE OR REPLACE TABLE t AS SELECT 1 AS x, 2 AS y")
        ((text,),) = await desk.rows(f"EXPLAIN USING TEXT {statement}")
        rows = await desk.rows(f"EXPLAIN {statement}")
        assert CALL in text
        assert "_SC_" not in text
        assert any(CALL in str(row[6]) for row in rows)
        assert desk.service.sent == []
        assert await desk.rows("SELECT x, y FROM t") == [(1, 2)]
