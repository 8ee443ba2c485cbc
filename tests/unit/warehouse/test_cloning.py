"""CREATE TABLE … CLONE and … LIKE."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.sql_engine import Sql, sql_engine

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_engine(tmp_path) as engine:
        engine.create_schema("DB", "X", replace=False)
        engine.create_database("OTHER", replace=False)
        engine.create_schema("OTHER", "S", replace=False)
        sql = Sql(engine.open_session(1))
        sql.rows("CREATE SEQUENCE q START 5")
        sql.rows("CREATE TABLE p (id INT PRIMARY KEY)")
        sql.rows(
            "CREATE TABLE t (id INT NOT NULL DEFAULT q.NEXTVAL, n INT AUTOINCREMENT, "
            "name VARCHAR DEFAULT 'x' COMMENT 'of people', p INT REFERENCES p(id)) COMMENT = 'all'"
        )
        sql.rows("INSERT INTO t (name) VALUES ('a')")
        yield sql
        sql.session.close()


def described(sql: Sql, table: str) -> dict[str, tuple[str, str | None]]:
    rows = sql.outcome(f"DESCRIBE TABLE {table}").table.to_pylist()
    return {row["name"]: (row["null?"], row["default"]) for row in rows}


@pytest.mark.parametrize(
    "create",
    [
        "CREATE TABLE c CLONE t",
        "CREATE OR REPLACE TABLE c CLONE t",
        "CREATE TRANSIENT TABLE c CLONE s.t COPY GRANTS",
        "CREATE TABLE IF NOT EXISTS c CLONE db.s.t",
        "CREATE TEMPORARY TABLE c CLONE t",
        "CREATE TABLE x.c CLONE t",
    ],
)
def test_a_clone_has_the_rows_and_goes_on_with_the_defaults(sql: Sql, create: str):
    name = "x.c" if "x.c" in create else "c"
    assert sql.rows(create) == [("Table C successfully created.",)]
    sql.rows(f"INSERT INTO {name} (name) VALUES ('b')")
    sql.rows("INSERT INTO t (name) VALUES ('c')")
    # One sequence for both, and numbers of its own for each.
    assert sql.rows(f"SELECT id, n, name FROM {name} ORDER BY n") == [(5, 1, "a"), (6, 2, "b")]
    assert sql.rows("SELECT id, n, name FROM t ORDER BY n") == [(5, 1, "a"), (7, 2, "c")]
    if "TEMPORARY" not in create:
        assert described(sql, name) == described(sql, "t")


def test_a_clone_of_a_clone_is_one(sql: Sql):
    for made, of in (("c", "t"), ("d", "c")):
        sql.rows(f"CREATE TABLE {made} CLONE {of}")
    sql.rows("INSERT INTO d (name) VALUES ('b')")
    assert sql.rows("SELECT n FROM d ORDER BY n") == [(1,), (2,)]
    assert described(sql, "d") == described(sql, "t")


def test_a_clone_replaces_what_was_there_but_itself(sql: Sql):
    sql.rows("CREATE TABLE c (other INT)")
    assert "already exists" in sql.error("CREATE TABLE c CLONE t").message
    sql.rows("CREATE OR REPLACE TABLE c CLONE t")
    sql.rows("CREATE OR REPLACE TABLE c CLONE c")
    assert sql.rows("SELECT name FROM c") == [("a",)]
    assert (
        sql.value("SELECT comment FROM information_schema.tables WHERE table_name = 'C'") == "all"
    )


def test_what_is_made_like_a_table_is_empty(sql: Sql):
    sql.rows("CREATE TABLE e LIKE t")
    assert sql.rows("SELECT * FROM e") == []
    sql.rows("INSERT INTO e (name) VALUES ('b')")
    assert sql.rows("SELECT id, n, name FROM e") == [(6, 1, "b")]


def test_a_temporary_clone_is_gone_with_its_session_s_names(sql: Sql):
    sql.rows("CREATE TEMP TABLE t2 CLONE t")
    assert "T2" not in {row[1] for row in sql.rows("SHOW TABLES")}
    sql.rows("UPDATE t2 SET name = 'z'")
    assert sql.rows("SELECT name FROM t") == [("a",)]


def test_what_cannot_be_cloned_says_so(sql: Sql):
    assert sql.error("CREATE TABLE c CLONE nothere").code == 2003
    sql.rows("CREATE VIEW v AS SELECT 1 AS a")
    assert sql.error("CREATE TABLE c CLONE v").code == 2003
    assert "point of time" in sql.error("CREATE TABLE c CLONE t AT(OFFSET => -60)").message
    assert "sequence" in sql.error("CREATE TABLE other.s.c CLONE t").message
    sql.rows("CREATE TABLE plain (n INT AUTOINCREMENT, name VARCHAR)")
    sql.rows("CREATE TABLE other.s.c CLONE plain")
    sql.rows("INSERT INTO other.s.c (name) VALUES ('b')")
    assert sql.rows("SELECT * FROM other.s.c") == [(1, "b")]
