"""Timestamps go to services with the whole offset of their time zone, if they have one."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlglot import exp

from snowcave.warehouse.service_functions.wire import wire_form
from tests.kit.sql_engine import HERE, Sql, sql_session


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    home: Path = tmp_path_factory.mktemp("timestamps")
    with sql_session(home) as opened:
        yield opened


@pytest.mark.parametrize(
    ("zone", "declared", "sent"),
    [
        ("America/Los_Angeles", "TIMESTAMP_LTZ(9)", "2014-01-01 16:00:00.25-0800"),
        ("America/Los_Angeles", "TIMESTAMP_TZ(9)", "2014-01-01 16:00:00.25-0800"),
        ("Asia/Kolkata", "TIMESTAMP_LTZ(9)", "2014-01-01 16:00:00.25+0530"),
        ("UTC", "TIMESTAMP_LTZ(9)", "2014-01-01 16:00:00.25+0000"),
        ("Asia/Kolkata", "TIMESTAMP_NTZ(9)", "2014-01-01 16:00:00.25"),
        ("Asia/Kolkata", "TIMESTAMP", "2014-01-01 16:00:00.25"),
    ],
)
def test_an_offset_has_hours_and_minutes(sql: Sql, zone: str, declared: str, sent: str):
    here = replace(HERE, parameters={"TIMEZONE": zone})
    statement = sql.session.parse("SELECT '2014-01-01 16:00:00.25' AS a, NULL AS b", here)
    assert isinstance(statement, exp.Select)
    forms = [wire_form(item.unalias(), declared) for item in statement.expressions]
    statement.set("expressions", [exp.alias_(form, f"c{n}") for n, form in enumerate(forms)])
    table = sql.session.execute(statement, here).table
    assert [column.to_pylist() for column in table.columns] == [[sent], [None]]
