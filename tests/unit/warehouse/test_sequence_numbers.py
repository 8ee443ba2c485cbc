"""NEXTVAL in every place where an expression may stand."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.sql_engine import Sql, sql_engine

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_engine(tmp_path) as engine:
        engine.create_schema("DB", "X", replace=False)
        sql = Sql(engine.open_session(1))
        sql.rows("CREATE SEQUENCE q START 5")
        sql.rows("CREATE TABLE t (id INT, name VARCHAR)")
        yield sql
        sql.session.close()


@pytest.mark.parametrize("name", ["q.NEXTVAL", "s.q.nextval", "DB.S.Q.NEXTVAL", '"Q".NEXTVAL'])
def test_values_take_their_number_from_a_sequence(sql: Sql, name: str) -> None:
    sql.rows(f"INSERT INTO t (id, name) VALUES ({name}, 'a'), ({name} + 10, 'b')")
    assert sql.rows("SELECT id, name FROM t ORDER BY name") == [(5, "a"), (16, "b")]


def test_a_column_s_default_is_a_sequence_s_next(sql: Sql) -> None:
    sql.rows("CREATE TABLE u (id INT NOT NULL DEFAULT q.NEXTVAL PRIMARY KEY, name VARCHAR)")
    sql.rows("INSERT INTO u (name) VALUES ('a'), ('b')")
    assert sql.rows("SELECT id, name FROM u ORDER BY id") == [(5, "a"), (6, "b")]
    described = sql.outcome("DESCRIBE TABLE u").table.to_pylist()
    assert [row["default"] for row in described] == ["DB.S.Q.NEXTVAL", None]


def test_rows_are_updated_with_numbers(sql: Sql) -> None:
    sql.rows("INSERT INTO t VALUES (0, 'a')")
    sql.rows("UPDATE t SET id = q.NEXTVAL WHERE name = 'a'")
    assert sql.rows("SELECT id FROM t") == [(5,)]


def test_a_selected_number_is_called_nextval_unless_it_has_a_name(sql: Sql) -> None:
    table = sql.outcome("SELECT q.NEXTVAL, q.NEXTVAL AS other, 1 + q.NEXTVAL AS more").table
    assert [name.upper() for name in table.column_names] == ["NEXTVAL", "OTHER", "MORE"]
    assert list(table.to_pylist()[0].values()) == [5, 6, 8]


def test_sequences_of_other_schemas_are_found(sql: Sql) -> None:
    sql.rows("CREATE SEQUENCE db.x.q START 100")
    assert sql.rows("SELECT x.q.NEXTVAL, q.NEXTVAL") == [(100, 5)]
