"""Texts with an offset in places of timestamps with a time zone, and the session's own time zone."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit.sql_engine import HERE, Sql, sql_session

pytestmark = pytest.mark.documented
TEXT = "2024-01-01 00:00:00 +0200"
MOMENT = datetime(2023, 12, 31, 22, tzinfo=UTC)


@pytest.fixture
def sql(tmp_path: Path) -> Generator[Sql]:
    with sql_session(tmp_path) as sql:
        sql.rows("CREATE TABLE t (id INT, ts TIMESTAMP_TZ, text VARCHAR)")
        yield sql


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO t VALUES (1, '{TEXT}', '{TEXT}')",
        f"INSERT INTO t (ts, text) VALUES ('{TEXT}', '{TEXT}'), ('{TEXT}', '{TEXT}')",
        f"INSERT INTO t SELECT 1, '{TEXT}', '{TEXT}'",
        f"INSERT INTO t (text, ts) SELECT '{TEXT}', '{TEXT}' AS x",
        "INSERT INTO t SELECT 1, '2024-01-01T00:00:00+02:00', '2024-01-01 00:00:00 +0200'",
        f"""MERGE INTO t USING (SELECT 1 AS id) AS s ON t.id = s.id
            WHEN NOT MATCHED THEN INSERT (ts, text) VALUES ('{TEXT}', '{TEXT}')""",
    ],
)
def test_a_text_is_written_as_its_moment_and_only_there(sql: Sql, statement: str) -> None:
    sql.rows(statement)
    assert set(sql.rows("SELECT ts, text FROM t")) == {(MOMENT, TEXT)}


def test_a_text_is_compared_as_its_moment(sql: Sql) -> None:
    sql.rows("INSERT INTO t (ts) VALUES ('2023-12-31 22:00:00 +0000')")
    assert sql.value(f"SELECT count(*) FROM t WHERE ts = '{TEXT}' AND ts IN ('{TEXT}')") == 1
    sql.rows(f"UPDATE t SET ts = '2025-01-01 00:00:00 -0800' WHERE ts >= '{TEXT}'")
    assert sql.value("SELECT ts FROM t") == datetime(2025, 1, 1, 8, tzinfo=UTC)


def test_times_are_told_in_the_session_s_zone(sql: Sql) -> None:
    sql.rows(f"INSERT INTO t (ts) VALUES ('{TEXT}')")
    query = "SELECT TO_CHAR(ts, 'YYYY-MM-DD HH24:MI') FROM t"
    away = Sql(sql.session, replace(HERE, parameters={"TIMEZONE": "America/New_York"}))
    assert away.value(query) == "2023-12-31 17:00"
    assert away.value("SELECT ts FROM t") == MOMENT
    assert away.value("SELECT '2024-01-01 00:00:00'::TIMESTAMP_LTZ") == datetime(
        2024, 1, 1, 5, tzinfo=UTC
    )
    assert sql.value(query) == "2023-12-31 22:00"


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        ("YYYY-MM-DD HH24:MI:SS", "2024-02-29 13:04:05"),
        ("YYYYMMDD", "20240229"),
        ("HH12:MI AM", "01:04 PM"),
        ("DY, DD MON YY", "Thu, 29 Feb 24"),
        ('YYYY"T"SS.FF3', "2024T05.678"),
        ("FF6", "678000"),
    ],
)
@pytest.mark.parametrize("value", ["ts", "'2024-02-29 13:04:05.678'::TIMESTAMP_NTZ"])
def test_a_time_is_written_in_the_format_asked_for(
    sql: Sql, value: str, format: str, expected: str
) -> None:
    sql.rows("INSERT INTO t (ts) VALUES ('2024-02-29 13:04:05.678')")
    assert sql.value(f"SELECT TO_CHAR({value}, '{format}') FROM t") == expected


@pytest.mark.parametrize(
    "text", ["ts::VARCHAR", "TO_CHAR(ts)", "TO_VARCHAR(ts)", "CAST(ts AS STRING)"]
)
def test_a_time_without_a_format_is_written_as_snowflake_does(sql: Sql, text: str) -> None:
    sql.rows("INSERT INTO t (ts) VALUES ('2024-02-29 13:04:05.678')")
    india = Sql(sql.session, replace(HERE, parameters={"TIMEZONE": "Asia/Kolkata"}))
    assert sql.value(f"SELECT {text} FROM t") == "2024-02-29 13:04:05.678 +0000"
    assert india.value(f"SELECT {text} FROM t") == "2024-02-29 18:34:05.678 +0530"


def test_a_time_without_a_zone_is_written_without_one(sql: Sql) -> None:
    assert (
        sql.value("SELECT '2024-02-29 13:04:05'::TIMESTAMP_NTZ::STRING")
        == "2024-02-29 13:04:05.000"
    )
    assert len(sql.value("SELECT CURRENT_TIMESTAMP()::VARCHAR")) == len(
        "2024-02-29 13:04:05.678 +0000"
    )
