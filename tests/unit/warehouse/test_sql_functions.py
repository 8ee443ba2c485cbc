"""Functions in SQL that users define."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.warehouse.catalog import udfs
from tests.kit.sql_engine import HERE, Sql, sql_engine, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE t (id INT, name VARCHAR)")
        sql.rows("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        yield sql


@pytest.mark.parametrize(
    ("create", "call", "expected"),
    [
        ("f(i INT) RETURNS INT LANGUAGE SQL AS 'i+1'", "f(2)", 3),
        ("f(i INT) RETURNS INT AS $$ i + 1 $$", "DB.S.F(2)", 3),
        ("f(n VARCHAR) RETURNS VARCHAR NOT NULL IMMUTABLE AS 'upper(n)'", "f('a')", "A"),
        ("f() RETURNS VARCHAR COMMENT='it''s' AS $$ 'a''b' $$", "f()", "a'b"),
        ("f(v VARIANT) RETURNS VARCHAR AS 'v:k::VARCHAR'", """f(PARSE_JSON('{"k":"x"}'))""", "x"),
        ("f() RETURNS INT AS 'SELECT max(id) FROM t'", "f()", 3),
        ("f(a INT, b INT DEFAULT 5) RETURNS INT AS 'a+b'", "f(1)", 6),
        ("f(a INT, b INT DEFAULT 5) RETURNS INT AS 'a+b'", "f(1, 2)", 3),
        ("f(a NUMBER(10,2)) RETURNS VARCHAR AS 'a'", "f(1)", "1.00"),
        ('f("lower" INT) RETURNS INT AS \'"lower" * 2\'', "f(4)", 8),
    ],
)
def test_a_function_answers(sql: Sql, create: str, call: str, expected: object) -> None:
    (done,) = sql.row(f"CREATE OR REPLACE FUNCTION {create}")
    assert done == "Function F successfully created."
    assert sql.value(f"SELECT {call}") == expected


def test_a_function_is_called_for_each_row(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION double(i INT) RETURNS INT AS 'i*2'")
    assert sql.rows("SELECT double(id) FROM t WHERE double(id) > 2 ORDER BY 1") == [(4,), (6,)]


def test_a_table_function_gives_rows_by_the_names_of_its_columns(sql: Sql) -> None:
    sql.rows(
        "CREATE FUNCTION above(least INT) RETURNS TABLE (number INT, text VARCHAR) "
        "AS $$ SELECT id, name FROM t WHERE id > least $$"
    )
    assert sql.rows("SELECT text FROM TABLE(above(1)) ORDER BY number") == [("two",), ("three",)]
    assert sql.rows("SELECT a.number FROM TABLE(DB.S.above(2)) AS a") == [(3,)]


def test_a_function_exists_once(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION f(i INT) RETURNS INT AS 'i+1'")
    assert sql.error("CREATE FUNCTION f(i INT) RETURNS INT AS 'i+2'").code == 2002
    sql.rows("CREATE FUNCTION IF NOT EXISTS f(i INT) RETURNS INT AS 'i+3'")
    assert sql.value("SELECT f(0)") == 1
    sql.rows("CREATE OR REPLACE FUNCTION f(i INT) RETURNS INT AS 'i+4'")
    assert sql.value("SELECT f(0)") == 4


def test_a_dropped_function_is_unknown(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION f(i INT) RETURNS INT AS 'i'")
    assert sql.row("DROP FUNCTION f(INT)") == ("F successfully dropped.",)
    assert sql.error("SELECT f(1)").code == 2140
    assert sql.error("DROP FUNCTION f(INT)").code == 2003
    sql.rows("DROP FUNCTION IF EXISTS f(INT)")


def test_a_function_is_described(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION f(i INT, n NUMBER(10, 2)) RETURNS INT AS 'i+1'")
    assert sql.rows("DESCRIBE FUNCTION f(INT, NUMBER)") == [
        ("signature", "(I INT, N NUMBER(10, 2))"),
        ("returns", "INT"),
        ("language", "SQL"),
        ("body", "i+1"),
    ]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("CREATE FUNCTION f(i INT) RETURNS INT LANGUAGE PYTHON HANDLER='x' AS 'def x(i): 1'", 2),
        ("CREATE FUNCTION f(i INT) RETURNS INT AS 'i +'", 1003),
        ("CREATE FUNCTION f(i INT) RETURNS INT AS 'nobody(i)'", 2140),
        ("CREATE FUNCTION f(i INT) RETURNS INT", 1003),
        ("CREATE FUNCTION f(i) RETURNS INT AS 'i'", 1003),
        ("CREATE FUNCTION f() RETURNS VARCHAR AS 'CURRENT_USER()'", 2),
        ("CREATE FUNCTION f() RETURNS INT AS 'SELECT count(*) FROM read_csv(''/x'')'", 2140),
        ("SELECT nobody(1)", 2140),
    ],
)
def test_what_is_no_function_is_refused(sql: Sql, statement: str, code: int) -> None:
    assert sql.error(statement).code == code


def test_arguments_that_do_not_fit_are_refused(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION f(i INT) RETURNS INT AS 'i'")
    assert sql.error("SELECT f(1, 2)").code == 1044
    assert sql.error("SELECT f('x')").code == 100038


def test_a_body_reads_the_tables_beside_the_function(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION most() RETURNS INT AS 'SELECT max(id) FROM t'")
    elsewhere = Sql(sql.session, replace(HERE, schema="INFORMATION_SCHEMA"))
    assert elsewhere.value("SELECT DB.S.most()") == 3


def test_functions_outlive_the_engine(tmp_path: Path) -> None:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE FUNCTION f(v VARIANT) RETURNS VARCHAR AS 'TYPEOF(v)'")
    with sql_engine(tmp_path) as engine:
        again = Sql(engine.open_session(2))
        assert again.value("SELECT f(PARSE_JSON('1'))") == "INTEGER"
        again.session.close()


@pytest.mark.parametrize("statement", ["SELECT 1", "CREATE TABLE f (i INT)", "", "CREATE", "'"])
def test_other_statements_are_left_alone(statement: str) -> None:
    assert udfs.read(statement) is None
