"""Temporary tables and views that are named with their schema."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.sql_engine import HERE, Sql, sql_engine

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_engine(tmp_path) as engine:
        engine.create_schema("DB", "X", replace=False)
        sql = Sql(engine.open_session(1))
        yield sql
        sql.session.close()


@pytest.fixture
def in_x(sql: Sql) -> Sql:
    """The same session, in the other schema."""
    return Sql(sql.session, replace(HERE, schema="X"))


@pytest.mark.parametrize("name", ["x.t", "db.x.t", '"DB"."X"."T"'])
def test_a_temporary_table_is_known_by_its_whole_name(sql: Sql, name: str):
    assert sql.rows(f"CREATE TEMP TABLE {name} (a INT, b VARCHAR)") == [
        ("Table T successfully created.",)
    ]
    sql.rows(f"INSERT INTO {name} VALUES (1, 'x'), (2, 'y')")
    sql.rows(f"UPDATE {name} SET b = 'z' WHERE a = 1")
    sql.rows(f"DELETE FROM {name} WHERE a = 2")
    assert sql.rows(f"SELECT {name}.a, t.b FROM {name}") == [(1, "z")]
    described = sql.outcome(f"DESCRIBE TABLE {name}").table.to_pylist()
    assert [(row["name"], row["type"]) for row in described] == [
        ("A", "NUMBER(38,0)"),
        ("B", "VARCHAR(16777216)"),
    ]
    sql.rows(f"DROP TABLE {name}")
    assert sql.error(f"SELECT * FROM {name}").code == 2003


def test_a_name_without_a_schema_is_of_the_session_s_schema(sql: Sql, in_x: Sql):
    in_x.rows("CREATE TEMP TABLE t AS SELECT 'of x' AS what")
    sql.rows("CREATE TABLE t AS SELECT 'of s' AS what")
    assert (sql.value("SELECT what FROM t"), in_x.value("SELECT what FROM t")) == ("of s", "of x")
    assert (sql.value("SELECT what FROM x.t"), in_x.value("SELECT what FROM s.t")) == (
        "of x",
        "of s",
    )
    assert sql.value("WITH t AS (SELECT 'of with' AS what) SELECT what FROM t") == "of with"


def test_a_temporary_table_hides_the_one_of_its_name(sql: Sql):
    sql.rows("CREATE TABLE x.t AS SELECT 'kept' AS what")
    sql.rows("CREATE TEMP TABLE x.t AS SELECT 'temporary' AS what")
    assert sql.value("SELECT what FROM x.t") == "temporary"
    sql.rows("DROP TABLE x.t")
    assert sql.value("SELECT what FROM x.t") == "kept"


def test_one_name_in_two_schemas_is_refused(sql: Sql):
    sql.rows("CREATE TEMP TABLE x.t (a INT)")
    assert sql.error("CREATE TEMP TABLE s.t (a INT)").code == 2
    sql.rows("DROP TABLE x.t")
    sql.rows("CREATE TEMP TABLE s.t (a INT)")


def test_a_temporary_table_is_renamed(sql: Sql):
    sql.rows("CREATE TEMP TABLE x.t (a INT)")
    sql.rows("ALTER TABLE x.t RENAME TO x.u")
    assert sql.rows("SELECT * FROM db.x.u") == []
    assert sql.error("SELECT * FROM x.t").code == 2003


def test_an_incremental_model_goes_by_a_temporary_view(sql: Sql):
    """What dbt does: a view of the new rows, its columns, a merge, and away with it."""
    sql.rows("CREATE TABLE x.model AS SELECT 1 AS id, 'old' AS name UNION ALL SELECT 2, 'old'")
    sql.rows(
        "CREATE OR REPLACE TEMPORARY VIEW db.x.model__dbt_tmp AS "
        "(SELECT 2 AS id, 'new' AS name UNION ALL SELECT 3, 'new')"
    )
    described = sql.outcome('DESCRIBE TABLE "DB"."X"."MODEL__DBT_TMP"').table.to_pylist()
    assert [row["name"] for row in described] == ["ID", "NAME"]
    sql.rows(
        "MERGE INTO db.x.model AS DBT_INTERNAL_DEST USING db.x.model__dbt_tmp AS DBT_INTERNAL_SOURCE "
        "ON (DBT_INTERNAL_SOURCE.id = DBT_INTERNAL_DEST.id) "
        "WHEN MATCHED THEN UPDATE SET id = DBT_INTERNAL_SOURCE.id, name = DBT_INTERNAL_SOURCE.name "
        "WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id, name)"
    )
    sql.rows("DROP VIEW IF EXISTS db.x.model__dbt_tmp CASCADE")
    found = sql.rows("SELECT id, name FROM x.model ORDER BY id")
    assert found == [(1, "old"), (2, "new"), (3, "new")]


def test_others_do_not_see_it(sql: Sql, tmp_path: Path):
    with sql_engine(tmp_path / "more") as engine:
        engine.create_schema("DB", "X", replace=False)
        one, other = Sql(engine.open_session(1)), Sql(engine.open_session(2))
        one.rows("CREATE TEMP TABLE x.t (a INT)")
        assert other.error("SELECT * FROM x.t").code == 2003
        for session in (one, other):
            session.session.close()


def test_a_role_needs_the_schema_and_no_more(sql: Sql):
    """A temporary table is its session's: no privilege to make one, and none on it."""
    may_use = {("DB", "X"): frozenset[str]()}
    limited = Sql(sql.session, replace(HERE, role="R2", role_uid=2, schemas=may_use))
    limited.rows("CREATE TEMP TABLE x.t (a INT)")
    limited.rows("INSERT INTO x.t VALUES (1)")
    assert limited.rows("SELECT * FROM db.x.t") == [(1,)]
    assert limited.error("CREATE TEMP TABLE s.t2 (a INT)").code == 2003
    limited.rows("DROP TABLE x.t")
