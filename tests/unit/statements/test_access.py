"""Who sees what and may do what: each refusal in the words of a name that is not there, or not allowed."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.model.errors import NotAuthorized, ObjectNotFound, SnowcaveError
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

SPEC = "FROM SPECIFICATION $$ spec: {containers: [{name: a, image: /d/s/r/echo}]%s} $$"
RUNNING = state.ServiceStatus(status="RUNNING", ready_instances=1)


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    """Database D with schema S, a pool and a repository of ADMIN's; roles ALICE and BOB with a user each."""
    async with open_account(tmp_path) as opened:
        for name in ("alice", "bob"):
            await opened.sql(
                f"CREATE ROLE {name}",
                f"CREATE USER {name} PASSWORD='secret' DEFAULT_ROLE={name}",
                f"GRANT ROLE {name} TO USER {name}",
            )
        await opened.sql(
            "CREATE DATABASE d",
            "CREATE SCHEMA s",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE IMAGE REPOSITORY r",
        )
        opened.registry.push("d/s/r/echo:latest")
        yield opened


def session(account: Account, name: str) -> SessionContext:
    context = account.session(name.upper(), name.upper())
    context.database, context.schema = "D", "S"
    return context


async def allow(account: Account, role: str, *privileges: str) -> None:
    for privilege in privileges:
        await account.sql(f"GRANT {privilege} TO ROLE {role}")


SERVICE_GRANTS = (
    "USAGE ON DATABASE d",
    "USAGE ON SCHEMA d.s",
    "CREATE SERVICE ON SCHEMA d.s",
    "USAGE ON COMPUTE POOL p",
    "READ ON IMAGE REPOSITORY d.s.r",
)


async def test_each_grant_takes_a_service_one_step_further(account: Account) -> None:
    alice = session(account, "alice")
    create = f"CREATE SERVICE x IN COMPUTE POOL p {SPEC % ''}"
    refusals: list[str] = []
    for privilege in SERVICE_GRANTS:
        with pytest.raises(SnowcaveError) as caught:
            await account.sql(create, context=alice)
        refusals.append(caught.value.message.split("\n")[-1])
        await allow(account, "alice", privilege)
    assert refusals == [
        "Database 'D' does not exist or not authorized.",
        "Schema 'D.S' does not exist or not authorized.",
        "Insufficient privileges to operate on schema 'S'.",
        "Compute pool 'P' does not exist or not authorized.",
        "Image repository 'D.S.R' does not exist or not authorized.",
    ]
    (row,) = await account.sql(create, context=alice)
    assert row["status"] == "Service X successfully created."


async def test_a_public_endpoint_needs_the_right_to_bind_one(account: Account) -> None:
    alice = session(account, "alice")
    await allow(account, "alice", *SERVICE_GRANTS)
    public = SPEC % ", endpoints: [{name: e, port: 80, public: true}]"
    with pytest.raises(NotAuthorized, match="account"):
        await account.sql(f"CREATE SERVICE x IN COMPUTE POOL p {public}", context=alice)
    await allow(account, "alice", "BIND SERVICE ENDPOINT ON ACCOUNT")
    await account.sql(f"CREATE SERVICE x IN COMPUTE POOL p {public}", context=alice)


async def test_a_service_of_another_role_is_not_there_until_it_is_granted(
    account: Account,
) -> None:
    alice, bob = session(account, "alice"), session(account, "bob")
    await allow(account, "alice", *SERVICE_GRANTS)
    await allow(account, "bob", *SERVICE_GRANTS[:2])
    await account.sql(f"CREATE SERVICE x IN COMPUTE POOL p {SPEC % ''}", context=alice)
    with pytest.raises(
        ObjectNotFound, match=r"Service 'D\.S\.X' does not exist or not authorized"
    ):
        await account.sql("DESC SERVICE x", context=bob)
    assert await account.sql("SHOW SERVICES", context=bob) == []
    await account.sql("GRANT USAGE ON SERVICE x TO ROLE bob", context=alice)
    (row,) = await account.sql("DESC SERVICE x", context=bob)
    assert row["spec"] is None
    with pytest.raises(NotAuthorized):
        await account.sql("ALTER SERVICE x SUSPEND", context=bob)
    with pytest.raises(NotAuthorized):
        await account.sql("SHOW SERVICE CONTAINERS IN SERVICE x", context=bob)
    await account.sql("GRANT OPERATE, MONITOR ON SERVICE x TO ROLE bob", context=alice)
    await account.sql(
        "ALTER SERVICE x SUSPEND", "SHOW SERVICE CONTAINERS IN SERVICE x", context=bob
    )
    with pytest.raises(NotAuthorized):
        await account.sql("DROP SERVICE x", context=bob)
    await account.sql("REVOKE ALL ON SERVICE x FROM ROLE bob", context=alice)
    with pytest.raises(ObjectNotFound):
        await account.sql("DESC SERVICE x", context=bob)


async def test_a_function_needs_usage_and_its_owner_the_endpoint(account: Account) -> None:
    alice, bob = session(account, "alice"), session(account, "bob")
    await allow(account, "alice", *SERVICE_GRANTS)
    await allow(account, "bob", *SERVICE_GRANTS[:2], "CREATE FUNCTION ON SCHEMA d.s")
    spec = SPEC % ", endpoints: [{name: e, port: 80}]"
    await account.sql(f"CREATE SERVICE x IN COMPUTE POOL p {spec}", context=alice)
    await account.say("X", RUNNING)
    await account.sql("GRANT USAGE ON SERVICE x TO ROLE bob", context=alice)
    create = "CREATE FUNCTION f(a text) RETURNS text SERVICE=x ENDPOINT=e AS '/'"
    with pytest.raises(NotAuthorized, match="endpoint 'e'"):
        await account.sql(create, context=bob)
    await account.sql("GRANT SERVICE ROLE x!ALL_ENDPOINTS_USAGE TO ROLE bob", context=alice)
    await account.sql(create, context=bob)
    sent = await account.outcome("select D.S.F('x')", bob)
    assert isinstance(sent, ToWarehouse)
    assert [list(one.spellings) for one in sent.functions] == [["D.S.F"]]

    hidden = await account.outcome("select f('x')", alice)
    assert isinstance(hidden, ToWarehouse)
    assert hidden.functions == ()

    await account.sql("REVOKE SERVICE ROLE x!all_endpoints_usage FROM ROLE bob", context=alice)
    with pytest.raises(NotAuthorized, match="owner of function"):
        await account.outcome("select f('x')", bob)


async def test_a_role_that_is_not_granted_cannot_be_used(account: Account) -> None:
    alice = session(account, "alice")
    with pytest.raises(NotAuthorized, match="role 'BOB'"):
        await account.sql("USE ROLE bob", context=alice)
    await account.sql("GRANT ROLE bob TO ROLE alice")
    await account.sql("USE ROLE bob", context=alice)
    assert alice.role == "BOB"


async def test_a_role_taken_away_counts_no_more_in_open_sessions(account: Account) -> None:
    alice = session(account, "alice")
    await allow(account, "alice", "USAGE ON COMPUTE POOL p")
    assert len(await account.sql("SHOW COMPUTE POOLS", context=alice)) == 1
    await account.sql("REVOKE ROLE alice FROM USER alice")
    assert await account.sql("SHOW COMPUTE POOLS", context=alice) == []


async def test_roles_cannot_be_granted_in_a_circle(account: Account) -> None:
    await account.sql("GRANT ROLE bob TO ROLE alice")
    with pytest.raises(SnowcaveError, match="circle"):
        await account.sql("GRANT ROLE alice TO ROLE bob")


async def test_only_who_may_grant_can_grant(account: Account) -> None:
    alice = session(account, "alice")
    await allow(account, "alice", "USAGE ON COMPUTE POOL p")
    with pytest.raises(NotAuthorized):
        await account.sql("GRANT USAGE ON COMPUTE POOL p TO ROLE bob", context=alice)
    await account.sql("GRANT USAGE ON COMPUTE POOL p TO ROLE alice WITH GRANT OPTION")
    await account.sql("GRANT USAGE ON COMPUTE POOL p TO ROLE bob", context=alice)
    with pytest.raises(NotAuthorized):
        await account.sql("GRANT OPERATE ON COMPUTE POOL p TO ROLE bob", context=alice)


async def test_the_systems_database_is_open_to_the_clients_look(account: Account) -> None:
    alice = session(account, "alice")
    found = await account.sql("show image repositories in schema snowflake.images;", context=alice)
    assert found == []


async def test_users_change_their_own_password_and_nothing_else(account: Account) -> None:
    alice = session(account, "alice")
    before = account.catalog.named("user", 0, "ALICE")
    await account.sql("ALTER USER alice SET PASSWORD = 'new secret'", context=alice)
    after = account.catalog.named("user", 0, "ALICE")
    assert before is not None
    assert after is not None
    assert before.message.user.password_hash != after.message.user.password_hash
    with pytest.raises(NotAuthorized):
        await account.sql("ALTER USER alice SET DISABLED = FALSE", context=alice)


async def test_grants_are_shown_and_go_with_what_they_are_about(account: Account) -> None:
    await allow(account, "alice", "USAGE ON COMPUTE POOL p")
    rows = await account.sql("SHOW GRANTS TO ROLE alice")
    assert [(row["privilege"], row["granted_on"], row["name"]) for row in rows] == [
        ("USAGE", "COMPUTE_POOL", "P")
    ]
    assert len(await account.sql("SHOW GRANTS OF ROLE alice")) == 1
    on = await account.sql("SHOW GRANTS ON COMPUTE POOL p")
    assert [row["privilege"] for row in on] == ["OWNERSHIP", "USAGE"]
    await account.sql("DROP COMPUTE POOL p")
    assert await account.sql("SHOW GRANTS TO ROLE alice") == []


@pytest.mark.parametrize(
    "sql",
    [
        "DROP ROLE accountadmin",
        "CREATE OR REPLACE ROLE accountadmin",
        "DROP USER admin",
        "CREATE OR REPLACE USER admin",
        "DROP DATABASE snowflake",
        "CREATE OR REPLACE DATABASE snowflake",
    ],
)
async def test_not_even_the_administrator_can_lock_everyone_out(
    account: Account, sql: str
) -> None:
    before = account.backend.revision
    with pytest.raises(NotAuthorized):
        await account.sql(sql)
    assert account.backend.revision == before


async def test_a_replaced_role_leaves_nothing_without_an_owner(account: Account) -> None:
    await account.sql("CREATE ROLE carol", "CREATE WAREHOUSE w")
    await account.sql("GRANT OWNERSHIP ON WAREHOUSE w TO ROLE carol")
    await account.sql("CREATE OR REPLACE ROLE carol")
    (row,) = await account.sql("SHOW WAREHOUSES LIKE 'w'")
    assert row["owner"] == "ACCOUNTADMIN"
