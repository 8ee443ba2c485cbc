"""INFORMATION_SCHEMA.TABLES: tables and views, with what is known of them."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.sql_engine import HERE, Sql, sql_engine, sql_session

pytestmark = pytest.mark.documented
ASKED = "FROM information_schema.tables WHERE table_schema = 'S' ORDER BY table_name"


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        yield sql


def test_views_stand_beside_tables(sql: Sql) -> None:
    sql.rows("CREATE TABLE t AS SELECT 1 AS x")
    sql.rows("CREATE VIEW v AS SELECT x FROM t")
    assert sql.rows(f"SELECT table_name, table_type, row_count {ASKED}") == [
        ("T", "BASE TABLE", 1),
        ("V", "VIEW", None),
    ]
    counted = sql.rows(
        "SELECT COUNT(*) FROM db.information_schema.tables WHERE table_type = 'VIEW'"
    )
    assert counted == [(1,)]


def test_the_owner_the_time_and_the_comment_are_told(sql: Sql) -> None:
    sql.rows("CREATE TABLE t (x INT) COMMENT = 'of a table'")
    sql.rows("CREATE VIEW v AS SELECT 1 AS x")
    sql.rows("COMMENT ON VIEW v IS 'of a view'")
    asked = f"SELECT table_owner, comment, created > '2020-01-01' AS lately {ASKED}"
    assert sql.rows(asked) == [("R", "of a table", True), ("R", "of a view", True)]


def test_what_is_dropped_is_gone(sql: Sql) -> None:
    sql.rows("CREATE VIEW v AS SELECT 1 AS x")
    sql.rows("DROP VIEW v")
    assert sql.rows(f"SELECT table_name {ASKED}") == []


def test_views_are_listed_after_a_restart(tmp_path: Path) -> None:
    with sql_engine(tmp_path) as engine:
        session = engine.open_session(1)
        Sql(session).rows("CREATE VIEW v AS SELECT 1 AS x")
        session.close()
    with sql_engine(tmp_path) as engine:
        session = engine.open_session(1)
        assert Sql(session, HERE).rows(f"SELECT table_name {ASKED}") == [("V",)]
        session.close()
