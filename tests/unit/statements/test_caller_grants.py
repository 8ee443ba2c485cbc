"""Services that act for their caller: of the caller's rights, those that caller grants leave to the owner."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.model import limits
from snowcave.model.errors import NotAuthorized, ObjectNotFound, ValueInvalid
from snowcave.model.privileges import is_caller_grant
from tests.kit.statements import Account, open_account

pytestmark = pytest.mark.documented

SPEC = """
spec: {containers: [{name: main, image: /d/public/r/echo}]}
capabilities: {securityContext: {executeAsCaller: true}}
"""
SETUP = (
    "CREATE ROLE owner",
    "CREATE ROLE reader",
    "GRANT ROLE owner TO USER admin",
    "CREATE USER bob DEFAULT_ROLE=reader",
    "GRANT ROLE reader TO USER bob",
    "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
    "GRANT USAGE ON COMPUTE POOL p TO ROLE owner",
    "GRANT CREATE DATABASE ON ACCOUNT TO ROLE owner",
    "USE ROLE owner",
    "CREATE DATABASE d",
    "CREATE IMAGE REPOSITORY r",
)
OF_READER = (
    "GRANT USAGE ON DATABASE d TO ROLE reader",
    "GRANT USAGE ON SCHEMA d.public TO ROLE reader",
    "GRANT READ, WRITE ON STAGE d.public.st TO ROLE reader",
)
PLACES = (
    "GRANT CALLER USAGE ON DATABASE d TO ROLE owner",
    "GRANT CALLER USAGE ON SCHEMA d.public TO ROLE owner",
)
READ = "LIST @d.public.st"
WRITE = "REMOVE @d.public.st"


@dataclass
class Called:
    account: Account
    service: int

    def caller(self, user: str = "BOB", role: str = "READER") -> SessionContext:
        """A container of the service in a caller's name, as its login makes it."""
        own = self.account.session(user, role)
        return replace(own, role_restriction=own.role_uid, called_service=self.service)

    async def refused(self, sql: str, context: SessionContext) -> None:
        with pytest.raises((NotAuthorized, ObjectNotFound)):
            await self.account.outcome(sql, replace(context))

    async def works(self, sql: str, context: SessionContext) -> None:
        await self.account.outcome(sql, replace(context))


@pytest_asyncio.fixture
async def called(tmp_path: Path) -> AsyncGenerator[Called]:
    async with open_account(tmp_path) as account:
        await account.sql(*SETUP)
        account.registry.push("d/public/r/echo:latest")
        await account.sql(
            f"CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $${SPEC}$$",
            "CREATE STAGE st",
            "USE ROLE ACCOUNTADMIN",
            *OF_READER,
        )
        uid = next(one.uid for one in account.catalog.all("service"))
        yield Called(account, uid)


async def test_nothing_is_left_without_caller_grants(called: Called) -> None:
    await called.works(READ, called.account.session("BOB", "READER"))
    for context in (called.caller(), called.caller("ADMIN", "ACCOUNTADMIN")):
        await called.refused(READ, context)
        await called.refused("USE DATABASE d", context)
        await called.refused("CREATE ROLE more", context)
        assert await called.account.sql("SHOW DATABASES", context=context) == []


async def test_each_caller_grant_leaves_one_privilege_and_its_revocation_takes_it_back(
    called: Called,
) -> None:
    await called.account.sql(*PLACES, "GRANT CALLER READ ON STAGE d.public.st TO ROLE owner")
    await called.works(READ, called.caller())
    await called.refused(WRITE, called.caller())
    await called.account.sql("REVOKE CALLER READ ON STAGE d.public.st FROM ROLE owner")
    await called.refused(READ, called.caller())


@pytest.mark.parametrize("where", ["SCHEMA d.public", "DATABASE d", "ACCOUNT"])
async def test_inherited_caller_grants_are_about_all_there_is_and_will_be(
    called: Called, where: str
) -> None:
    await called.account.sql(*PLACES)
    await called.account.sql(f"GRANT INHERITED CALLER READ ON ALL STAGES IN {where} TO ROLE owner")
    await called.works(READ, called.caller())
    await called.refused(WRITE, called.caller())
    await called.account.sql("CREATE STAGE d.public.later")
    await called.account.sql("GRANT READ ON STAGE d.public.later TO ROLE reader")
    await called.works("LIST @d.public.later", called.caller())


async def test_all_caller_privileges_are_those_of_the_kind(called: Called) -> None:
    await called.account.sql(
        *PLACES, "GRANT ALL INHERITED CALLER PRIVILEGES ON ALL STAGES IN ACCOUNT TO ROLE owner"
    )
    await called.works(WRITE, called.caller())
    await called.refused("DROP STAGE d.public.st", called.caller("ADMIN", "ACCOUNTADMIN"))
    await called.account.sql("GRANT CALLER OWNERSHIP ON STAGE d.public.st TO ROLE owner")
    await called.works("DROP STAGE d.public.st", called.caller("ADMIN", "ACCOUNTADMIN"))


async def test_a_caller_grant_gives_nobody_anything(called: Called) -> None:
    await called.account.sql(
        *PLACES,
        "GRANT ALL CALLER PRIVILEGES ON STAGE d.public.st TO ROLE owner",
        "CREATE ROLE other",
        "CREATE USER eve DEFAULT_ROLE=other",
        "GRANT ROLE other TO USER eve",
        "GRANT ALL CALLER PRIVILEGES ON STAGE d.public.st TO ROLE other",
    )
    await called.refused(READ, called.caller("EVE", "OTHER"))
    await called.refused(READ, called.account.session("EVE", "OTHER"))
    shown = await called.account.sql("SHOW GRANTS ON STAGE d.public.st")
    assert not [row for row in shown if "CALLER" in str(row["privilege"])]


async def test_only_who_manages_caller_grants_may_make_them(called: Called) -> None:
    grant = "GRANT CALLER READ ON STAGE d.public.st TO ROLE owner"
    await called.refused(grant, called.account.session("ADMIN", "OWNER"))
    await called.account.sql("GRANT MANAGE CALLER GRANTS ON ACCOUNT TO ROLE owner")
    await called.works(grant, called.account.session("ADMIN", "OWNER"))
    with pytest.raises(ValueInvalid):
        await called.account.sql("GRANT CALLER SELECT ON STAGE d.public.st TO ROLE owner")


async def test_the_warehouse_is_told_what_is_left(called: Called) -> None:
    await called.account.sql(
        *PLACES, "GRANT INHERITED CALLER SELECT ON ALL TABLES IN SCHEMA d.public TO ROLE owner"
    )
    done = await called.account.outcome("SELECT 1 FROM d.public.t", called.caller())
    assert isinstance(done, ToWarehouse)
    assert done.rights is not None
    place = ("D", "PUBLIC")
    for kind, expected in (("table", {"SELECT"}), ("view", set[str]())):
        left = limits.left(done.rights.schemas, done.rights.schemas[place], (), kind)
        assert left is not None
        assert left.privileges == expected
    assert ("SNOWFLAKE", "TELEMETRY") not in done.rights.schemas


async def test_caller_grants_are_shown_with_where_they_come_from(called: Called) -> None:
    await called.account.sql(
        "GRANT CALLER READ ON STAGE d.public.st TO ROLE owner",
        "GRANT INHERITED CALLER WRITE ON ALL STAGES IN SCHEMA d.public TO ROLE owner",
        "GRANT INHERITED CALLER READ ON ALL STAGES IN DATABASE d TO ROLE reader",
        "GRANT INHERITED CALLER USAGE ON ALL WAREHOUSES IN ACCOUNT TO ROLE owner",
    )
    names = (
        "privilege",
        "name",
        "inherited_from",
        "inherited_from_database",
        "inherited_from_schema",
    )

    async def shown(sql: str) -> set[tuple[object, ...]]:
        rows = await called.account.sql(f"SHOW CALLER GRANTS {sql}")
        return {tuple(row[name] for name in names) for row in rows}

    own = ("READ", "D.PUBLIC.ST", None, None, None)
    in_schema = ("WRITE", None, "SCHEMA", "D", "PUBLIC")
    in_database = ("READ", None, "DATABASE", "D", None)
    everywhere = ("USAGE", None, "ACCOUNT", None, None)
    assert await shown("TO ROLE owner") == {own, in_schema, everywhere}
    assert await shown("ON STAGE d.public.st") == {own, in_schema, in_database}
    assert await shown("ON SCHEMA d.public") == {in_schema}
    assert await shown("ON ACCOUNT") == {everywhere}


async def test_caller_grants_go_with_what_they_are_about_and_with_whom_they_were_made_to(
    called: Called,
) -> None:
    await called.account.sql(
        "GRANT CALLER READ ON STAGE d.public.st TO ROLE owner",
        "GRANT INHERITED CALLER READ ON ALL STAGES IN SCHEMA d.public TO ROLE owner",
        "CREATE ROLE short_lived",
        "GRANT INHERITED CALLER READ ON ALL STAGES IN ACCOUNT TO ROLE short_lived",
    )

    def left() -> list[str]:
        grants = called.account.catalog.mirrors.grants.values()
        return sorted(one.privilege for one in grants if is_caller_grant(one.privilege))

    assert len(left()) == 3
    await called.account.sql("DROP ROLE short_lived", "DROP STAGE d.public.st")
    assert left() == ["INHERITED CALLER READ"]
    (schema,) = [one for one in called.account.catalog.all("schema") if one.name == "PUBLIC"]
    about = called.account.catalog.grants_about(schema)
    assert "INHERITED CALLER READ" in [one.privilege for one in about]
