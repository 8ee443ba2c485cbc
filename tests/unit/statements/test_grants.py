"""GRANT and REVOKE in all their forms, and what SHOW GRANTS says of them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.catalog.change import Change
from snowcave.api.contract import SessionContext
from snowcave.model.errors import (
    DependentGrant,
    NotAuthorized,
    ObjectNotFound,
    Unavailable,
    Unsupported,
    ValueInvalid,
)
from snowcave.v1 import warehouse_pb2 as warehouse
from tests.kit.statements import Account, open_account

pytestmark = pytest.mark.documented
TABLE = 77


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    """D.S with stages A and B and a table T of ADMIN's; roles ALICE and BOB with a user each."""
    async with open_account(tmp_path) as opened:
        for name in ("alice", "bob"):
            await opened.sql(
                f"CREATE ROLE {name}",
                f"CREATE USER {name} DEFAULT_ROLE={name}",
                f"GRANT ROLE {name} TO USER {name}",
            )
        await opened.sql(
            "CREATE DATABASE d", "CREATE SCHEMA s", "CREATE STAGE a", "CREATE STAGE b"
        )
        await opened.sql(
            "GRANT USAGE ON DATABASE d TO ROLE alice",
            "GRANT USAGE, CREATE STAGE ON SCHEMA s TO ROLE alice",
        )
        owner = opened.context.role_uid
        opened.ddl.kept[TABLE] = warehouse.WarehouseObject(
            uid=TABLE, kind="table", database="D", schema="S", name="T", owner=owner
        )
        yield opened


def session(account: Account, name: str) -> SessionContext:
    context = account.session(name.upper(), name.upper())
    context.database, context.schema = "D", "S"
    return context


async def shown(account: Account, what: str) -> list[tuple[object, ...]]:
    rows = await account.sql(f"SHOW GRANTS {what}")
    return sorted(
        (
            row["privilege"],
            row["granted_on"],
            row["name"],
            row["grantee_name"],
            row["grant_option"],
        )
        for row in rows
        if row["privilege"] != "OWNERSHIP"
    )


async def test_one_statement_grants_on_all_that_is_there(account: Account) -> None:
    await account.sql("GRANT READ ON ALL STAGES IN SCHEMA d.s TO ROLE bob")
    await account.sql("CREATE STAGE c")
    assert [row[2] for row in await shown(account, "TO ROLE bob")] == ["D.S.A", "D.S.B"]
    await account.sql("REVOKE READ ON ALL STAGES IN DATABASE d FROM ROLE bob")
    assert await shown(account, "TO ROLE bob") == []


async def test_all_means_every_privilege_but_ownership(account: Account) -> None:
    await account.sql("GRANT ALL PRIVILEGES ON STAGE a TO ROLE bob")
    rows = await shown(account, "ON STAGE a")
    assert [row[0] for row in rows] == ["READ", "USAGE", "WRITE"]


async def test_what_is_said_of_the_future_holds_for_what_is_made_then(account: Account) -> None:
    await account.sql("GRANT READ, WRITE ON FUTURE STAGES IN SCHEMA d.s TO ROLE bob")
    assert await shown(account, "ON STAGE a") == []
    await account.sql("CREATE STAGE c", context=session(account, "alice"))
    rows = await shown(account, "ON STAGE c")
    assert [(row[0], row[3]) for row in rows] == [("READ", "BOB"), ("WRITE", "BOB")]
    await account.sql("REVOKE WRITE ON FUTURE STAGES IN SCHEMA d.s FROM ROLE bob")
    await account.sql("CREATE STAGE e")
    assert [row[0] for row in await shown(account, "ON STAGE e")] == ["READ"]
    assert [row[0] for row in await shown(account, "ON STAGE c")] == ["READ", "WRITE"]


async def test_what_is_said_of_a_schema_wins_over_its_database(account: Account) -> None:
    await account.sql(
        "GRANT READ ON FUTURE STAGES IN DATABASE d TO ROLE alice",
        "GRANT USAGE ON FUTURE SCHEMAS IN DATABASE d TO ROLE alice",
        "GRANT WRITE ON FUTURE STAGES IN SCHEMA d.s TO ROLE bob",
        "CREATE STAGE c",
        "CREATE SCHEMA other",
        "CREATE STAGE c",
    )
    assert [row[::3] for row in await shown(account, "ON STAGE d.s.c")] == [("WRITE", "BOB")]
    assert [row[::3] for row in await shown(account, "ON STAGE d.other.c")] == [("READ", "ALICE")]
    assert [row[::3] for row in await shown(account, "ON SCHEMA other")] == [("USAGE", "ALICE")]


async def test_future_ownership_is_given_at_once(account: Account) -> None:
    await account.sql("GRANT OWNERSHIP ON FUTURE STAGES IN SCHEMA s TO ROLE bob", "CREATE STAGE c")
    (row,) = await account.sql("SHOW STAGES LIKE 'c'")
    assert row["owner"] == "BOB"


async def test_show_future_grants_has_columns_of_its_own(account: Account) -> None:
    await account.sql(
        "GRANT READ ON FUTURE STAGES IN SCHEMA s TO ROLE bob WITH GRANT OPTION",
        "GRANT SELECT ON FUTURE TABLES IN DATABASE d TO ROLE bob",
    )
    (row,) = await account.sql("SHOW FUTURE GRANTS IN SCHEMA s")
    assert list(row) == [
        "created_on",
        "privilege",
        "grant_on",
        "name",
        "grant_to",
        "grantee_name",
        "grant_option",
    ]
    assert list(row.values())[1:] == ["READ", "STAGE", "D.S.<STAGE>", "ROLE", "BOB", "true"]
    (row,) = await account.sql("SHOW FUTURE GRANTS IN DATABASE d")
    assert (row["privilege"], row["name"]) == ("SELECT", "D.<TABLE>")
    rows = await account.sql("SHOW FUTURE GRANTS TO ROLE bob")
    assert {row["name"] for row in rows} == {"D.S.<STAGE>", "D.<TABLE>"}
    assert await shown(account, "TO ROLE bob") == []


async def test_the_future_ends_with_its_schema(account: Account) -> None:
    await account.sql(
        "GRANT READ ON FUTURE STAGES IN SCHEMA s TO ROLE bob",
        "DROP SCHEMA s",
        "CREATE SCHEMA s",
    )
    assert await account.sql("SHOW FUTURE GRANTS IN SCHEMA s") == []
    assert await account.sql("SHOW FUTURE GRANTS TO ROLE bob") == []


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT OWNERSHIP ON FUTURE SERVICES IN SCHEMA s TO ROLE bob",
        "GRANT OWNERSHIP ON ALL SERVICES IN SCHEMA s TO ROLE bob",
        "GRANT OWNERSHIP ON STAGE a TO USER bob",
        "REVOKE OWNERSHIP ON STAGE a FROM ROLE bob",
        "GRANT SELECT ON TABLE t TO DATABASE ROLE d.r",
    ],
)
async def test_what_cannot_be_granted_is_refused(account: Account, statement: str) -> None:
    with pytest.raises(Unsupported):
        await account.sql(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT SELECT ON STAGE a TO ROLE bob",
        "GRANT READ ON TABLE t TO ROLE bob",
        "GRANT USAGE ON FUTURE TABLES IN SCHEMA s TO ROLE bob",
        "GRANT OWNERSHIP ON ACCOUNT TO ROLE bob",
    ],
)
async def test_a_privilege_that_the_object_does_not_have_is_refused(
    account: Account, statement: str
) -> None:
    with pytest.raises(ValueInvalid, match="cannot be granted"):
        await account.sql(statement)


async def test_who_has_the_grant_option_grants_on(account: Account) -> None:
    alice = session(account, "alice")
    await account.sql("GRANT READ ON STAGE a TO ROLE alice")
    with pytest.raises(NotAuthorized, match="stage 'A'"):
        await account.sql("GRANT READ ON STAGE a TO ROLE bob", context=alice)
    await account.sql("GRANT READ ON STAGE a TO ROLE alice WITH GRANT OPTION")
    await account.sql("GRANT READ ON STAGE a TO ROLE bob", context=alice)
    assert [row[3:] for row in await shown(account, "ON STAGE a")] == [
        ("ALICE", "true"),
        ("BOB", "false"),
    ]
    with pytest.raises(NotAuthorized):
        await account.sql("GRANT WRITE ON STAGE a TO ROLE bob", context=alice)


async def test_what_was_granted_on_stands_in_the_way_or_goes_along(account: Account) -> None:
    alice = session(account, "alice")
    await account.sql("GRANT READ ON STAGE a TO ROLE alice WITH GRANT OPTION")
    await account.sql("GRANT READ ON STAGE a TO ROLE bob", context=alice)
    with pytest.raises(DependentGrant, match=r"'READ' on securable 'D\.S\.A' to role 'BOB'"):
        await account.sql("REVOKE READ ON STAGE a FROM ROLE alice RESTRICT")
    await account.sql("REVOKE READ ON STAGE a FROM ROLE alice CASCADE")
    assert await shown(account, "ON STAGE a") == []


async def test_the_option_alone_can_be_revoked(account: Account) -> None:
    await account.sql(
        "GRANT READ ON STAGE a TO ROLE alice WITH GRANT OPTION",
        "REVOKE GRANT OPTION FOR READ ON STAGE a FROM ROLE alice",
    )
    assert [row[0::4] for row in await shown(account, "ON STAGE a")] == [("READ", "false")]


@pytest.mark.parametrize(
    ("current", "left"), [("COPY", [("READ", "BOB")]), ("REVOKE", list[tuple[str, str]]())]
)
async def test_ownership_moves_with_or_without_the_current_grants(
    account: Account, current: str, left: list[tuple[str, str]]
) -> None:
    await account.sql("GRANT READ ON STAGE a TO ROLE bob")
    with pytest.raises(DependentGrant):
        await account.sql("GRANT OWNERSHIP ON STAGE a TO ROLE alice")
    await account.sql(f"GRANT OWNERSHIP ON STAGE a TO ROLE alice {current} CURRENT GRANTS")
    rows = await account.sql("SHOW GRANTS ON STAGE a")
    assert rows[0]["privilege"] == "OWNERSHIP"
    assert rows[0]["grantee_name"] == "ALICE"
    assert [(row["privilege"], row["grantee_name"]) for row in rows[1:]] == left
    assert {row["granted_by"] for row in rows} == {"ALICE"}


async def test_in_a_managed_schema_the_schemas_owner_decides(account: Account) -> None:
    alice = session(account, "alice")
    await account.sql("CREATE SCHEMA m WITH MANAGED ACCESS")
    await account.sql("GRANT USAGE, CREATE STAGE ON SCHEMA m TO ROLE alice")
    await account.sql("CREATE STAGE m.x", context=alice)
    with pytest.raises(NotAuthorized):
        await account.sql("GRANT READ ON STAGE m.x TO ROLE bob", context=alice)
    await account.sql("GRANT READ ON STAGE m.x TO ROLE bob")


async def test_who_manages_grants_may_name_everything(account: Account) -> None:
    await account.sql("GRANT ROLE securityadmin TO USER bob")
    security = account.session("BOB", "SECURITYADMIN")
    await account.sql("GRANT USAGE ON DATABASE d TO ROLE bob", context=security)
    await account.sql("GRANT READ ON STAGE d.s.a TO ROLE bob", context=security)
    with pytest.raises(ObjectNotFound):
        await account.sql("DESC STAGE d.s.a", context=security)


async def test_tables_have_grants_and_owners(account: Account) -> None:
    alice = session(account, "alice")
    with pytest.raises(ObjectNotFound, match=r"Table 'D\.S\.T' does not exist or not authorized"):
        await account.sql("GRANT SELECT ON TABLE t TO ROLE bob", context=alice)
    await account.sql("GRANT SELECT, INSERT ON TABLE t TO ROLE alice")
    assert [row[:3] for row in await shown(account, "TO ROLE alice") if row[1] == "TABLE"] == [
        ("INSERT", "TABLE", "D.S.T"),
        ("SELECT", "TABLE", "D.S.T"),
    ]
    with pytest.raises(NotAuthorized, match="table 'T'"):
        await account.sql("GRANT SELECT ON TABLE t TO ROLE bob", context=alice)
    await account.sql("GRANT OWNERSHIP ON TABLE t TO ROLE alice REVOKE CURRENT GRANTS")
    await account.sql("GRANT SELECT ON ALL TABLES IN SCHEMA s TO ROLE bob", context=alice)
    rows = await account.sql("SHOW GRANTS ON TABLE t")
    assert [(row["privilege"], row["grantee_name"]) for row in rows] == [
        ("OWNERSHIP", "ALICE"),
        ("SELECT", "BOB"),
    ]


async def test_what_a_dropped_role_owned_is_not_left_alone(account: Account) -> None:
    await account.sql(
        "GRANT OWNERSHIP ON TABLE t TO ROLE alice",
        "GRANT OWNERSHIP ON STAGE a TO ROLE alice",
        "DROP ROLE alice",
    )
    assert account.ddl.kept[TABLE].owner == account.context.role_uid
    (row,) = await account.sql("SHOW STAGES LIKE 'a'")
    assert row["owner"] == "ACCOUNTADMIN"


@pytest.mark.ours
async def test_a_role_stays_while_nobody_can_take_over_its_tables(account: Account) -> None:
    account.ddl.failing = Unavailable("away")
    with pytest.raises(Unavailable):
        await account.sql("DROP ROLE alice")
    account.ddl.failing = None
    await account.sql("DROP ROLE alice")
    assert account.catalog.named("role", 0, "ALICE") is None


async def test_the_event_table_can_be_granted(account: Account) -> None:
    await account.sql("GRANT SELECT ON EVENT TABLE snowflake.telemetry.events TO ROLE bob")
    (row,) = await shown(account, "TO ROLE bob")
    assert row[:3] == ("SELECT", "EVENT_TABLE", "SNOWFLAKE.TELEMETRY.EVENTS")


async def test_grants_to_a_user_count_with_the_secondary_roles(account: Account) -> None:
    bob = session(account, "bob")
    await account.sql(
        "GRANT USAGE ON DATABASE d TO USER bob",
        "GRANT USAGE ON SCHEMA s TO USER bob",
        "GRANT READ ON STAGE a TO USER bob",
    )
    with pytest.raises(ObjectNotFound):
        await account.sql("DESC STAGE a", context=bob)
    await account.sql("USE SECONDARY ROLES ALL", "DESC STAGE a", context=bob)
    rows = await account.sql("SHOW GRANTS TO USER bob")
    assert list(rows[0]) == [
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "role",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by",
    ]
    assert {(row["privilege"], row["granted_on"], row["role"]) for row in rows} == {
        ("USAGE", "ROLE", "BOB"),
        ("USAGE", "DATABASE", None),
        ("USAGE", "SCHEMA", None),
        ("READ", "STAGE", None),
    }


@pytest.mark.ours
@pytest.mark.parametrize(
    ("grant", "drop"),
    [
        ("GRANT ROLE alice TO ROLE bob", "DROP ROLE bob"),
        ("GRANT ROLE alice TO ROLE bob", "DROP ROLE alice"),
        ("GRANT READ ON STAGE a TO ROLE bob", "DROP ROLE bob"),
        ("GRANT READ ON FUTURE STAGES IN SCHEMA s TO ROLE bob", "DROP ROLE bob"),
    ],
)
async def test_nothing_is_granted_to_who_is_dropped_at_that_moment(
    account: Account, monkeypatch: pytest.MonkeyPatch, grant: str, drop: str
) -> None:
    name = drop.rsplit(maxsplit=1)[1].upper()
    found = account.catalog.named("role", 0, name)
    assert found is not None
    commit = Catalog.commit

    async def late(catalog: Catalog, change: Change) -> None:
        monkeypatch.setattr(Catalog, "commit", commit)
        await account.sql(drop)
        await commit(catalog, change)

    monkeypatch.setattr(Catalog, "commit", late)
    with pytest.raises(ObjectNotFound, match=f"Role '{name}'"):
        await account.sql(grant)
    grants = account.catalog.mirrors.grants.values()
    assert not [one for one in grants if found.message.uid in (one.grantee, one.securable)]
