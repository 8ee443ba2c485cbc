"""`TABLE(service!SPCS_GET_LOGS())` and its kin: what they become, and what the warehouse then answers."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import ToWarehouse
from snowcave.model.errors import NotAuthorized, ObjectNotFound, SnowcaveError, SyntaxInvalid
from tests.kit.event_rows import moment
from tests.kit.sql_engine import HERE, sql_session
from tests.kit.statements import Account, open_account

SPEC = "spec: {containers: [{name: main, image: /d/public/r/echo}]}"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r")
        opened.registry.push("d/public/r/echo:latest")
        await opened.sql(
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
            f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
        )
        yield opened


async def rewritten(account: Account, sql: str) -> str:
    outcome = await account.outcome(sql)
    assert isinstance(outcome, ToWarehouse)
    return outcome.sql


def event(
    service: int, kind: str, age: timedelta, value: object, record: object
) -> dict[str, object]:
    place = {
        "snow.service.id": service,
        "snow.service.instance": "0",
        "snow.service.container.name": "main",
    }
    return {
        "timestamp": datetime.now(UTC).replace(tzinfo=None) - age,
        "service": service,
        "instance_id": 0,
        "record_type": kind,
        "record": json.dumps(record),
        "record_attributes": json.dumps({"log.iostream": "stdout"}),
        "scope": None,
        "value": json.dumps(value),
        "trace": None,
        "resource_attributes": json.dumps(place),
    }


def answered(sql: str, folder: Path, uid: int) -> list[tuple[object, ...]]:
    hour = timedelta(hours=1)
    told = [
        event(uid, "LOG", hour, "an hour ago", {}),
        event(uid, "LOG", 30 * hour, "yesterday", {}),
        event(uid, "LOG", hour / 60, "now", {}),
        event(uid + 1, "LOG", hour, "of another one", {}),
        event(
            uid,
            "EVENT",
            hour,
            {"status": "READY", "message": "Running"},
            {"name": "CONTAINER.STATUS_CHANGE", "severity_text": "INFO"},
        ),
        event(
            uid, "METRIC", hour, 0.5, {"metric": {"name": "container.cpu.usage", "unit": "cpu"}}
        ),
    ]
    with sql_session(folder / "engine") as session:
        session.session.point_event_table(moment(told))
        session.context = replace(HERE, parameters={"TIMEZONE": "America/Los_Angeles"})
        return session.rows(sql)


def uid_of(account: Account) -> int:
    return next(one.uid for one in account.catalog.all("service"))


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("", ["now", "an hour ago"]),
        ("START_TIME => DATEADD('minute', -10, CURRENT_TIMESTAMP())", ["now"]),
        (
            "start_time => dateadd(day, -7, sysdate()::timestamp_ntz)",
            ["now", "an hour ago", "yesterday"],
        ),
        (
            "END_TIME => DATEADD(hour, -2, CURRENT_TIMESTAMP()), "
            "START_TIME => DATEADD(day, -7, CURRENT_TIMESTAMP())",
            ["yesterday"],
        ),
        ("DATEADD('minute', -10, CURRENT_TIMESTAMP()), CURRENT_TIMESTAMP()", ["now"]),
    ],
)
async def test_logs_are_of_the_service_and_of_the_time(
    account: Account, tmp_path: Path, arguments: str, lines: list[str]
) -> None:
    sql = await rewritten(
        account,
        f"SELECT log, instance_id, container_name FROM TABLE(d.public.s!SPCS_GET_LOGS({arguments}))",
    )
    rows = answered(sql, tmp_path, uid_of(account))
    assert rows == [(line, 0, "main") for line in lines]


async def test_events_are_told_apart_and_filtered(account: Account, tmp_path: Path) -> None:
    sql = await rewritten(
        account,
        "SELECT e.severity, event_name, event_details:status::varchar FROM "
        "table( s ! spcs_get_events( ) ) e WHERE e.container_name = 'main' LIMIT 5",
    )
    rows = answered(sql, tmp_path, uid_of(account))
    assert rows == [("INFO", "CONTAINER.STATUS_CHANGE", "READY")]


async def test_metrics_have_names_and_units(account: Account, tmp_path: Path) -> None:
    sql = await rewritten(
        account, "SELECT METRIC_NAME, VALUE, UNIT FROM TABLE(s!SPCS_GET_METRICS())"
    )
    (row,) = answered(sql, tmp_path, uid_of(account))
    assert (row[0], float(str(row[1])), row[2]) == ("container.cpu.usage", 0.5, "cpu")


async def test_only_who_monitors_the_service_reads_them(account: Account) -> None:
    await account.sql(
        "CREATE ROLE q",
        "GRANT USAGE ON DATABASE d TO ROLE q",
        "GRANT USAGE ON SCHEMA d.public TO ROLE q",
        "GRANT USAGE ON SERVICE s TO ROLE q",
        "CREATE USER u PASSWORD='Abc12345' DEFAULT_ROLE=q",
        "GRANT ROLE q TO USER u",
    )
    context = account.session("U", "Q")
    sql = "SELECT * FROM TABLE(d.public.s!SPCS_GET_LOGS())"
    with pytest.raises(NotAuthorized):
        await account.outcome(sql, context)
    await account.sql("GRANT MONITOR ON SERVICE s TO ROLE q")
    assert isinstance(await account.outcome(sql, context), ToWarehouse)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT * FROM TABLE(nobody!SPCS_GET_LOGS())", ObjectNotFound),
        ("SELECT * FROM TABLE(s!SPCS_GET_LOGS(", SyntaxInvalid),
        ("SELECT * FROM TABLE(s!SPCS_GET_LOGS(START_TIME => ))", SyntaxInvalid),
        ("SELECT * FROM TABLE(s!SPCS_GET_LOGS(1, 2, 3))", SyntaxInvalid),
        ("SELECT * FROM TABLE(s!SPCS_GET_LOGS() x)", SyntaxInvalid),
        ("SELECT * FROM TABLE(s!SPCS_WAIT_FOR()) -- SPCS_GET_LOGS", SyntaxInvalid),
    ],
)
async def test_what_is_none_is_refused(
    account: Account, sql: str, error: type[SnowcaveError]
) -> None:
    with pytest.raises(error):
        await account.outcome(sql)


async def test_other_tables_are_left_alone(account: Account) -> None:
    sql = "SELECT 'SPCS_GET_LOGS', * FROM TABLE(FLATTEN(input => x)), TABLE(s)"
    assert await rewritten(account, sql) == sql
