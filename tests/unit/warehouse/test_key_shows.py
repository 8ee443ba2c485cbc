"""SHOW of primary, unique and foreign keys, as tools ask for them that reflect a schema."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE parent (a INT, b INT, c INT UNIQUE, PRIMARY KEY (a, b))")
        sql.rows("CREATE TABLE plain (id INT PRIMARY KEY)")
        sql.rows("CREATE TABLE child (id INT, of INT REFERENCES plain(id))")
        yield sql


def shown(sql: Sql, statement: str) -> list[dict[str, Any]]:
    return sql.outcome(statement).table.to_pylist()


@pytest.mark.parametrize("where", ["", "IN SCHEMA s", "IN DATABASE db", "IN ACCOUNT"])
def test_primary_keys_have_a_row_for_each_column(sql: Sql, where: str) -> None:
    rows = shown(sql, f"SHOW PRIMARY KEYS {where}")
    assert [(row["table_name"], row["column_name"], row["key_sequence"]) for row in rows] == [
        ("PARENT", "A", 1),
        ("PARENT", "B", 2),
        ("PLAIN", "ID", 1),
    ]
    assert (rows[0]["database_name"], rows[0]["schema_name"]) == ("DB", "S")
    assert rows[0]["constraint_name"] == rows[1]["constraint_name"] != ""
    assert rows[0]["created_on"].year > 1970


def test_keys_of_one_table(sql: Sql) -> None:
    (unique,) = shown(sql, "SHOW UNIQUE KEYS IN TABLE db.s.parent")
    assert unique["column_name"] == "C"
    assert shown(sql, "SHOW /* a comment */ UNIQUE KEYS IN TABLE plain") == []
    (primary,) = shown(sql, "SHOW PRIMARY KEYS IN TABLE plain")
    assert primary["table_name"] == "PLAIN"


def test_imported_keys_name_both_sides(sql: Sql) -> None:
    (row,) = shown(sql, "SHOW IMPORTED KEYS IN SCHEMA db.s")
    assert (row["fk_table_name"], row["fk_column_name"]) == ("CHILD", "OF")
    assert (row["pk_table_name"], row["pk_column_name"]) == ("PLAIN", "ID")
    assert (row["pk_schema_name"], row["fk_database_name"]) == ("S", "DB")
    assert shown(sql, "SHOW IMPORTED KEYS IN TABLE parent") == []
