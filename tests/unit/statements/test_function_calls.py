"""Ordinary SQL that calls service functions, up to its being handed to the warehouse."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import QueryHandle, ToWarehouse
from snowcave.model.errors import ServiceNotReady
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

RUNNING = state.ServiceStatus(status="RUNNING", ready_instances=1)


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    """Function F of service D.S.X, which runs in pool P."""
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE DATABASE d",
            "CREATE SCHEMA s",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE IMAGE REPOSITORY r",
        )
        opened.registry.push("d/s/r/echo:latest")
        await opened.sql(
            "CREATE SERVICE x IN COMPUTE POOL p FROM SPECIFICATION $$ spec: {containers: "
            "[{name: a, image: /d/s/r/echo}], endpoints: [{name: e, port: 80}]} $$",
            "CREATE FUNCTION f(t VARCHAR) RETURNS VARCHAR SERVICE=x ENDPOINT=e AS '/f'",
        )
        await opened.say("X", RUNNING)
        yield opened


def is_suspended(account: Account, domain: str) -> bool:
    (found,) = account.catalog.all(domain)
    return found.service.suspended or found.compute_pool.suspended


async def test_a_call_wakes_a_suspended_service_and_its_pool(account: Account) -> None:
    await account.sql("ALTER COMPUTE POOL p SUSPEND")
    await account.say("X", state.ServiceStatus(status="SUSPENDED"))
    assert is_suspended(account, "service")
    with pytest.raises(ServiceNotReady, match="SUSPENDED"):
        await account.outcome("SELECT f('a')")
    assert not is_suspended(account, "service")
    assert not is_suspended(account, "compute_pool")
    await account.say("X", RUNNING)
    assert isinstance(await account.outcome("SELECT f('a')", account.context), ToWarehouse)


async def test_a_service_that_does_not_want_to_be_woken_sleeps_on(account: Account) -> None:
    await account.sql("ALTER SERVICE x SET AUTO_RESUME = FALSE", "ALTER SERVICE x SUSPEND")
    await account.say("X", state.ServiceStatus(status="SUSPENDED"))
    with pytest.raises(ServiceNotReady):
        await account.outcome("SELECT f('a')")
    assert is_suspended(account, "service")


async def test_describing_a_statement_does_nothing(account: Account) -> None:
    await account.sql("ALTER SERVICE x SUSPEND")
    before = account.backend.revision
    described = await account.runner.run(
        "SELECT f('a'), SYSTEM$GET_SERVICE_LOGS('d.s.x', 0, 'a'), 1",
        account.context,
        QueryHandle("q", describe_only=True),
    )
    assert isinstance(described, ToWarehouse)
    assert [function.name for function in described.functions] == ["F"]
    assert account.backend.revision == before
    assert account.logs.asked == []
