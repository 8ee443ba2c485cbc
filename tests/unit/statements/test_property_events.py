"""SERVICE.PROPERTY_CHANGE: told in the transaction that changes the property, where somebody wants it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import events_pb2 as events
from tests.kit.statements import Account, open_account

SERVICE = (
    "CREATE SERVICE d.s.x IN COMPUTE POOL p FROM SPECIFICATION "
    "$$spec: {containers: [{name: main, image: /d/s/r/echo}]}$$"
)


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        opened.registry.push("d/s/r/echo:latest")
        await opened.sql(
            "CREATE DATABASE d",
            "CREATE SCHEMA s",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE IMAGE REPOSITORY d.s.r",
            f"{SERVICE} LOG_EVENT_LEVEL = INFO",
        )
        yield opened


async def told(account: Account) -> list[str]:
    listing = await account.store.list(keys.API_EVENTS.prefix)
    found = sorted(listing.items, key=lambda item: item.create_revision)
    requests = [events.AppendRequest.FromString(item.value) for item in found]
    return [json.loads(row.value)["message"] for one in requests for row in one.rows]


async def test_properties_are_told_by_name(account: Account) -> None:
    await account.sql(
        "ALTER SERVICE d.s.x SET MIN_INSTANCES = 2 MAX_INSTANCES = 3",
        "ALTER SERVICE d.s.x UNSET COMMENT",
    )
    assert await told(account) == [
        "Set Service Properties [MIN_INSTANCES, MAX_INSTANCES]",
        "Unset Service Properties [COMMENT]",
    ]


async def test_tags_are_told_by_name(account: Account) -> None:
    await account.sql(
        "CREATE TAG d.s.cost",
        "ALTER SERVICE d.s.x SET TAG d.s.cost = 'a'",
        "ALTER SERVICE d.s.x UNSET TAG d.s.cost",
    )
    assert await told(account) == ["Set Service tag(s) [COST]", "Unset Service tag(s) [COST]"]


async def test_the_row_says_whose_it_is(account: Account) -> None:
    await account.sql("ALTER SERVICE d.s.x SET COMMENT = 'c'")
    (item,) = (await account.store.list(keys.API_EVENTS.prefix)).items
    (resource,) = events.AppendRequest.FromString(item.value).resources
    assert (resource.database_name, resource.schema_name, resource.service_name) == ("D", "S", "X")
    assert (resource.compute_pool_name, resource.service_type) == ("P", "Service")
    assert not resource.has_instance


@pytest.mark.parametrize("level", ["ERROR", "OFF"])
async def test_nothing_is_told_below_the_level(account: Account, level: str) -> None:
    await account.sql(f"ALTER SERVICE d.s.x SET LOG_EVENT_LEVEL = {level}")
    await account.sql("ALTER SERVICE d.s.x SET COMMENT = 'c'")
    assert await told(account) == []
    await account.sql("ALTER SERVICE d.s.x UNSET LOG_EVENT_LEVEL")
    (row,) = await account.sql("SHOW PARAMETERS LIKE 'log_event_level' IN SERVICE d.s.x")
    assert (row["value"], row["level"]) == ("OFF", "")


async def test_a_level_that_is_none_is_refused(account: Account) -> None:
    with pytest.raises(SnowcaveError, match="LOG_EVENT_LEVEL"):
        await account.sql("ALTER SERVICE d.s.x SET LOG_EVENT_LEVEL = LOUD")
