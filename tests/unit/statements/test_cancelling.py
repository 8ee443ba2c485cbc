"""Who may end statements of other sessions: who runs them, that user's owner, who operates the warehouse."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.model.errors import ValueInvalid
from tests.kit.statements import Account, open_account

ALL = "SELECT SYSTEM$CANCEL_ALL_QUERIES(7) AS s"
ONE = "SELECT SYSTEM$CANCEL_QUERY('slow') AS s"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE USER ann PASSWORD='secret'",
            "CREATE USER bob PASSWORD='secret'",
            "CREATE ROLE r",
            "GRANT ROLE r TO USER bob",
            "CREATE WAREHOUSE w",
        )
        user = opened.session("ANN").user_uid
        opened.results.running |= {
            "slow": (7, user, "W"),
            "slower": (7, user, "W"),
            "elsewhere": (8, user, "W"),
        }
        yield opened


async def say(account: Account, sql: str, user: str, role: str) -> object:
    (row,) = await account.sql(sql, context=account.session(user, role))
    return row["S"]


@pytest.mark.parametrize(("user", "role"), [("ANN", "PUBLIC"), ("ADMIN", "ACCOUNTADMIN")])
async def test_all_queries_of_a_session_are_cancelled(account: Account, user: str, role: str):
    assert await say(account, ALL, user, role) == "2 cancelled."
    assert list(account.results.running) == ["elsewhere"]
    assert await say(account, ALL, user, role) == "0 cancelled."


@pytest.mark.parametrize(
    "grant", ["OWNERSHIP ON USER ann", "OPERATE ON WAREHOUSE w", "OWNERSHIP ON WAREHOUSE w"]
)
async def test_others_need_a_right_on_the_user_or_the_warehouse(account: Account, grant: str):
    assert await say(account, ALL, "BOB", "R") == "0 cancelled."
    assert "not currently executing" in str(await say(account, ONE, "BOB", "R"))
    assert len(account.results.running) == 3
    await account.sql(f"GRANT {grant} TO ROLE r")
    assert await say(account, ONE, "BOB", "R") == "query [slow] terminated."
    assert await say(account, ALL, "BOB", "R") == "1 cancelled."


async def test_the_statement_that_cancels_goes_on(account: Account):
    user = account.session("ADMIN").user_uid
    account.results.running["q"] = (7, user, "")
    assert await say(account, ALL, "ADMIN", "ACCOUNTADMIN") == "2 cancelled."
    assert "q" in account.results.running


async def test_a_service_in_its_callers_name_leaves_their_other_sessions_alone(account: Account):
    own = replace(account.session("ANN", "PUBLIC"), called_service=99)
    assert await account.sql(ALL, context=own) == [{"S": "0 cancelled."}]
    assert await account.sql(ALL, context=replace(own, session_id=7)) == [{"S": "2 cancelled."}]


async def test_a_session_is_a_number_written_either_way(account: Account):
    assert await say(account, ALL.replace("7", "'7'"), "ANN", "PUBLIC") == "2 cancelled."
    with pytest.raises(ValueInvalid, match="argument 1"):
        await say(account, ALL.replace("7", "'s'"), "ANN", "PUBLIC")
