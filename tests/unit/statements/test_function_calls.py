"""Ordinary SQL that calls service functions, up to its being handed to the warehouse."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import QueryHandle, ToWarehouse
from snowcave.model.errors import NotAuthorized, ObjectNotFound, ServiceNotReady
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


async def test_explaining_a_statement_wakes_nobody(account: Account) -> None:
    await account.sql("ALTER SERVICE x SUSPEND")
    before = account.backend.revision
    asked = "-- a plan\nEXPLAIN SELECT f('a'), SYSTEM$GET_SERVICE_LOGS('d.s.x', 0, 'a')"
    explained = await account.outcome(asked)
    assert isinstance(explained, ToWarehouse)
    assert [function.name for function in explained.functions] == ["F"]
    assert account.backend.revision == before
    assert account.logs.asked == []


@pytest_asyncio.fixture
async def people(account: Account) -> Account:
    """Role MAKER owns function G of service X; role CALLER may call it. Each is a user's of that name."""
    for name in ("maker", "caller"):
        await account.sql(
            f"CREATE ROLE {name}",
            f"CREATE USER {name} PASSWORD = 'a-long-password' DEFAULT_ROLE = {name}",
            f"GRANT ROLE {name} TO USER {name}",
            f"GRANT USAGE ON DATABASE d TO ROLE {name}",
            f"GRANT USAGE ON SCHEMA d.s TO ROLE {name}",
        )
    await account.sql(
        "GRANT CREATE FUNCTION ON SCHEMA d.s TO ROLE maker",
        "GRANT USAGE ON SERVICE d.s.x TO ROLE maker",
        "GRANT SERVICE ROLE d.s.x!ALL_ENDPOINTS_USAGE TO ROLE maker",
    )
    maker = account.session("MAKER", "MAKER")
    await account.sql(
        "CREATE FUNCTION d.s.g(t VARCHAR) RETURNS VARCHAR SERVICE=d.s.x ENDPOINT=e AS '/g'",
        "GRANT USAGE ON FUNCTION d.s.g(VARCHAR) TO ROLE caller",
        context=maker,
    )
    return account


async def called(account: Account, role: str = "CALLER") -> list[str]:
    """The functions that go along with a call, by its spelling."""
    found = await account.outcome("SELECT d.s.g('a')", account.session(role, role))
    assert isinstance(found, ToWarehouse)
    return [function.name for function in found.functions]


async def test_who_may_call_a_function_need_not_be_let_near_its_service(people: Account) -> None:
    assert await called(people) == ["G"]


async def test_a_grant_that_is_taken_back_ends_with_the_next_call(people: Account) -> None:
    maker = people.session("MAKER", "MAKER")
    await people.sql("REVOKE USAGE ON FUNCTION d.s.g(VARCHAR) FROM ROLE caller", context=maker)
    # To the warehouse such a function is unknown, as it is to who may not see it.
    assert await called(people) == []


async def test_a_function_works_as_long_as_its_owner_may_use_the_endpoint(people: Account) -> None:
    await people.sql("REVOKE SERVICE ROLE d.s.x!ALL_ENDPOINTS_USAGE FROM ROLE maker")
    with pytest.raises(NotAuthorized, match="owner of function 'G'"):
        await called(people)
    with pytest.raises(NotAuthorized):
        await called(people, "MAKER")
    await people.sql("GRANT SERVICE ROLE d.s.x!ALL_ENDPOINTS_USAGE TO ROLE maker")
    assert await called(people) == ["G"]


async def test_a_function_of_the_administrator_s_works_wherever_it_could_be_made(
    people: Account,
) -> None:
    """ACCOUNTADMIN passes every check, as a function's owner too; SYSADMIN, which it has, does not."""
    maker, caller = people.session("MAKER", "MAKER"), people.session("CALLER", "CALLER")
    await people.sql("GRANT CREATE SERVICE ON SCHEMA d.s TO ROLE maker")
    await people.sql("GRANT USAGE ON COMPUTE POOL p TO ROLE maker")
    await people.sql("GRANT READ ON IMAGE REPOSITORY d.s.r TO ROLE maker")
    await people.sql(
        "CREATE SERVICE d.s.y IN COMPUTE POOL p FROM SPECIFICATION $$ spec: {containers: "
        "[{name: a, image: /d/s/r/echo}], endpoints: [{name: e, port: 80}]} $$",
        context=maker,
    )
    await people.say("Y", RUNNING)
    made = "CREATE FUNCTION d.s.%s(t VARCHAR) RETURNS VARCHAR SERVICE=d.s.y ENDPOINT=e AS '/f'"
    await people.sql(made % "h", "GRANT USAGE ON FUNCTION d.s.h(VARCHAR) TO ROLE caller")
    found = await people.outcome("SELECT d.s.h('a')", caller)
    assert isinstance(found, ToWarehouse)
    assert [function.name for function in found.functions] == ["H"]

    await people.sql(
        "GRANT USAGE ON DATABASE d TO ROLE sysadmin",
        "GRANT USAGE, CREATE FUNCTION ON SCHEMA d.s TO ROLE sysadmin",
        "GRANT USAGE ON SERVICE d.s.y TO ROLE sysadmin",
    )
    with pytest.raises(NotAuthorized, match="endpoint 'e'"):
        await people.sql(made % "k", context=people.session("ADMIN", "SYSADMIN"))


async def test_overloads_that_the_caller_may_not_call_are_left_out(people: Account) -> None:
    maker = people.session("MAKER", "MAKER")
    await people.sql(
        "CREATE FUNCTION d.s.g(n NUMBER) RETURNS VARCHAR SERVICE=d.s.x ENDPOINT=e AS '/n'",
        context=maker,
    )
    assert await called(people, "MAKER") == ["G", "G"]
    assert await called(people) == ["G"]


async def test_a_function_whose_service_is_gone_says_so(people: Account) -> None:
    await people.sql("DROP SERVICE d.s.x")
    with pytest.raises(ObjectNotFound):
        await called(people)


async def test_the_warehouse_learns_as_of_when_a_function_is_known(account: Account) -> None:
    async def revision() -> int:
        found = await account.outcome("SELECT f('a')", account.context)
        assert isinstance(found, ToWarehouse)
        return found.functions[0].revision

    before = await revision()
    assert before > 0
    await account.sql("ALTER FUNCTION f(VARCHAR) SET MAX_BATCH_ROWS = 7")
    assert await revision() > before


async def test_an_endpoint_that_a_later_specification_has_not_is_named(account: Account) -> None:
    await account.sql(
        "ALTER SERVICE x FROM SPECIFICATION $$ spec: {containers: "
        "[{name: a, image: /d/s/r/echo}], endpoints: [{name: other, port: 80}]} $$"
    )
    with pytest.raises(ObjectNotFound, match="Endpoint 'X!e' does not exist"):
        await account.outcome("SELECT f('a')", account.context)


async def test_a_service_that_is_made_anew_takes_up_the_functions_of_its_name(
    account: Account,
) -> None:
    await account.sql("DROP SERVICE x")
    with pytest.raises(ObjectNotFound, match="Service of function 'F'"):
        await account.outcome("SELECT f('a')", account.context)
    assert await service_of_f(account) == "D.S.X"
    make = (
        "CREATE SERVICE {} IN COMPUTE POOL p FROM SPECIFICATION $$ spec: {{containers: "
        "[{{name: a, image: /d/s/r/echo}}], endpoints: [{{name: e, port: 80}}]}} $$"
    )
    await account.sql(make.format("y"))
    with pytest.raises(ObjectNotFound, match="Service of function 'F'"):
        await account.outcome("SELECT f('a')", account.context)
    await account.sql(make.format("x"))
    await account.say("X", RUNNING)
    assert isinstance(await account.outcome("SELECT f('a')", account.context), ToWarehouse)


async def service_of_f(account: Account) -> object:
    rows = await account.sql("DESC FUNCTION f(VARCHAR)")
    return {row["property"]: row["value"] for row in rows}["service"]
