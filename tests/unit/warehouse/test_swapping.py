"""ALTER TABLE … SWAP WITH."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from tests.kit.sql_engine import HERE, Sql, sql_engine, sql_session

pytestmark = pytest.mark.documented
DONE = [("Statement executed successfully.",)]


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE live (id INT AUTOINCREMENT, x INT PRIMARY KEY)")
        sql.rows("INSERT INTO live (x) VALUES (1), (2)")
        sql.rows("CREATE TABLE fresh (y VARCHAR) COMMENT = 'new'")
        sql.rows("INSERT INTO fresh VALUES ('a')")
        yield sql


def test_two_tables_change_names(sql: Sql) -> None:
    assert sql.rows("ALTER TABLE live SWAP WITH db.s.fresh") == DONE
    assert sql.rows("SELECT y FROM live") == [("a",)]
    sql.rows("INSERT INTO fresh (x) VALUES (3)")
    assert sql.rows("SELECT id, x FROM fresh ORDER BY x") == [(1, 1), (2, 2), (3, 3)]
    shown = sql.outcome("SHOW TABLES").table.select(["name", "comment"]).to_pylist()
    assert shown == [{"name": "FRESH", "comment": ""}, {"name": "LIVE", "comment": "new"}]


def test_back_again(sql: Sql) -> None:
    for _ in range(2):
        sql.rows("ALTER TABLE live SWAP WITH fresh")
    assert sql.rows("SELECT x FROM live ORDER BY x") == [(1,), (2,)]


def test_a_table_keeps_its_owner_and_its_grants(tmp_path: Path) -> None:
    with sql_engine(tmp_path) as engine:
        session = engine.open_session(1)
        sql = Sql(session)
        sql.rows("CREATE TABLE a (x INT)")
        sql.rows("CREATE TABLE b (x INT)")
        before = {one.name: one.uid for one in engine.objects(pb.ListObjectsRequest())}
        sql.rows("ALTER TABLE a SWAP WITH b")
        after = {one.name: one.uid for one in engine.objects(pb.ListObjectsRequest())}
        session.close()
    assert after == {"A": before["B"], "B": before["A"]}


def test_both_must_be_owned(sql: Sql) -> None:
    clerk = replace(
        HERE,
        role="CLERK",
        role_uid=2,
        roles=frozenset({2}),
        schemas={("DB", "S"): frozenset({"USAGE", "CREATE TABLE"})},
    )
    other = Sql(sql.session, clerk)
    other.rows("CREATE TABLE mine (z INT)")
    for statement in ("ALTER TABLE mine SWAP WITH live", "ALTER TABLE live SWAP WITH mine"):
        assert other.error(statement).code == 2003
    assert sql.rows("SELECT x FROM live ORDER BY x") == [(1,), (2,)]


@pytest.mark.parametrize(
    "statement", ["ALTER TABLE live SWAP WITH nowhere", "ALTER TABLE nowhere SWAP WITH live"]
)
def test_what_is_not_there_leaves_both_as_they_were(sql: Sql, statement: str) -> None:
    error = sql.error(statement)
    assert (error.code, error.sqlstate) == (2003, "42S02")
    assert "NOWHERE" in error.message
    assert sql.rows("SELECT x FROM live ORDER BY x") == [(1,), (2,)]


def test_where_it_exists(sql: Sql) -> None:
    assert sql.rows("ALTER TABLE IF EXISTS nowhere SWAP WITH live") == DONE
    assert sql.rows("ALTER TABLE IF EXISTS live SWAP WITH fresh") == DONE
    assert sql.rows("SELECT y FROM live") == [("a",)]
