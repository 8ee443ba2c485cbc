"""MERGE in all its clauses: what it does, what it counts, and that it does all of it or nothing."""

from collections.abc import Generator
from pathlib import Path

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE t (id INT, a INT, v VARIANT)")
        sql.rows("INSERT INTO t (id, a) VALUES (1, 10), (2, 20), (3, 30)")
        yield sql


def _rows(sql: Sql) -> list[tuple[int, int]]:
    return sql.rows("SELECT id, a FROM t ORDER BY id")


def test_clauses_are_tried_in_their_order(sql: Sql) -> None:
    merged = sql.outcome(
        "MERGE INTO t USING (SELECT * FROM VALUES (1, 5, true), (2, 6, false), (9, 7, false) "
        "AS x (id, a, gone)) s ON t.id = s.id WHEN MATCHED AND s.gone THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET t.a = s.a + t.a "
        "WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.a * 2)"
    )
    assert merged.table.to_pylist() == [
        {"number of rows inserted": 1, "number of rows updated": 1, "number of rows deleted": 1}
    ]
    assert merged.rows_affected == 3
    assert _rows(sql) == [(2, 26), (3, 30), (9, 14)]


def test_only_what_a_statement_could_do_is_counted(sql: Sql) -> None:
    merged = sql.outcome("MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN DELETE")
    assert merged.table.to_pylist() == [{"number of rows deleted": 3}]


def test_a_row_may_be_deleted_for_several_reasons(sql: Sql) -> None:
    statement = (
        "MERGE INTO t USING (SELECT 1 AS id UNION ALL SELECT 1 UNION ALL SELECT 2) s ON t.id = s.id "
        "WHEN MATCHED AND t.a > 10 THEN DELETE WHEN MATCHED AND s.id = 1 THEN DELETE"
    )
    assert sql.rows(statement) == [(2,)]
    assert _rows(sql) == [(3, 30)]


def test_a_row_is_not_updated_twice(sql: Sql) -> None:
    error = sql.error(
        "MERGE INTO t USING (SELECT 1 AS id UNION ALL SELECT 1) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET a = 0 WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)"
    )
    assert (error.code, error.sqlstate) == (100090, "42P18")
    assert _rows(sql) == [(1, 10), (2, 20), (3, 30)]


def test_a_clause_that_fails_undoes_the_others(sql: Sql) -> None:
    error = sql.error(
        "MERGE INTO t USING (SELECT * FROM VALUES (1, 1), (9, 0) AS x (id, d)) s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, 1 / s.d)"
    )
    assert error.code == 100051
    assert _rows(sql) == [(1, 10), (2, 20), (3, 30)]


def test_values_may_be_bound_and_semi_structured(sql: Sql) -> None:
    nine = pb.Binding(type="FIXED", values=[pb.BoundValue(value="9")])
    statement = (
        "MERGE INTO t USING (SELECT ? AS id) s ON t.id = s.id "
        "WHEN MATCHED AND t.v:k = 1 THEN UPDATE SET a = t.v:k + 1 "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, 90, PARSE_JSON('{\"k\":1}'))"
    )
    assert sql.rows(statement, [nine]) == [(1, 0)]
    assert sql.rows(statement, [nine]) == [(0, 1)]
    assert _rows(sql)[-1] == (9, 2)


def test_a_source_or_a_column_that_is_not_there_is_named(sql: Sql) -> None:
    absent = sql.error("MERGE INTO t USING nowhere s ON t.id = s.id WHEN MATCHED THEN DELETE")
    assert (absent.code, absent.sqlstate) == (2003, "42S02")
    wrong = sql.error(
        "MERGE INTO t USING t s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.nope"
    )
    assert wrong.code == 904
    assert "NOPE" in wrong.message
