"""Small differences between Snowflake's SQL and DuckDB's, each closed."""

from collections.abc import Generator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from tests.kit.sql_engine import Sql, sql_session

pytestmark = pytest.mark.documented


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        yield sql


@pytest.mark.parametrize(
    ("statement", "feature"),
    [
        ("CREATE EVENT TABLE a.b.c", "CREATE EVENT TABLE"),
        ("CREATE OR REPLACE STREAM s ON TABLE t", "CREATE STREAM"),
        ("CREATE TASK IF NOT EXISTS t AS SELECT 1", "CREATE TASK"),
        ("CREATE OR REPLACE PROCEDURE p() RETURNS INT LANGUAGE SQL AS 'x'", "CREATE PROCEDURE"),
        ("ALTER ACCOUNT SET EVENT_TABLE = a.b.c", "ALTER ACCOUNT"),
        ("ALTER TABLE a SWAP WITH other.b", "SWAP WITH a table of another schema"),
        ("CALL p()", "CALL of a procedure"),
        ("EXECUTE IMMEDIATE $$ BEGIN RETURN 1; END $$", "EXECUTE IMMEDIATE of a block"),
        ("SHOW TRANSACTIONS", "SHOW TRANSACTIONS"),
        ("UNDROP TABLE t", "UNDROP"),
        ("COMMENT ON PROCEDURE p IS 'x'", "COMMENT ON PROCEDURE"),
        ("COMMENT ON STREAMLIT s IS 'x'", "COMMENT ON STREAMLIT"),
        ("DROP STORAGE INTEGRATION IF EXISTS i", "DROP STORAGE INTEGRATION"),
        ("CREATE SEMANTIC VIEW v", "CREATE SEMANTIC VIEW"),
        ("DESC APPLICATION ROLE r", "DESCRIBE ROLE"),
        ("DESCRIBE NETWORK POLICY p", "DESCRIBE POLICY"),
        ("DESC PROCEDURE p", "DESCRIBE PROCEDURE"),
    ],
)
def test_what_is_not_there_is_named(sql: Sql, statement: str, feature: str) -> None:
    error = sql.error(statement)
    assert (error.code, error.sqlstate) == (2, "0A000")
    assert error.message == f"SQL compilation error:\nUnsupported feature '{feature}'."


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("COMMENT ON pool p IS 'x'", "pool"),
        ("DROP INDEX i", "INDEX"),
        ("DROP TRIGGER IF EXISTS i", "TRIGGER"),
        ("ALTER INDEX i RENAME TO j", "INDEX"),
        ("DESC CONSTRAINT c", "CONSTRAINT"),
    ],
)
def test_kinds_that_snowflake_does_not_have_are_no_words(
    sql: Sql, statement: str, word: str
) -> None:
    error = sql.error(statement)
    assert (error.code, error.sqlstate) == (1003, "42000")
    assert f"unexpected '{word}'" in error.message


@pytest.mark.parametrize(
    "expression", ["1/0", "1.5/0", "MOD(1, 0)", "1 % 0", "sum(x)/0 FROM (VALUES (1)) AS v(x)"]
)
def test_nothing_is_divided_by_zero(sql: Sql, expression: str) -> None:
    error = sql.error(f"SELECT {expression}")
    assert (error.code, error.sqlstate, error.message) == (100051, "22012", "Division by zero")


def test_there_are_functions_that_divide_by_zero(sql: Sql) -> None:
    assert sql.row("SELECT DIV0(1, 0), DIV0NULL(1, NULL)") == (0, 0)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("b::VARCHAR", "ABCD"),
        ("TO_VARCHAR(b)", "ABCD"),
        ("TO_CHAR(b)", "ABCD"),
        ("'ff00'::BINARY", b"\xff\x00"),
        ("TO_BINARY('ff', 'HEX')::VARCHAR", "FF"),
        ("TO_BINARY('abCD')", b"\xab\xcd"),
        ("TO_BINARY('ab' || 'cd')", b"\xab\xcd"),
        ("TO_BINARY(b)", b"\xab\xcd"),
        ("TO_VARCHAR(TO_BINARY('41'))", "41"),
        ("TO_VARCHAR(TO_BINARY('41'), 'utf-8')", "A"),
        ("TO_CHAR(b, 'BASE64')", "q80="),
        ("TRY_TO_BINARY('AB')", b"\xab"),
        ("TRY_TO_BINARY('zz')", None),
        ("TRY_CAST('zz' AS BINARY)", None),
        ("SYSTEM$TYPEOF(b)", "BINARY(8388608)[LOB]"),
        ("SYSTEM$TYPEOF(1)", "NUMBER(1,0)[SB1]"),
        ("SYSTEM$TYPEOF(12345)", "NUMBER(5,0)[SB4]"),
        ("SYSTEM$TYPEOF('abc')", "VARCHAR(3)[LOB]"),
        ("SYSTEM$TYPEOF(n)", "NUMBER(10,2)[SB8]"),
        ("SYSTEM$TYPEOF(PARSE_JSON('1'))", "VARIANT[LOB]"),
    ],
)
def test_binary_values_and_types(sql: Sql, expression: str, expected: Any) -> None:
    sql.rows("CREATE TABLE t (b BINARY, n NUMBER(10,2))")
    sql.rows("INSERT INTO t SELECT TO_BINARY('ABCD', 'HEX'), 1.5")
    assert sql.value(f"SELECT {expression} FROM t") == expected


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT CURRENT_DATE", "DATE"),
        ("SELECT CURRENT_TIMESTAMP", "TIMESTAMP_LTZ"),
        ("SELECT CURRENT_TIMESTAMP() AS current_timestamp", "TIMESTAMP_LTZ"),
        ("SELECT 1, CURRENT_DATE FROM (SELECT 1)", "FIXED"),
        ("SELECT CURRENT_TIME", "TIME"),
        ("SELECT LOCALTIMESTAMP", "TIMESTAMP_NTZ"),
    ],
)
def test_a_column_may_be_headed_like_the_clock_that_it_shows(
    sql: Sql, statement: str, kind: str
) -> None:
    outcome = sql.outcome(statement)
    assert outcome.columns[0].type.upper() == kind
    assert None not in sql.row(statement)


def test_a_default_is_described_by_the_clock_that_it_was_given(sql: Sql) -> None:
    sql.rows(
        "CREATE TABLE t (d DATE DEFAULT CURRENT_DATE, m TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP)"
    )
    defaults = [row[4] for row in sql.rows("DESC TABLE t")]
    assert defaults == ["CURRENT_DATE", "CURRENT_TIMESTAMP"]


def test_quoted_names_of_functions(sql: Sql) -> None:
    sql.rows("CREATE FUNCTION addone(x INT) RETURNS INT AS 'x + 1'")
    assert sql.row("""SELECT "ADDONE"(1), "ABS"(-1)""") == (2, 1)
    for name in ("nosuch", "abs(1), abs", "read_csv"):
        error = sql.error(f"""SELECT "{name}"(1)""")
        assert (error.code, error.sqlstate) == (2140, "42601")


def test_words_of_duckdb_are_names(sql: Sql) -> None:
    sql.rows("CREATE TABLE show (at INT, user VARCHAR, desc INT, lambda INT)")
    sql.rows("INSERT INTO show (at, user, desc, lambda) VALUES (1, 'u', 2, 3)")
    assert sql.rows("SELECT at, show.desc, lambda AS limit FROM show WHERE at = 1") == [(1, 2, 3)]


def test_columns_of_values_have_numbers(sql: Sql) -> None:
    assert sql.rows("SELECT $2, $1 + 1 FROM VALUES (1, 'a'), (2, 'b')") == [("a", 2), ("b", 3)]


def test_truncate_if_exists(sql: Sql) -> None:
    sql.rows("TRUNCATE TABLE IF EXISTS nowhere")
    sql.rows("CREATE TABLE t AS SELECT 1 AS x")
    sql.rows("TRUNCATE TABLE IF EXISTS t")
    assert sql.rows("SELECT * FROM t") == []


def test_comments_are_kept_and_shown(sql: Sql) -> None:
    done = [("Statement executed successfully.",)]
    sql.rows("CREATE TABLE t (x INT) COMMENT = 'first'")
    sql.rows("CREATE VIEW v AS SELECT 1 AS x")
    assert sql.outcome("SHOW TABLES").table.column("comment").to_pylist() == ["first"]
    assert sql.rows("COMMENT ON TABLE t IS 'it''s'") == done
    assert sql.rows("COMMENT ON VIEW v IS 'a view'") == done
    shown = sql.outcome("SHOW OBJECTS").table.column("comment").to_pylist()
    assert shown == ["it's", "a view"]


def test_many_rows_are_inserted_by_one_statement(sql: Sql) -> None:
    sql.rows("CREATE TABLE t (a INT, b VARCHAR, c FLOAT, d TIMESTAMP_TZ)")
    rows = ", ".join(f"({n}, 'it''s {n}', -{n}.5, NULL)" for n in range(100))
    assert sql.rows(f"INSERT INTO t (a, b, c, d) VALUES {rows}") == [(100,)]
    assert sql.row("SELECT count(*), max(a), min(c), max(b) FROM t") == (100, 99, -99.5, "it's 99")
    zoned = ", ".join(f"({n}, '2024-01-01 00:00:00 +0{n % 10}00')" for n in range(100))
    sql.rows(f"INSERT INTO t (a, d) VALUES {zoned}")
    assert sql.value("SELECT count(DISTINCT d) FROM t") == 10


def test_a_bound_value_can_be_cast(sql: Sql) -> None:
    seven = pb.Binding(type="TEXT", values=[pb.BoundValue(value="7")])
    assert sql.rows("SELECT ?::INT, '?::' AS text", [seven]) == [(7, "?::")]


def test_sums_of_integers_are_whole(sql: Sql) -> None:
    column = sql.outcome("SELECT sum(x) FROM (VALUES (1), (50)) AS v(x)").columns[0]
    assert (column.type, column.scale) == ("fixed", 0)
    assert sql.value("SELECT sum(x) FROM (VALUES (1), (50)) AS v(x)") == 51


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'2024-02-03 04:05:06'::TIMESTAMP_NTZ::VARCHAR", "2024-02-03 04:05:06.000"),
        ("TO_TIMESTAMP('2024-02-03')::DATE::VARCHAR", "2024-02-03"),
        ("OBJECT_CONSTRUCT('a', 1)::VARCHAR", '{"a":1}'),
    ],
)
def test_a_session_that_is_in_no_database_calculates_like_any_other(
    sql: Sql, expression: str, expected: str
) -> None:
    nowhere = Sql(sql.session, replace(sql.context, database="", schema=""))
    assert nowhere.value(f"SELECT {expression}") == expected


def test_a_table_is_described_from_anywhere(sql: Sql) -> None:
    sql.rows("CREATE TABLE t (a INT, b VARCHAR)")
    nowhere = Sql(sql.session, replace(sql.context, database="", schema=""))
    assert [row[0] for row in nowhere.rows("DESCRIBE TABLE db.s.t")] == ["A", "B"]
    assert nowhere.rows("DESCRIBE TABLE db.s.t") == sql.rows("DESCRIBE TABLE t")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'abcd'::VARCHAR(3)", "abc"),
        ("CAST(k AS TEXT(2))", "ab"),
        ("k::VARCHAR(3)::VARCHAR(2)", "ab"),
        ("k::CHAR", "a"),
        ("k::VARCHAR(16777216)", "abcd"),
        ("ts::VARCHAR(10)", "2024-01-02"),
        ("v:z::VARCHAR(2)", "sn"),
        ("NULL::VARCHAR(2)", None),
        ("TRY_CAST(k AS VARCHAR(2))", None),
    ],
)
def test_a_cast_to_a_length_cuts(sql: Sql, expression: str, expected: Any) -> None:
    sql.rows("CREATE TABLE t (k VARCHAR, ts TIMESTAMP, v VARIANT)")
    sql.rows("""INSERT INTO t SELECT 'abcd', '2024-01-02 03:04:05', PARSE_JSON('{"z":"snow"}')""")
    assert sql.value(f"SELECT {expression} FROM t") == expected


def test_a_column_made_of_a_cast_is_as_long_as_it_says(sql: Sql) -> None:
    sql.rows("CREATE TABLE c AS SELECT 'abcd'::VARCHAR(3) AS a")
    assert sql.row("DESCRIBE TABLE c")[:2] == ("A", "VARCHAR(3)")
    assert sql.value("SELECT a FROM c") == "abc"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'12/31/2024'::DATE", date(2024, 12, 31)),
        ("TO_DATE('1/2/2024')", date(2024, 1, 2)),
        ("'31-dec-2024'::DATE", date(2024, 12, 31)),
        ("'2024-12-31'::DATE", date(2024, 12, 31)),
        ("k::DATE", date(2024, 12, 31)),
        ("TO_DATE(k)", date(2024, 12, 31)),
        ("DATE(TRIM(k))", date(2024, 12, 31)),
        ("MAX(k)::DATE", date(2024, 12, 31)),
        ("d::DATE", date(2024, 5, 6)),
        ("DATEADD(DAY, 1, '12/31/2024'::DATE)", date(2025, 1, 1)),
        ("TRY_CAST('12/31/2024' AS DATE)", date(2024, 12, 31)),
        ("TRY_CAST('13/31/2024' AS DATE)", None),
        ("TRY_TO_DATE(k)", date(2024, 12, 31)),
    ],
)
def test_dates_in_texts(sql: Sql, expression: str, expected: Any) -> None:
    sql.rows("CREATE TABLE t (k VARCHAR, d TIMESTAMP)")
    sql.rows("INSERT INTO t VALUES ('12/31/2024', '2024-05-06 01:02:03')")
    assert sql.value(f"SELECT {expression} FROM t GROUP BY ALL") == expected


def test_a_text_that_is_no_date_is_refused(sql: Sql) -> None:
    assert sql.error("SELECT '13/01/2024'::DATE").message == "Date '13/01/2024' is not recognized"
