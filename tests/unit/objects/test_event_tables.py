"""Event tables of one's own: what may be said of them, who may, and which one takes what is said."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.catalog.graves import Graves
from snowcave.api.contract import ToWarehouse
from snowcave.kit.clock import LoopClock
from snowcave.model import telemetry
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    ObjectPurged,
    SyntaxInvalid,
    Unsupported,
    ValueInvalid,
)
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse
from tests.kit.statements import Account, open_account


@dataclass
class SetClock(LoopClock):
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.moment


DEFAULT = "snowflake.telemetry.events"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE SCHEMA s", "CREATE EVENT TABLE my_events")
        yield opened


def objects(account: Account, domain: str) -> list[state.Object]:
    return [found for _, found in account.catalog.mirrors.objects.items(domain)]


def routes(account: Account) -> telemetry.Routes:
    """As the events daemon decides."""
    held = account.catalog.mirrors.objects

    def get(domain: str, uid: int) -> state.Object | None:
        return held.get(domain, uid)

    return telemetry.routes_of(get("account", 0), objects(account, "database"), get)


def number(account: Account, name: str = "MY_EVENTS") -> int:
    (found,) = [one for one in account.catalog.all("event_table") if one.name == name]
    return found.event_table.number


def database(account: Account, name: str = "D") -> int:
    found = account.catalog.named("database", 0, name)
    assert found is not None
    return found.message.uid


async def shown(account: Account, where: str = "ACCOUNT") -> tuple[object, object]:
    (row,) = await account.sql(f"SHOW PARAMETERS LIKE 'event_table' IN {where}")
    return row["value"], row["level"]


async def names(account: Account, rest: str = "") -> list[object]:
    return [row["name"] for row in await account.sql(f"SHOW EVENT TABLES {rest}")]


# ---------------------------------------------------------------- one table's life


async def test_it_is_shown_with_the_documented_columns(account: Account) -> None:
    await account.sql("CREATE EVENT TABLE other COMMENT = 'kept long' CLUSTER BY (timestamp)")
    row = (await account.sql("SHOW EVENT TABLES LIKE 'oth%'"))[0]
    assert list(row) == [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "owner",
        "comment",
        "owner_role_type",
    ]
    assert (row["name"], row["database_name"], row["schema_name"]) == ("OTHER", "D", "S")
    assert (row["owner"], row["comment"]) == ("ACCOUNTADMIN", "kept long")


async def test_the_one_that_there_always_is_stands_among_them(account: Account) -> None:
    assert await names(account) == ["MY_EVENTS"]
    assert await names(account, "IN ACCOUNT") == ["EVENTS", "MY_EVENTS"]
    assert await names(account, "IN DATABASE snowflake") == ["EVENTS"]
    assert await names(account, "IN SCHEMA snowflake.telemetry") == ["EVENTS"]
    assert await names(account, "IN ACCOUNT STARTS WITH 'M' LIMIT 1") == ["MY_EVENTS"]


@pytest.mark.parametrize("table", ["my_events", "d.s.my_events", "snowflake.telemetry.events"])
async def test_it_is_described_with_the_documented_types(account: Account, table: str) -> None:
    rows = await account.sql(f"DESC EVENT TABLE {table}")
    found = {row["name"]: row["type"] for row in rows}
    assert list(found)[:4] == ["TIMESTAMP", "START_TIMESTAMP", "OBSERVED_TIMESTAMP", "TRACE"]
    assert found["RESOURCE_ATTRIBUTES"] == "OBJECT"
    assert found["VALUE"] == "VARIANT"


@pytest.mark.parametrize(
    "clauses",
    [
        "",
        "CLUSTER BY (timestamp, record['name'])",
        "DATA_RETENTION_TIME_IN_DAYS = 3 MAX_DATA_EXTENSION_TIME_IN_DAYS = 10",
        "CHANGE_TRACKING = TRUE DEFAULT_DDL_COLLATION = 'en' COPY GRANTS",
        "WITH COMMENT = 'c'",
    ],
)
async def test_every_documented_clause_is_taken(account: Account, clauses: str) -> None:
    await account.sql(f"CREATE OR REPLACE EVENT TABLE my_events {clauses}")
    assert await names(account) == ["MY_EVENTS"]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE EVENT TABLE my_events", ObjectExists),
        ("CREATE EVENT TABLE e DATA_RETENTION_TIME_IN_DAYS = 91", ValueInvalid),
        ("CREATE EVENT TABLE e (a NUMBER)", SyntaxInvalid),
        ("CREATE EVENT TABLE e CLUSTER BY ()", SyntaxInvalid),
        ("CREATE EVENT TABLE e CLUSTER BY (a", SyntaxInvalid),
        ("CREATE EVENT TABLE e WITH ROW ACCESS POLICY p ON (value)", Unsupported),
        ("ALTER TABLE my_events ADD COLUMN a NUMBER", SyntaxInvalid),
        ("ALTER TABLE my_events ADD SEARCH OPTIMIZATION", Unsupported),
        ("ALTER TABLE my_events SUSPEND RECLUSTER", Unsupported),
        ("DROP EVENT TABLE nothing", ObjectNotFound),
        ("DESC EVENT TABLE nothing", ObjectNotFound),
        ("UNDROP TABLE my_events", None),
        ("DROP TABLE nothing", None),
        ("DROP VIEW my_events", None),
    ],
)
async def test_what_it_cannot_be_is_refused_and_other_tables_are_the_warehouse_s(
    account: Account, sql: str, error: type[Exception] | None
) -> None:
    if error is None:
        assert isinstance(await account.outcome(sql), ToWarehouse)
        return
    with pytest.raises(error):
        await account.sql(sql)


async def test_a_table_or_a_view_of_the_name_is_in_its_way(account: Account) -> None:
    account.ddl.kept[9] = warehouse.WarehouseObject(
        uid=9, kind="view", database="D", schema="S", name="V"
    )
    with pytest.raises(ObjectExists):
        await account.sql("CREATE OR REPLACE EVENT TABLE v")
    with pytest.raises(ObjectExists):
        await account.sql("ALTER TABLE my_events RENAME TO v")


async def test_the_system_s_database_has_its_own_alone(account: Account) -> None:
    for name in ("events", "all_events"):
        with pytest.raises(NotAuthorized):
            await account.sql(f"CREATE EVENT TABLE snowflake.telemetry.{name}")


async def test_its_properties_are_set_and_unset_as_a_table_s(account: Account) -> None:
    await account.sql(
        "ALTER TABLE my_events SET COMMENT = 'c' CHANGE_TRACKING = TRUE",
        "ALTER TABLE IF EXISTS d.s.my_events SET DATA_RETENTION_TIME_IN_DAYS = 5",
        "ALTER TABLE my_events CLUSTER BY (timestamp)",
    )
    (found,) = objects(account, "event_table")
    assert found.event_table.change_tracking
    assert found.event_table.cluster_by == "timestamp"
    assert found.parameters["DATA_RETENTION_TIME_IN_DAYS"] == "5"
    await account.sql(
        "ALTER TABLE my_events UNSET COMMENT, CHANGE_TRACKING, DATA_RETENTION_TIME_IN_DAYS",
        "ALTER TABLE my_events DROP CLUSTERING KEY",
        "COMMENT ON TABLE my_events IS 'new'",
    )
    (found,) = objects(account, "event_table")
    assert not found.event_table.change_tracking
    assert (found.event_table.cluster_by, dict(found.parameters)) == ("", {})
    assert found.comment == "new"


async def test_what_is_dropped_comes_back_until_its_retention_ends(account: Account) -> None:
    before = number(account)
    await account.sql("DROP TABLE my_events", "CREATE EVENT TABLE my_events")
    await account.sql("DROP TABLE IF EXISTS my_events CASCADE")
    await account.sql("DROP EVENT TABLE IF EXISTS my_events")
    await account.sql("UNDROP TABLE my_events", "ALTER TABLE my_events RENAME TO younger")
    assert (await account.sql("UNDROP TABLE d.s.my_events"))[0]["status"] == (
        "Table MY_EVENTS successfully restored."
    )
    assert number(account) == before
    await account.sql("DROP EVENT TABLE my_events")
    clock = SetClock(datetime.now(UTC) + timedelta(days=2))
    graves = Graves(account.catalog, account.ddl, clock)
    for entry in list(account.catalog.dropped("event_table")):
        await graves.reconcile(("event_table", entry.message.uid))
    assert [one.name for one in objects(account, "event_table")] == ["YOUNGER"]


async def test_one_that_was_dropped_goes_for_good_with_its_schema(account: Account) -> None:
    await account.sql("DROP TABLE my_events", "DROP SCHEMA d.s")
    clock = SetClock(datetime.now(UTC) + timedelta(days=2))
    graves = Graves(account.catalog, account.ddl, clock)
    for entry in list(account.catalog.dropped("schema")):
        await graves.reconcile(("schema", entry.message.uid))
    assert objects(account, "event_table") == []


async def test_undrop_of_what_is_too_old_is_refused(account: Account) -> None:
    await account.sql("ALTER TABLE my_events SET DATA_RETENTION_TIME_IN_DAYS = 0")
    await account.sql("DROP TABLE my_events")
    with pytest.raises(ObjectPurged):
        await account.sql("UNDROP TABLE my_events")


async def test_emptied_it_has_another_number_for_its_rows(account: Account) -> None:
    before = number(account)
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = d.s.my_events")
    await account.sql("TRUNCATE TABLE IF EXISTS my_events")
    assert number(account) != before
    assert routes(account).account == number(account)
    await account.sql("TRUNCATE my_events")


# ---------------------------------------------------------------- which one is set


async def test_the_account_s_takes_what_is_said_until_another_is_set(account: Account) -> None:
    assert routes(account).are_plain
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = d.s.my_events")
    assert await shown(account) == ("D.S.MY_EVENTS", "ACCOUNT")
    assert routes(account).of(7) == number(account)
    await account.sql(
        'CREATE EVENT TABLE "other one"', 'ALTER ACCOUNT SET EVENT_TABLE = "other one"'
    )
    assert await shown(account) == ('D.S."other one"', "ACCOUNT")
    assert routes(account).of(7) == number(account, "other one")
    await account.sql("ALTER ACCOUNT UNSET EVENT_TABLE")
    assert await shown(account) == (DEFAULT, "")
    assert routes(account).are_plain


async def test_a_database_s_goes_before_the_account_s(account: Account) -> None:
    await account.sql("CREATE EVENT TABLE of_d", "ALTER ACCOUNT SET EVENT_TABLE = d.s.my_events")
    await account.sql("ALTER DATABASE d SET EVENT_TABLE = d.s.of_d")
    assert await shown(account, "DATABASE d") == ("D.S.OF_D", "DATABASE")
    assert await shown(account) == ("D.S.MY_EVENTS", "ACCOUNT")
    assert routes(account).of(database(account)) == number(account, "OF_D")
    assert routes(account).of(0) == number(account)
    await account.sql("ALTER DATABASE d UNSET EVENT_TABLE")
    assert await shown(account, "DATABASE d") == ("D.S.MY_EVENTS", "ACCOUNT")
    assert routes(account).of(database(account)) == number(account)


@pytest.mark.parametrize(
    "gone", ["DROP TABLE d.s.my_events", "DROP SCHEMA d.s", "DROP DATABASE d"]
)
async def test_while_it_is_dropped_the_default_takes_its_place(
    account: Account, gone: str
) -> None:
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = d.s.my_events", gone)
    assert await shown(account) == (DEFAULT, "")
    assert routes(account).are_plain
    await account.sql("UN" + gone)
    assert await shown(account) == ("D.S.MY_EVENTS", "ACCOUNT")
    assert routes(account).account == number(account)


async def test_a_rename_leaves_it_set(account: Account) -> None:
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = d.s.my_events")
    await account.sql("ALTER TABLE my_events RENAME TO d.public.told")
    assert await shown(account) == ("D.PUBLIC.TOLD", "ACCOUNT")
    assert routes(account).account == number(account, "TOLD")


async def test_none_and_the_default_s_own_name_may_be_set_too(account: Account) -> None:
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = NONE")
    assert await shown(account) == ("NONE", "ACCOUNT")
    assert routes(account).of(3) == telemetry.NOWHERE
    await account.sql("ALTER ACCOUNT SET EVENT_TABLE = 'snowflake.telemetry.events'")
    assert await shown(account) == (DEFAULT, "")
    assert routes(account).are_plain


async def test_what_is_no_event_table_cannot_be_set(account: Account) -> None:
    with pytest.raises(ObjectNotFound):
        await account.sql("ALTER ACCOUNT SET EVENT_TABLE = d.s.nothing")
    with pytest.raises(ObjectNotFound):
        await account.sql("ALTER DATABASE d SET EVENT_TABLE = nothing")
    assert routes(account).are_plain


# ---------------------------------------------------------------- who may


async def test_a_role_makes_and_sees_what_it_may(account: Account) -> None:
    await account.sql(
        "CREATE ROLE r",
        "CREATE USER u",
        "GRANT ROLE r TO USER u",
        "GRANT USAGE ON DATABASE d TO ROLE r",
        "GRANT USAGE ON SCHEMA d.s TO ROLE r",
    )
    theirs = account.session("U", "R")
    theirs.database, theirs.schema = "D", "S"
    with pytest.raises(NotAuthorized):
        await account.sql("CREATE EVENT TABLE theirs", context=theirs)
    assert await account.sql("SHOW EVENT TABLES IN ACCOUNT", context=theirs) == []
    with pytest.raises(ObjectNotFound):
        await account.sql("DROP TABLE my_events", context=theirs)
    with pytest.raises(ObjectNotFound):
        await account.sql("DESC EVENT TABLE snowflake.telemetry.events", context=theirs)
    await account.sql(
        "GRANT CREATE EVENT TABLE ON SCHEMA d.s TO ROLE r",
        "GRANT SELECT ON EVENT TABLE d.s.my_events TO ROLE r",
        "GRANT SELECT ON FUTURE EVENT TABLES IN SCHEMA d.s TO ROLE r",
        "GRANT SELECT ON EVENT TABLE snowflake.telemetry.events TO ROLE r",
    )
    await account.sql("CREATE EVENT TABLE theirs", context=theirs)
    rows = await account.sql("SHOW EVENT TABLES IN ACCOUNT", context=theirs)
    assert [row["name"] for row in rows] == ["EVENTS", "MY_EVENTS", "THEIRS"]
    for sql in (
        "DROP TABLE my_events",
        "TRUNCATE TABLE my_events",
        "ALTER TABLE my_events SET COMMENT = 'x'",
        "ALTER ACCOUNT SET EVENT_TABLE = d.s.theirs",
        "ALTER DATABASE d SET EVENT_TABLE = d.s.theirs",
    ):
        with pytest.raises(NotAuthorized):
            await account.sql(sql, context=theirs)


async def test_its_grants_stay_with_it_and_its_ownership_can_be_given_away(
    account: Account,
) -> None:
    await account.sql(
        "CREATE ROLE r",
        "GRANT SELECT, INSERT, DELETE, TRUNCATE ON EVENT TABLE my_events TO ROLE r",
        "CREATE OR REPLACE EVENT TABLE my_events COPY GRANTS",
    )
    rows = await account.sql("SHOW GRANTS ON EVENT TABLE my_events")
    assert {row["privilege"] for row in rows} >= {"SELECT", "INSERT", "DELETE", "TRUNCATE"}
    await account.sql("CREATE OR REPLACE EVENT TABLE my_events")
    with pytest.raises(ValueInvalid):
        await account.sql("GRANT UPDATE ON EVENT TABLE my_events TO ROLE r")
    await account.sql("GRANT OWNERSHIP ON EVENT TABLE my_events TO ROLE r")
    assert (await account.sql("SHOW EVENT TABLES"))[0]["owner"] == "R"


async def test_the_warehouse_hears_of_those_that_a_statement_may_name(account: Account) -> None:
    await account.sql("CREATE EVENT TABLE other")

    async def told(sql: str) -> list[str]:
        outcome = await account.outcome(sql)
        assert isinstance(outcome, ToWarehouse)
        return sorted(one.name for one in outcome.event_tables)

    assert await told("SELECT * FROM d.s.my_events") == ["MY_EVENTS"]
    assert await told("SELECT 1") == []
    assert await told("SHOW TABLES") == ["MY_EVENTS", "OTHER"]
    await account.sql("DROP TABLE other")
    assert await told("SELECT * FROM other") == []
