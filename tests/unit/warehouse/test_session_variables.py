"""SET, UNSET, SHOW VARIABLES and $name."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        yield sql


def test_variables_hold_values_of_expressions(sql: Sql) -> None:
    sql.rows("SET a = 1 + 1")
    sql.rows("SET (b, c) = ('it''s', (SELECT max(x) FROM (VALUES (1.5), (2.5)) AS v(x)))")
    assert sql.row("SELECT $a, $B, $c * 2") == (2, "it's", 5)


def test_a_column_is_headed_by_the_variable_s_name(sql: Sql) -> None:
    sql.rows("SET a = 1")
    assert [column.name for column in sql.outcome("SELECT $a").columns] == ["$A"]


def test_variables_are_shown_and_forgotten(sql: Sql) -> None:
    sql.rows("SET (a, b) = (1, 'two')")
    shown = [row[3:6] for row in sql.rows("SHOW VARIABLES")]
    assert shown == [("A", "1", "fixed"), ("B", "two", "text")]
    assert [row[3] for row in sql.rows("SHOW VARIABLES LIKE 'b'")] == ["B"]
    sql.rows("UNSET a")
    assert [row[3] for row in sql.rows("SHOW VARIABLES")] == ["B"]
    assert sql.error("SELECT $a").code == 2211


@pytest.mark.parametrize("statement", ["SET (a, b) = (1)", "SET a = (SELECT 1 WHERE false), 2"])
def test_as_many_values_as_names_are_needed(sql: Sql, statement: str) -> None:
    assert sql.error(statement).code == 1003
