"""Event tables of the account's own in ordinary SQL: whose rows they hold, and what is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from snowcave.model import limits, telemetry
from snowcave.model.errors import ObjectExists, SnowcaveError
from snowcave.warehouse.engine import failures
from snowcave.warehouse.engine.api import Context, OwnEventTable
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.settings import EngineSettings
from tests.kit.event_rows import moment

MINE, OTHER = OwnEventTable(71, 501, 9, "OWNER", "kept"), OwnEventTable(72, 502, 9, "OWNER")
HERE = Context(
    session=1,
    user="U",
    role="R",
    database="DB",
    schema="S",
    event_tables={("DB", "S", "MINE"): MINE, ("DB", "S", "other one"): OTHER},
)
EVENTS, ALL = "SNOWFLAKE.TELEMETRY.EVENTS", "SNOWFLAKE.TELEMETRY.ALL_EVENTS"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def engine(home):
    parquet = home / "events" / "parquet"
    parquet.mkdir(parents=True)
    opened = DuckEngine(home / "warehouse", home / "stages", EngineSettings(), folders=[parquet])
    opened.create_database("DB", replace=False)
    yield opened
    opened.close()


@pytest.fixture
def session(engine, home):
    engine.create_schema("DB", "S", replace=True)
    opened = engine.open_session(1)
    filed = [event("filed default"), event("filed mine", MINE.number)]
    tail = [event("default"), event("mine", MINE.number), event("other", OTHER.number)]
    tail.append(event("nowhere", telemetry.NOWHERE))
    file = home / "events" / "parquet" / "1.parquet"
    opened.point_event_table(moment(tail, {file: filed}))
    yield opened
    opened.close()


def event(value, number=telemetry.DEFAULT):
    attributes: dict[str, object] = {"snow.service.name": "ECHO"}
    if number:
        attributes[telemetry.ATTRIBUTE] = number
    return {
        "timestamp": datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=1),
        "service": 5,
        "instance_id": 0,
        "record_type": "LOG",
        "record": "{}",
        "record_attributes": "{}",
        "value": json.dumps(value),
        "resource_attributes": json.dumps(attributes),
    }


def run(session, sql, context=HERE):
    try:
        table = session.execute(session.parse(sql, context), context).table
    except Exception as error:
        raise failures.translated(error) from error
    return list(zip(*(table.column(n).to_pylist() for n in range(table.num_columns)), strict=True))


def values(session, sql, context=HERE):
    return sorted(row[0] for row in run(session, sql, context))


CONDITIONS = [
    "",
    "WHERE timestamp > dateadd(hour, -1, current_timestamp())",
    "WHERE RESOURCE_ATTRIBUTES:\"snow.service.name\" = 'ECHO' AND record_type = 'LOG'",
    "ORDER BY timestamp DESC LIMIT 10",
]


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (EVENTS, ["default", "filed default"]),
        ("mine", ["filed mine", "mine"]),
        ("DB.S.MINE", ["filed mine", "mine"]),
        ('"other one"', ["other"]),
        (ALL, ["default", "filed default", "filed mine", "mine", "nowhere", "other"]),
    ],
)
def test_each_table_has_the_rows_that_bear_its_number(session, table, condition, expected):
    assert values(session, f"SELECT value::string FROM {table} {condition}") == expected


def test_what_says_so_is_no_attribute_for_readers(session):
    found = run(session, "SELECT resource_attributes FROM mine")
    assert [json.loads(one) for (one,) in found] == [{"snow.service.name": "ECHO"}] * 2
    asked = (
        f'SELECT count(*) FROM {ALL} WHERE resource_attributes:"{telemetry.ATTRIBUTE}" IS NOT NULL'
    )
    assert run(session, asked) == [(0,)]


def test_they_stand_in_joins_subqueries_and_definitions_as_tables_do(session):
    joined = "SELECT m.value::string FROM mine m JOIN mine o ON m.value = o.value"
    assert values(session, joined) == ["filed mine", "mine"]
    within = "WITH w AS (SELECT value::string AS v FROM mine) SELECT v FROM w WHERE v <> 'mine'"
    assert values(session, within) == ["filed mine"]
    both = f"SELECT value::string FROM mine UNION ALL SELECT value::string FROM {EVENTS}"
    assert values(session, both) == ["default", "filed default", "filed mine", "mine"]
    assert values(session, "SELECT mine.value::string FROM mine WHERE mine.record_type = 'LOG'")
    run(session, "CREATE TABLE copied AS SELECT value::string AS v FROM mine")
    assert values(session, "SELECT v FROM copied") == ["filed mine", "mine"]


def test_a_view_over_one_reads_what_it_holds_at_the_time(session):
    run(session, "CREATE VIEW v AS SELECT value::string AS v FROM mine")
    plain = replace(HERE, event_tables={})
    sql = "SELECT v FROM v"
    assert session.reads_event_table(session.parse(sql, plain), sql, plain)
    session.point_event_table(moment([event("later", MINE.number), event("default")]))
    assert values(session, sql, plain) == ["later"]


def test_a_statement_that_names_one_sees_it_as_of_now(session):
    sql = "SELECT * FROM mine"
    assert session.reads_event_table(session.parse(sql, HERE), sql, HERE)


def test_it_has_the_documented_columns(session):
    columns = session.describe(session.parse("SELECT * FROM mine", HERE), HERE)
    default = session.describe(session.parse(f"SELECT * FROM {EVENTS}", HERE), HERE)
    assert columns == default


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO mine (record_type) VALUES ('LOG')",
        "INSERT INTO db.s.mine SELECT * FROM mine",
        "UPDATE mine SET record_type = 'x'",
        "DELETE FROM mine WHERE true",
        "MERGE INTO mine USING (SELECT 1 AS a) b ON true WHEN MATCHED THEN DELETE",
        "CREATE TABLE t CLONE mine",
        "CREATE TABLE t LIKE db.s.mine",
    ],
)
def test_only_telemetry_is_written_into_one_and_none_is_made_after_it(session, sql):
    with pytest.raises(SnowcaveError, match="on event table MINE"):
        run(session, sql)


def test_its_name_is_taken(session):
    run(session, "CREATE TABLE t (a NUMBER)")
    for sql in (
        "CREATE TABLE mine (a NUMBER)",
        "CREATE OR REPLACE VIEW mine AS SELECT 1 AS a",
        "ALTER TABLE t RENAME TO mine",
    ):
        with pytest.raises(ObjectExists):
            run(session, sql)


def test_sequences_and_functions_may_be_called_as_one_is(session):
    run(session, "CREATE SEQUENCE mine")
    run(session, "CREATE FUNCTION mine(a INT) RETURNS INT AS 'a + 1'")
    assert run(session, "SELECT mine(1)") == [(2,)]
    assert values(session, "SELECT value::string FROM mine") == ["filed mine", "mine"]


def test_tables_are_shown_with_them(session):
    run(session, "CREATE TABLE t (a NUMBER)")
    outcome = session.execute(session.parse("SHOW TABLES", HERE), HERE)
    rows = {row["name"]: row for row in outcome.table.to_pylist()}
    assert {name: row["is_event"] for name, row in rows.items()} == {
        "MINE": "Y",
        "T": "N",
        "other one": "Y",
    }
    assert (rows["MINE"]["owner"], rows["MINE"]["comment"]) == ("OWNER", "kept")
    objects = session.execute(session.parse("SHOW OBJECTS LIKE 'mine'", HERE), HERE)
    assert objects.table.column("kind").to_pylist() == ["TABLE"]
    assert run(session, "SHOW VIEWS") == []


def restricted(*, roles=frozenset[int](), held=None):
    return replace(
        HERE,
        schemas={("DB", "S"): frozenset()},
        roles=frozenset(roles),
        held={uid: frozenset(privileges) for uid, privileges in (held or {}).items()},
    )


@pytest.mark.parametrize(
    ("context", "table", "allowed"),
    [
        (restricted(), "mine", False),
        (restricted(roles=frozenset({9})), "mine", True),
        (restricted(held={MINE.uid: {"SELECT"}}), "mine", True),
        (restricted(held={MINE.uid: {"SELECT"}}), '"other one"', False),
        (restricted(held={1: {"SELECT"}}), EVENTS, True),
        (restricted(held={1: {"SELECT"}}), "mine", False),
        (restricted(held={1: {"SELECT"}}), ALL, False),
        (restricted(held={2: {"SELECT"}}), ALL, True),
    ],
)
def test_reading_one_takes_a_privilege_on_it(session, context, table, allowed):
    sql = f"SELECT count(*) FROM {table}"
    if allowed:
        assert run(session, sql, context)[0][0]
    else:
        with pytest.raises(SnowcaveError, match="does not exist or not authorized"):
            run(session, sql, context)


@pytest.mark.parametrize("kind", ["event_table", "table"])
def test_who_acts_for_its_caller_needs_it_left_for_event_tables(session, kind):
    """The caller owns the table; a grant that leaves something of tables leaves nothing of it."""
    left = {("DB", "S"): frozenset({limits.left_on(kind, "SELECT")})}
    told = {**left, limits.NOWHERE: frozenset({limits.LIMITED})}
    context = replace(restricted(roles=frozenset({9})), schemas=told)
    if kind == "event_table":
        assert run(session, "SELECT count(*) FROM mine", context) == [(2,)]
    else:
        with pytest.raises(SnowcaveError, match="does not exist or not authorized"):
            run(session, "SELECT count(*) FROM mine", context)


def test_shows_leave_out_those_that_the_roles_hold_nothing_on(session):
    context = restricted(held={MINE.uid: {"SELECT"}})
    rows = session.execute(session.parse("SHOW TABLES", context), context).table
    assert rows.column("name").to_pylist() == ["MINE"]
