"""SHOW and DESCRIBE of tables, views, sequences and columns."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sql_engine import HERE, Sql, sql_engine, sql_session

TABLE_COLUMNS = """created_on name database_name schema_name kind comment cluster_by rows bytes owner
retention_time automatic_clustering change_tracking search_optimization search_optimization_progress
search_optimization_bytes is_external enable_schema_evolution owner_role_type is_event budget is_hybrid
is_iceberg is_dynamic is_immutable"""
VIEW_COLUMNS = """created_on name reserved database_name schema_name owner comment text is_secure
is_materialized owner_role_type change_tracking"""

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_engine(tmp_path) as engine:
        engine.create_database("OTHER", replace=False)
        engine.create_schema("OTHER", "X", replace=False)
        sql = Sql(engine.open_session(1))
        sql.rows("CREATE TABLE first (id INT AUTOINCREMENT, name VARCHAR(20) DEFAULT 'x')")
        sql.rows("INSERT INTO first (name) VALUES ('a'), ('b')")
        sql.rows("CREATE TABLE fourth (id INT)")
        sql.rows("CREATE TABLE OTHER.X.away (id INT)")
        sql.rows("create view second as select id from first")
        sql.rows("CREATE SEQUENCE third START 5")
        yield sql
        sql.session.close()


def shown(sql: Sql, statement: str) -> list[dict[str, Any]]:
    outcome = sql.outcome(statement)
    return outcome.table.to_pylist()


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("SHOW TABLES", ["FIRST", "FOURTH"]),
        ("SHOW TABLES LIKE 'fir%'", ["FIRST"]),
        ("SHOW TABLES STARTS WITH 'FO'", ["FOURTH"]),
        ("SHOW TABLES STARTS WITH 'fo'", []),
        ("SHOW TABLES LIMIT 1", ["FIRST"]),
        ("SHOW TABLES LIMIT 1 FROM 'FIRST'", ["FOURTH"]),
        ("SHOW TABLES IN SCHEMA OTHER.X", ["AWAY"]),
        ("SHOW TABLES IN DATABASE OTHER", ["AWAY"]),
        ("SHOW TABLES IN SCHEMA s", ["FIRST", "FOURTH"]),
        ("SHOW TABLES IN ACCOUNT", ["FIRST", "FOURTH", "AWAY"]),
        ("SHOW TERSE TABLES", ["FIRST", "FOURTH"]),
        ("SHOW VIEWS", ["SECOND"]),
        ("SHOW OBJECTS", ["FIRST", "FOURTH", "SECOND"]),
        ("SHOW SEQUENCES", ["THIRD"]),
    ],
)
def test_what_is_shown(sql: Sql, statement: str, names: list[str]) -> None:
    assert [row["name"] for row in shown(sql, statement)] == names


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("SHOW TABLES", TABLE_COLUMNS),
        ("SHOW TERSE TABLES", "created_on name kind database_name schema_name"),
        ("SHOW VIEWS", VIEW_COLUMNS),
    ],
)
def test_the_columns_are_snowflake_s(sql: Sql, statement: str, names: str) -> None:
    assert [column.name for column in sql.outcome(statement).columns] == names.split()


def test_a_table_tells_when_it_was_made_by_whom_and_how_much_it_holds(sql: Sql) -> None:
    table = shown(sql, "SHOW TABLES LIKE 'FIRST'")[0]
    assert abs((table["created_on"] - datetime.now(UTC)).total_seconds()) < 60
    assert (table["owner"], table["rows"], table["kind"]) == ("R", 2, "TABLE")


def test_a_view_is_shown_as_it_was_written(sql: Sql) -> None:
    assert shown(sql, "SHOW VIEWS")[0]["text"] == "create view second as select id from first"


def test_renaming_keeps_the_owner_and_replacing_changes_it(sql: Sql) -> None:
    other = Sql(sql.session, replace(HERE, role="R2"))
    other.rows("ALTER TABLE first RENAME TO renamed")
    assert shown(sql, "SHOW TABLES LIKE 'RENAMED'")[0]["owner"] == "R"
    other.rows("CREATE TABLE IF NOT EXISTS renamed (id INT)")
    assert shown(sql, "SHOW TABLES LIKE 'RENAMED'")[0]["owner"] == "R"
    other.rows("CREATE OR REPLACE TABLE renamed (id INT)")
    assert shown(sql, "SHOW TABLES LIKE 'RENAMED'")[0]["owner"] == "R2"


def test_the_time_of_making_outlives_the_engine(tmp_path: Path) -> None:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE t (id INT)")
        before = shown(sql, "SHOW TABLES")[0]["created_on"]
    with sql_engine(tmp_path) as engine:
        again = Sql(engine.open_session(2))
        assert shown(again, "SHOW TABLES")[0]["created_on"] == before
        again.session.close()


def test_a_sequence_tells_its_next_value(sql: Sql) -> None:
    assert shown(sql, "SHOW SEQUENCES")[0]["next_value"] == 5
    sql.rows("SELECT third.NEXTVAL")
    assert shown(sql, "SHOW SEQUENCES")[0]["next_value"] == 6


def test_columns_that_number_themselves_say_so(sql: Sql) -> None:
    identity = "IDENTITY START 1 INCREMENT 1 NOORDER"
    described = shown(sql, "DESCRIBE TABLE first")
    assert [row["default"] for row in described] == [identity, "'x'"]
    assert [row["type"] for row in described] == ["NUMBER(38,0)", "VARCHAR(20)"]
    columns = shown(sql, "SHOW COLUMNS IN TABLE first")
    assert [row["autoincrement"] for row in columns] == [identity, ""]
    assert [row["default"] for row in columns] == ["", "'x'"]
