"""What of the event table a statement can need: as little as its conditions say, and never too little."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.engine.session import DuckSession
from snowcave.warehouse.event_tables.bounds import EventBounds
from snowcave.warehouse.settings import EngineSettings

HERE = Context(database="DB", schema="PUBLIC")
NEW_YORK = Context(database="DB", schema="PUBLIC", parameters={"TIMEZONE": "America/New_York"})
TABLE = "SNOWFLAKE.TELEMETRY.EVENTS"
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Generator[DuckSession]:
    home = tmp_path_factory.mktemp("engine")
    engine = DuckEngine(home, home / "stages", EngineSettings())
    engine.create_database("DB", replace=False)
    opened = engine.open_session(1)
    yield opened
    opened.close()
    engine.close()


def bounds(session: DuckSession, sql: str, context: Context = HERE) -> EventBounds:
    return session.event_bounds(
        session.parse(sql.replace("FROM EVENTS", f"FROM {TABLE}"), context), context
    )


def test_the_documented_query_asks_for_its_hour_its_service_and_its_kind(session: DuckSession):
    found = bounds(
        session,
        "SELECT TIMESTAMP, RESOURCE_ATTRIBUTES, RECORD_ATTRIBUTES, VALUE FROM EVENTS "
        "WHERE timestamp > dateadd(hour, -1, current_timestamp()) "
        "AND RESOURCE_ATTRIBUTES:\"snow.service.name\" = 'ECHO' AND RECORD_TYPE = 'LOG' "
        "ORDER BY timestamp DESC LIMIT 10",
    )
    assert found.since is not None
    ago = datetime.now(UTC) - found.since
    assert 61 * MINUTE - timedelta(seconds=1) <= ago < 70 * MINUTE
    assert found.until is None
    assert found.record_type == "LOG"
    assert found.attributes == {"snow.service.name": "ECHO"}


@pytest.mark.parametrize(
    ("condition", "since", "until"),
    [
        ("timestamp >= '2026-11-22 12:00:00'", NOON, None),
        ("'2026-11-22 12:00:00' > timestamp", None, NOON),
        ("(timestamp < '2026-11-22 12:00:00'::timestamp_ntz)", None, NOON),
        ("timestamp = '2026-11-22 12:00:00'", NOON, NOON),
        (
            "timestamp BETWEEN '2026-11-22 12:00:00' AND '2026-11-22 13:00:00'",
            NOON,
            NOON + 60 * MINUTE,
        ),
        (
            "timestamp > '2026-11-22 11:00:00' AND timestamp > '2026-11-22 12:00:00'",
            NOON,
            None,
        ),
        ("timestamp > '2026-11-22 12:00:00' OR value = 1", None, None),
        ("NOT timestamp > '2026-11-22 12:00:00'", None, None),
        ("timestamp > observed_timestamp", None, None),
        ("timestamp > (SELECT max(timestamp) FROM EVENTS)", None, None),
        ("timestamp > 'no moment'", None, None),
        ("timestamp > NULL", None, None),
        ("start_timestamp > '2026-11-22 12:00:00'", None, None),
        ("timestamp > ?", None, None),
    ],
)
def test_comparisons_of_timestamp_bound_what_is_asked_for_with_a_margin(
    session: DuckSession, condition: str, since: datetime | None, until: datetime | None
):
    found = bounds(session, f"SELECT value FROM EVENTS WHERE {condition}")
    assert found.since == (since - MINUTE if since else None)
    assert found.until == (until + MINUTE if until else None)


def test_a_moment_with_a_zone_is_what_the_comparison_makes_of_it_in_the_sessions_zone(
    session: DuckSession,
):
    sql = "SELECT 1 FROM EVENTS WHERE timestamp > '2026-11-22 12:00:00 +0000'::timestamp_tz"
    assert bounds(session, sql).since == NOON - MINUTE
    # TIMESTAMP has no zone, so it is compared with the wall clock there.
    assert bounds(session, sql, NEW_YORK).since == NOON - 5 * 60 * MINUTE - MINUTE


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM EVENTS e, OTHER o WHERE e.timestamp > '2026-11-22' AND record_type = 'LOG'",
        "SELECT 1 FROM EVENTS WHERE record_type = 'LOG' UNION ALL SELECT 1 FROM EVENTS",
        "SELECT 1 FROM (SELECT * FROM EVENTS) WHERE record_type = 'LOG'",
        "WITH EVENTS AS (SELECT * FROM OTHER) SELECT 1 FROM EVENTS WHERE record_type = 'LOG'",
        "SELECT 1 FROM OTHER WHERE record_type = 'LOG'",
        "SELECT 1 FROM EVENTS WHERE record_type = 'LOG' OR record_type = 'METRIC'",
        "SELECT 1 FROM EVENTS WHERE record_type <> 'LOG'",
        "SELECT 1 FROM EVENTS WHERE lower(record_type) = 'log'",
        "SELECT 1 FROM EVENTS WHERE RESOURCE_ATTRIBUTES:a:b = 'x'",
        "SELECT 1 FROM EVENTS WHERE RESOURCE_ATTRIBUTES:a::varchar(1) = 'x'",
        "SELECT 1 FROM EVENTS WHERE RECORD_ATTRIBUTES:a = 'x'",
        "SELECT 1 FROM EVENTS WHERE RESOURCE_ATTRIBUTES:a = RECORD_TYPE",
        "SELECT 1 FROM EVENTS",
    ],
)
def test_what_is_not_surely_left_out_is_asked_for(session: DuckSession, sql: str):
    assert bounds(session, sql) == EventBounds()


@pytest.mark.parametrize("path", [":a", ':"a"', ":a::string", "['a']"])
def test_attributes_are_known_however_they_are_written(session: DuckSession, path: str):
    found = bounds(session, f"SELECT 1 FROM EVENTS WHERE RESOURCE_ATTRIBUTES{path} = 'x'")
    assert found.attributes == {"a": "x"}
