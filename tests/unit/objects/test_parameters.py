"""Parameters: where they may be set, what they may be, and from where a value is inherited."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.model.errors import NotAuthorized, ObjectNotFound, SnowcaveError, ValueInvalid
from tests.kit.statements import Account, open_account


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE SCHEMA s")
        yield opened


async def shown(account: Account, key: str, where: str = "") -> tuple[object, object]:
    (row,) = await account.sql(f"SHOW PARAMETERS LIKE '{key}' {where}")
    assert list(row) == ["key", "value", "default", "level", "description", "type"]
    return row["value"], row["level"]


async def test_the_nearest_value_counts(account: Account) -> None:
    key = "log_level"
    assert await shown(account, key, "IN SCHEMA d.s") == ("OFF", "")
    await account.sql("ALTER ACCOUNT SET LOG_LEVEL = 'warn'")
    assert await shown(account, key, "IN SCHEMA d.s") == ("WARN", "ACCOUNT")
    await account.sql("ALTER DATABASE d SET LOG_LEVEL = INFO")
    assert await shown(account, key, "IN SCHEMA d.s") == ("INFO", "DATABASE")
    await account.sql("ALTER SCHEMA d.s SET LOG_LEVEL = DEBUG")
    assert await shown(account, key, "IN SCHEMA d.s") == ("DEBUG", "SCHEMA")
    assert await shown(account, key, "IN DATABASE d") == ("INFO", "DATABASE")
    await account.sql(
        "ALTER SCHEMA d.s UNSET LOG_LEVEL",
        "ALTER DATABASE d UNSET LOG_LEVEL",
        "ALTER ACCOUNT UNSET LOG_LEVEL",
    )
    assert await shown(account, key, "IN SCHEMA d.s") == ("OFF", "")


async def test_a_service_has_its_levels_from_its_schema(account: Account) -> None:
    await account.sql(
        "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS",
        "CREATE IMAGE REPOSITORY d.s.r",
        "ALTER SCHEMA d.s SET LOG_EVENT_LEVEL = ERROR",
    )
    account.registry.push("d/s/r/echo:latest")
    await account.sql(
        "CREATE SERVICE d.s.x IN COMPUTE POOL p FROM SPECIFICATION "
        "$$spec: {containers: [{name: main, image: /d/s/r/echo}]}$$"
    )
    assert await shown(account, "log_event_level", "IN SERVICE d.s.x") == ("ERROR", "SCHEMA")


async def test_the_session_s_own_value_counts_before_the_account_s(account: Account) -> None:
    await account.sql("ALTER ACCOUNT SET TIMEZONE = 'Europe/Berlin'")
    assert await shown(account, "timezone") == ("Europe/Berlin", "ACCOUNT")
    await account.sql("ALTER SESSION SET TIMEZONE = 'UTC'")
    assert await shown(account, "timezone", "IN SESSION") == ("UTC", "SESSION")
    assert await shown(account, "timezone", "IN ACCOUNT") == ("Europe/Berlin", "ACCOUNT")
    assert await shown(account, "timezone", "FOR USER admin") == ("Europe/Berlin", "ACCOUNT")
    await account.sql("ALTER SESSION UNSET TIMEZONE")
    assert await shown(account, "timezone") == ("Europe/Berlin", "ACCOUNT")


async def test_the_event_table_is_asked_for_in_the_account(account: Account) -> None:
    assert await shown(account, "event_table", "IN ACCOUNT") == ("snowflake.telemetry.events", "")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("ALTER ACCOUNT SET TIMEZONE = 'Nowhere'", ValueInvalid),
        ("ALTER ACCOUNT SET AUTOCOMMIT = 5", ValueInvalid),
        ("ALTER ACCOUNT SET STATEMENT_TIMEOUT_IN_SECONDS = 604801", ValueInvalid),
        ("ALTER ACCOUNT SET STATEMENT_TIMEOUT_IN_SECONDS = 'soon'", ValueInvalid),
        ("ALTER ACCOUNT SET DATA_RETENTION_TIME_IN_DAYS = 91", ValueInvalid),
        ("ALTER ACCOUNT SET NOTHING_OF_THE_KIND = 1", ValueInvalid),
        ("ALTER ACCOUNT SET EVENT_TABLE = 'd.s.t'", ObjectNotFound),
        ("ALTER SCHEMA d.s SET EVENT_TABLE = d.s.t", ValueInvalid),
        ("ALTER DATABASE d SET LOG_LEVEL = LOUD", ValueInvalid),
        ("ALTER SESSION SET LOG_LEVEL = LOUD", ValueInvalid),
        ("CREATE SCHEMA t DATA_RETENTION_TIME_IN_DAYS = -1", SnowcaveError),
    ],
)
async def test_a_parameter_refuses_what_it_cannot_be(
    account: Account, sql: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await account.sql(sql)


async def test_only_the_administrator_sets_the_account_s(account: Account) -> None:
    await account.sql("CREATE ROLE q", "CREATE USER pat", "GRANT ROLE q TO USER pat")
    with pytest.raises(NotAuthorized):
        await account.sql(
            "ALTER ACCOUNT SET LOG_LEVEL = INFO", context=account.session("PAT", "Q")
        )
