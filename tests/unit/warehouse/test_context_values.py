"""What services are told of their caller."""

from datetime import UTC, datetime

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.service_functions import context_values

NOW = datetime(2026, 1, 31, 23, 30, 5, 120_000, UTC)


def test_times_are_those_of_the_session():
    told = context_values.of(Context(parameters={"TIMEZONE": "Asia/Tokyo"}), NOW)
    assert told["CURRENT_DATE"] == "2026-02-01"
    assert told["CURRENT_TIME"] == told["LOCALTIME"] == "08:30:05"
    assert told["CURRENT_TIMESTAMP"] == "2026-02-01 08:30:05.120 +0900"
    assert context_values.of(Context(parameters={"TIMEZONE": "x/../y"}), NOW)["CURRENT_DATE"] == (
        "2026-01-31"
    )


def test_places_and_the_statement_are_told_as_far_as_a_header_goes():
    context = Context(session=7, database="D", schema="S", statement="SELECT 1" + " " * 9000)
    told = context_values.of(context, NOW)
    assert told["CURRENT_SCHEMAS"] == '["D.S"]'
    assert told["CURRENT_SESSION"] == "7"
    assert told["CURRENT_STATEMENT"].startswith("SELECT 1")
    assert len(told["CURRENT_STATEMENT"]) == 2048
    assert context_values.of(Context(), NOW)["CURRENT_SCHEMAS"] == "[]"
