"""The engine itself: lock-down, the event table, what Snowflake's documents ask of ordinary SQL."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine import failures
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.settings import EngineSettings
from tests.kit.event_rows import moment

HERE = Context(session=1, user="U", role="R", database="DB", schema="S")


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "events" / "parquet").mkdir(parents=True)
    opened = DuckEngine(
        tmp_path / "warehouse",
        tmp_path / "stages",
        EngineSettings(),
        folders=[tmp_path / "events" / "parquet"],
    )
    opened.create_database("DB", replace=False)
    opened.create_schema("DB", "S", replace=False)
    yield opened
    opened.close()


@pytest.fixture
def session(engine):
    opened = engine.open_session(1)
    yield opened
    opened.close()


def run(session, sql, context=HERE):
    try:
        table = session.execute(session.parse(sql, context), context).table
    except Exception as error:
        raise failures.translated(error) from error
    return list(zip(*(table.column(n).to_pylist() for n in range(table.num_columns)), strict=True))


def event(value, *, minutes=1, service="ECHO", stream="stdout"):
    return {
        "timestamp": datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes),
        "service": 5,
        "instance_id": 0,
        "record_type": "LOG",
        "record": "{}",
        "record_attributes": f'{{"log.iostream":"{stream}"}}',
        "scope": None,
        "value": f'"{value}"',
        "trace": None,
        "resource_attributes": f'{{"snow.service.name":"{service}",'
        '"snow.executable.type":"SnowparkContainers"}',
    }


DOCUMENTED_COLUMNS = """TIMESTAMP START_TIMESTAMP OBSERVED_TIMESTAMP TRACE RESOURCE
RESOURCE_ATTRIBUTES SCOPE SCOPE_ATTRIBUTES RECORD_TYPE RECORD RECORD_ATTRIBUTES VALUE EXEMPLARS"""
DOCUMENTED = """SELECT TIMESTAMP, RESOURCE_ATTRIBUTES, RECORD_ATTRIBUTES, VALUE
FROM SNOWFLAKE.TELEMETRY.EVENTS
WHERE timestamp > dateadd(hour, -1, current_timestamp())
AND RESOURCE_ATTRIBUTES:"snow.executable.type" = 'SnowparkContainers'
ORDER BY timestamp DESC
LIMIT 10"""


def test_the_event_table_is_there_before_any_event(session):
    assert run(session, DOCUMENTED) == []
    names = [
        c.name
        for c in session.describe(
            session.parse("SELECT * FROM SNOWFLAKE.TELEMETRY.EVENTS", HERE), HERE
        )
    ]
    assert names == DOCUMENTED_COLUMNS.split()


def test_the_documented_query_reads_files_and_the_tail(session, tmp_path):
    hour = tmp_path / "events" / "parquet" / "2026-01-01T00"
    hour.mkdir()
    rolled = [event("rolled", minutes=5), event("old", minutes=90)]
    session.point_event_table(moment([event("live")], {hour / "1.parquet": rolled}))
    assert [row[3] for row in run(session, DOCUMENTED)] == ['"live"', '"rolled"']


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("value = 'one'", ["one"]),
        ("value LIKE 'o%'", ["one"]),
        ("value IN ('two', 'three')", ["two"]),
        ("RESOURCE_ATTRIBUTES:\"snow.service.name\" = 'ECHO'", ["one"]),
        ("RESOURCE_ATTRIBUTES:\"snow.service.name\" LIKE 'OTH%'", ["two"]),
        ("RESOURCE_ATTRIBUTES:\"snow.service.name\"::string = 'OTHER'", ["two"]),
        ("RESOURCE_ATTRIBUTES:\"snow.service.name\" IN ('ECHO', 'X')", ["one"]),
        ("RECORD_ATTRIBUTES['log.iostream'] = 'stderr'", ["two"]),
        ("RECORD_TYPE = 'LOG' AND value <> 'one'", ["two"]),
    ],
)
def test_events_are_found_by_what_they_hold(session, condition, expected):
    told = [event("one"), event("two", service="OTHER", stream="stderr")]
    session.point_event_table(moment(told))
    sql = f"SELECT value::string FROM SNOWFLAKE.TELEMETRY.EVENTS WHERE {condition}"
    assert [row[0] for row in run(session, sql)] == expected


ALIKE = [
    "",
    "WHERE timestamp > dateadd(hour, -1, current_timestamp()) ORDER BY e.timestamp DESC LIMIT 1",
    "WHERE resource_attributes:\"snow.executable.type\" = 'SnowparkContainers' "
    "AND record_type = 'LOG' ORDER BY timestamp LIMIT 2",
    "ORDER BY start_timestamp, timestamp DESC LIMIT 2",
    "WHERE timestamp > dateadd(hour, -1, current_timestamp())",
    "WHERE timestamp BETWEEN dateadd(hour, -1, current_timestamp()) AND current_timestamp()",
    "WHERE current_timestamp() - INTERVAL '1 hour' <= e.timestamp AND record_type = 'LOG'",
    "WHERE timestamp > dateadd(hour, -1, current_timestamp()) OR value = 'old'",
    "WHERE e.resource_attributes:\"snow.service.name\" = 'ECHO' AND value <> 'one'",
    "WHERE resource_attributes:\"snow.service.name\" = 'ECHO' OR value = 'two'",
    "WHERE upper(resource_attributes:\"snow.service.name\") = upper('other')",
    "WHERE NOT (resource_attributes:\"snow.service.name\" = 'OTHER')",
    'WHERE resource_attributes:"no" IS NULL AND timestamp < sysdate()',
    "WHERE resource_attributes:\"snow.service.name\"::string IN (SELECT 'ECHO')",
]


@pytest.mark.parametrize("condition", ALIKE)
def test_a_query_that_is_narrowed_answers_what_it_would_have(session, tmp_path, condition):
    """The second one reads the same table through a view, which nothing is known of."""
    told = [event("one", minutes=2), event("two", service="OTHER")]
    file = tmp_path / "events" / "parquet" / "1.parquet"
    session.point_event_table(moment(told, {file: [event("old", minutes=90)]}))
    run(session, "CREATE VIEW v AS SELECT * FROM SNOWFLAKE.TELEMETRY.EVENTS")
    by_time = "" if "ORDER" in condition else " ORDER BY e.timestamp"
    found = [
        run(session, f"SELECT * FROM {table} e {condition}{by_time}")
        for table in ("SNOWFLAKE.TELEMETRY.EVENTS", "v")
    ]
    assert found[0] == found[1]
    assert found[0], "the condition is one that some row meets"


def test_bound_values_keep_their_places_in_a_narrowed_query(session):
    session.point_event_table(moment([event("one"), event("two", service="OTHER")]))
    sql = (
        "SELECT value::string, ? FROM snowflake.telemetry.events WHERE record_type = ? "
        'AND resource_attributes:"snow.service.name" = ? AND timestamp > ?::timestamp_ltz'
    )
    texts = ("x", "LOG", "OTHER", "2020-01-01 00:00:00")
    bindings = [pb.Binding(type="TEXT", values=[pb.BoundValue(value=text)]) for text in texts]
    outcome = session.execute(session.parse(sql, HERE), HERE, bindings=bindings)
    assert [list(row.values()) for row in outcome.table.to_pylist()] == [["two", "x"]]


def test_a_view_of_the_user_s_over_the_event_table_is_recognised(session):
    run(session, "CREATE VIEW logs AS SELECT value FROM SNOWFLAKE.TELEMETRY.EVENTS")
    sql = "SELECT * FROM logs"
    assert session.reads_event_table(session.parse(sql, HERE), sql, HERE)
    run(session, "CREATE TABLE plain AS SELECT 1 AS a")
    sql = "SELECT * FROM plain"
    assert not session.reads_event_table(session.parse(sql, HERE), sql, HERE)


def test_a_table_of_one_s_own_that_is_called_events_needs_no_event_store(session):
    for sql in (
        "CREATE TABLE events (a INT)",
        "INSERT INTO events VALUES (1)",
        "SELECT a FROM events",
    ):
        assert not session.reads_event_table(session.parse(sql, HERE), sql, HERE)
        run(session, sql)
    there = replace(HERE, database="SNOWFLAKE", schema="TELEMETRY")
    assert session.reads_event_table(session.parse("SELECT * FROM events", there), sql, there)


def test_two_sessions_see_their_own_moment_of_the_event_table(engine, session):
    other = engine.open_session(2)
    session.point_event_table(moment([event("a")]))
    sql = "SELECT count(*) FROM SNOWFLAKE.TELEMETRY.EVENTS"
    assert run(session, sql) == [(1,)]
    assert run(other, sql) == [(0,)]
    other.close()


def test_the_server_s_files_are_out_of_reach_even_for_duckdb_itself(engine, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    duck = engine.open_session(3)._raw
    for sql in (
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path}/x'",
    ):
        with pytest.raises(duckdb.Error):
            duck.execute(sql)
    with pytest.raises(duckdb.Error):
        duck.execute("SET enable_external_access = true")


@pytest.mark.parametrize(
    ("sql", "code", "sqlstate"),
    [
        ("SELECT * FROM nope", 2003, "42S02"),
        ("SELECT nope", 904, "42000"),
        ("SELECT nope(1)", 2140, "42601"),
        ("SELEC 1", 1003, "42000"),
        ("SELECT 'a'::int", 100038, "22018"),
        ("SELECT '2024-99-01'::date", 100040, "22007"),
        ("CREATE TABLE t (a INT", 1003, "42000"),
    ],
)
def test_errors_have_snowflake_s_numbers(session, sql, code, sqlstate):
    with pytest.raises(SnowcaveError) as error:
        run(session, sql)
    assert (error.value.code, error.value.sqlstate) == (code, sqlstate)


def test_without_a_database_an_unqualified_name_says_so(session):
    with pytest.raises(SnowcaveError) as error:
        run(session, "SELECT * FROM t", Context(session=1))
    assert error.value.code == 90105


def test_the_request_says_where_the_session_is(engine, session):
    engine.create_schema("DB", "OTHER", replace=False)
    run(session, "CREATE TABLE t AS SELECT 1 AS a")
    other = Context(session=1, database="DB", schema="OTHER")
    run(session, "CREATE TABLE t AS SELECT 2 AS a", other)
    assert run(session, "SELECT a FROM t") == [(1,)]
    assert run(session, "SELECT a FROM t", other) == [(2,)]
    assert run(session, "SELECT CURRENT_SCHEMA()", other) == [("OTHER",)]


def test_a_database_may_have_any_name(engine, session):
    engine.create_database('we\'re "odd"/..', replace=False)
    engine.drop_database('we\'re "odd"/..')
    assert not session.in_transaction


def test_a_transaction_is_rolled_back(session):
    run(session, "CREATE TABLE t (a INT)")
    run(session, "BEGIN")
    assert session.in_transaction
    run(session, "INSERT INTO t VALUES (1)")
    run(session, "ROLLBACK")
    assert not session.in_transaction
    assert run(session, "SELECT count(*) FROM t") == [(0,)]


def test_numbers_are_added_up_exactly_and_texts_still_can_be(session):
    run(session, "CREATE TABLE n AS SELECT column1 AS a FROM VALUES (9007199254740993), (1)")
    (total,) = session.execute(session.parse("SELECT SUM(a) FROM n", HERE), HERE).columns
    assert total.type == "fixed"
    assert run(session, "SELECT SUM(a) FROM n") == [(9007199254740994,)]
    assert run(session, "SELECT SUM(column1) FROM VALUES ('1'), ('2')") == [(3.0,)]
    assert run(session, "SELECT SUM(PARSE_JSON('{\"a\":4}'):a)") == [(4.0,)]


def test_events_are_read_in_no_database(session):
    session.point_event_table(moment([event("one"), event("two", minutes=90)]))
    nowhere = Context(session=1, user="U", role="R")
    assert [row[3] for row in run(session, DOCUMENTED, nowhere)] == ['"one"']


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path):
    command = [sys.executable, "-c", "import snowcave.warehouse.engine.duck"]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compressed", [False, True])
def test_texts_are_compressed_where_that_is_wanted(tmp_path, compressed):
    settings = EngineSettings(compress_texts=compressed)
    engine = DuckEngine(tmp_path / "warehouse", tmp_path / "stages", settings)
    engine.create_database("DB", replace=False)
    engine.create_schema("DB", "S", replace=False)
    session = engine.open_session(1)
    rows = "SELECT 'one of many texts with number ' || SEQ4() AS x FROM TABLE(GENERATOR(ROWCOUNT => 100000))"
    run(session, f"CREATE TABLE t AS {rows}")
    session.close()
    engine.close()
    size = next((tmp_path / "warehouse" / "databases").rglob("*DB*.db")).stat().st_size
    assert (size < 2_500_000) == compressed


def test_binary_with_a_length_holds_what_binary_holds(session):
    run(session, "CREATE TABLE b (x BINARY(10), y VARBINARY(3))")
    run(session, "ALTER TABLE b ADD COLUMN z BINARY(1)")
    run(
        session,
        "INSERT INTO b SELECT TO_BINARY('AB', 'HEX')::BINARY(10), 'CD'::VARBINARY(3), NULL",
    )
    found = run(session, "SELECT x, y, TRY_CAST('EF' AS BINARY(5)) AS z FROM b")
    assert found == [(b"\xab", b"\xcd", b"\xef")]
