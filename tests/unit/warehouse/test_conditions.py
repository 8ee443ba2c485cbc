"""IF EXISTS and IF NOT EXISTS tell whether anything was done."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        yield sql


@pytest.mark.parametrize(
    ("create", "drop", "name"),
    [
        ("TABLE IF NOT EXISTS t (n INT)", "TABLE IF EXISTS t", "T"),
        ("TABLE IF NOT EXISTS db.s.t AS SELECT 1 AS n", "TABLE IF EXISTS s.t", "T"),
        ("VIEW IF NOT EXISTS v AS SELECT 1 AS n", "VIEW IF EXISTS v", "V"),
        ("SEQUENCE IF NOT EXISTS q", "SEQUENCE IF EXISTS q", "Q"),
    ],
)
def test_a_condition_that_is_not_met_is_told(sql: Sql, create: str, drop: str, name: str):
    assert "successfully created" in sql.value(f"CREATE {create}")
    assert sql.value(f"CREATE {create}") == f"{name} already exists, statement succeeded."
    assert sql.value(f"DROP {drop}") == f"{name} successfully dropped."
    gone = f"Drop statement executed successfully ({name} already dropped)."
    assert sql.value(f"DROP {drop}") == gone


def test_a_temporary_table_is_dropped_and_hides_what_is_kept(sql: Sql):
    sql.rows("CREATE TABLE t (n INT)")
    assert "created" in sql.value("CREATE TEMPORARY TABLE IF NOT EXISTS t (n INT, m INT)")
    assert sql.value("DROP TABLE IF EXISTS t") == "T successfully dropped."
    assert sql.value("DROP TABLE IF EXISTS t") == "T successfully dropped."


def test_a_function_that_is_gone_is_told(sql: Sql):
    told = sql.value("DROP FUNCTION IF EXISTS f(INT)")
    assert told == "Drop statement executed successfully (F already dropped)."
