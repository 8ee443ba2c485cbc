"""A role reaches the schemas that it may use, and nothing tells it about the others."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.warehouse.engine.api import Context
from tests.kit.sql_engine import HERE, Sql, sql_engine

pytestmark = pytest.mark.documented
ADMIN, READER = 1, 2
MAKES = frozenset(f"CREATE {kind}" for kind in ("TABLE", "VIEW", "SEQUENCE", "FUNCTION"))
# The role that made all there is, but may use one schema only.
ONLY_S = replace(HERE, schemas={("DB", "S"): MAKES}, roles=frozenset({ADMIN}))


@pytest.fixture
def engine_sql(tmp_path: Path) -> Generator[Sql]:
    with sql_engine(tmp_path) as engine:
        engine.create_schema("DB", "HIDDEN", replace=False)
        engine.create_database("OTHER", replace=False)
        engine.create_schema("OTHER", "X", replace=False)
        sql = Sql(engine.open_session(1))
        sql.rows("CREATE TABLE open AS SELECT 1 AS a")
        sql.rows("CREATE TABLE HIDDEN.secret AS SELECT 2 AS a")
        sql.rows("CREATE TABLE OTHER.X.secret AS SELECT 3 AS a")
        sql.rows("CREATE FUNCTION HIDDEN.f() RETURNS INT AS '1'")
        sql.rows("CREATE VIEW window_to AS SELECT a FROM DB.HIDDEN.secret")
        yield sql
        sql.session.close()


@pytest.fixture
def sql(engine_sql: Sql) -> Sql:
    return Sql(engine_sql.session, ONLY_S)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM HIDDEN.secret",
        "SELECT * FROM OTHER.X.secret",
        'SELECT * FROM "DB"."HIDDEN"."SECRET"',
        "SELECT * FROM open WHERE a IN (SELECT a FROM HIDDEN.secret)",
        "WITH secret AS (SELECT 1 AS a) SELECT * FROM HIDDEN.secret",
        "INSERT INTO HIDDEN.secret VALUES (1)",
        "INSERT INTO open SELECT a FROM HIDDEN.secret",
        "UPDATE HIDDEN.secret SET a = 1",
        "DELETE FROM OTHER.X.secret",
        "MERGE INTO open USING HIDDEN.secret AS s ON open.a = s.a WHEN MATCHED THEN DELETE",
        "TRUNCATE TABLE HIDDEN.secret",
        "DROP TABLE HIDDEN.secret",
        "ALTER TABLE HIDDEN.secret RENAME TO HIDDEN.mine",
        "CREATE TABLE HIDDEN.mine (a INT)",
        "CREATE TABLE mine CLONE HIDDEN.secret",
        "CREATE VIEW mine AS SELECT * FROM HIDDEN.secret",
        "CREATE FUNCTION HIDDEN.mine() RETURNS INT AS '1'",
        "CREATE FUNCTION mine() RETURNS INT AS 'SELECT max(a) FROM HIDDEN.secret'",
        "DESCRIBE TABLE HIDDEN.secret",
        "SHOW COLUMNS IN TABLE HIDDEN.secret",
        "SELECT HIDDEN.f()",
        "SELECT DB.HIDDEN.f()",
        "SELECT * FROM HIDDEN.f()",
        "SELECT * FROM TABLE(DB.HIDDEN.f())",
        "SELECT * FROM IDENTIFIER('HIDDEN.secret')",
        "SELECT * FROM OTHER.INFORMATION_SCHEMA.TABLES",
        "COMMENT ON TABLE HIDDEN.secret IS 'x'",
        "EXPLAIN SELECT * FROM HIDDEN.secret",
        "EXPLAIN USING JSON INSERT INTO open SELECT a FROM HIDDEN.secret",
        "COMMENT ON COLUMN HIDDEN.secret.a IS 'x'",
    ],
)
def test_other_schemas_do_not_exist(sql: Sql, statement: str) -> None:
    error = sql.error(statement)
    assert error.code == 2003
    assert error.message.endswith("does not exist or not authorized.")


def test_what_cannot_be_looked_into_is_refused(sql: Sql) -> None:
    assert sql.error("SHOW COLUMNS").code == 2


def test_a_plan_names_no_table_behind_a_view(sql: Sql, engine_sql: Sql) -> None:
    asked = "EXPLAIN USING TEXT SELECT * FROM window_to, open"
    assert "DB.HIDDEN.SECRET" in engine_sql.value(asked)
    assert "SECRET" not in sql.value(asked)
    assert "DB.S.OPEN" in sql.value(asked)


def test_a_variable_names_no_way_around(sql: Sql) -> None:
    sql.rows("SET t = 'HIDDEN.secret'")
    assert sql.error("SELECT * FROM IDENTIFIER($t)").code == 2003


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT * FROM open", [(1,)]),
        ("SELECT * FROM DB.S.open", [(1,)]),
        ("WITH secret AS (SELECT 5 AS a) SELECT * FROM secret", [(5,)]),
        ("SELECT * FROM window_to", [(2,)]),
        ("SELECT x FROM VALUES (1) AS v(x)", [(1,)]),
        (
            "SELECT table_name FROM information_schema.tables WHERE table_name = 'OPEN'",
            [("OPEN",)],
        ),
    ],
)
def test_the_own_schema_and_what_is_everybody_s_are_there(
    sql: Sql, statement: str, rows: list[tuple[object, ...]]
) -> None:
    assert sql.rows(statement) == rows


@pytest.mark.parametrize("statement", ["SHOW TABLES IN ACCOUNT", "SHOW TABLES IN DATABASE DB"])
def test_others_are_not_shown(sql: Sql, statement: str) -> None:
    assert [row[1] for row in sql.rows(statement)] == ["OPEN"]
    assert len(Sql(sql.session, HERE).rows(statement)) > 1


def test_nothing_is_there_for_a_role_without_any_schema(sql: Sql) -> None:
    nobody: Context = replace(HERE, schemas={})
    lonely = Sql(sql.session, nobody)
    assert lonely.rows("SHOW TABLES IN ACCOUNT") == []
    assert lonely.error("SELECT * FROM open").code == 2003
    assert lonely.rows("SELECT 1") == [(1,)]
