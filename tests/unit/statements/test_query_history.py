"""`TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())` and its kin: whose statements they tell of, and what."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.model.errors import SyntaxInvalid, ValueInvalid
from snowcave.v1 import state_pb2 as state
from tests.kit.sql_engine import Sql, sql_session
from tests.kit.statements import Account, open_account

NOW = datetime.now(UTC).replace(microsecond=0)
pytestmark = pytest.mark.asyncio(loop_scope="module")
ALL = "TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())"
TRICKY = "select 'it''s', ?, \"a\\b\", IDENTIFIER('x'), SYSTEM$CANCEL_QUERY('q') -- é\n$$ f(1)"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sql]:
    with sql_session(tmp_path_factory.mktemp("history")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Account]:
    async with open_account(tmp_path_factory.mktemp("account")) as opened:
        await opened.sql(
            "CREATE USER ann PASSWORD='secret'",
            "CREATE USER bob PASSWORD='secret'",
            "CREATE ROLE r",
            "GRANT ROLE r TO USER bob",
            "CREATE DATABASE d",
        )
        opened.results.kept += [
            record(opened, "one", "ANN", 3, rows=5),
            record(opened, "two", "ANN", 2, session=8, text=TRICKY),
            record(opened, "bad", "ANN", 1, error=(2003, "does not exist")),
            record(opened, "now", "ANN", 0, running=True),
            record(opened, "his", "BOB", 4),
        ]
        yield opened


def record(
    account: Account,
    query: str,
    user: str,
    hours: int,
    *,
    session: int = 1,
    text: str = "SELECT 1",
    rows: int = 0,
    error: tuple[int, str] | None = None,
    running: bool = False,
) -> state.Query:
    made = state.Query(
        id=query,
        session=session,
        user=account.session(user).user_uid,
        user_name=user,
        sql_text=text,
        state=state.Query.RUNNING if running else state.Query.SUCCESS,
        has_result=bool(rows),
        rows=rows,
    )
    begun = NOW - timedelta(hours=hours)
    made.started_on.FromDatetime(begun)
    if not running:
        made.ended_on.FromDatetime(begun + timedelta(seconds=1.5))
    if error is not None:
        made.state = state.Query.FAILED_WITH_ERROR
        made.error_code, made.error_message = error
    return made


async def rows(
    account: Account, warehouse: Sql, sql: str, context: SessionContext | None = None
) -> list[tuple[object, ...]]:
    outcome = await account.outcome(sql, context or account.session("ANN", "PUBLIC"))
    assert isinstance(outcome, ToWarehouse)
    return warehouse.rows(outcome.sql)


async def ids(
    account: Account, warehouse: Sql, table: str, context: SessionContext | None = None
) -> list[object]:
    sql = f"SELECT query_id FROM {table}"
    return [one for (one,) in await rows(account, warehouse, sql, context)]


async def test_what_is_known_of_a_statement_is_told(account: Account, warehouse: Sql):
    sql = f"SELECT * FROM {ALL} AS h WHERE h.query_id IN ('one', 'bad', 'now') ORDER BY 1"
    bad, now, one = await rows(account, warehouse, sql)
    user = ("SELECT 1", "SELECT", 1, "ANN")
    assert bad[:8] == ("bad", *user, "FAILED_WITH_ERROR", "002003", "does not exist")
    assert now[:8] == ("now", *user, "RUNNING", None, None)
    assert now[9:] == (None, None, None)
    assert one[:8] == ("one", *user, "SUCCESS", None, None)
    began = NOW - timedelta(hours=3)
    assert one[8:] == (began, began + timedelta(seconds=1.5), 1500, 5)


async def test_texts_come_as_they_were(account: Account, warehouse: Sql):
    sql = f"SELECT query_text FROM {ALL} WHERE query_id = 'two'"
    assert await rows(account, warehouse, sql) == [(TRICKY,)]


async def test_each_sees_their_own_and_those_of_whom_their_roles_own(
    account: Account, warehouse: Sql
):
    assert await ids(account, warehouse, ALL) == ["now", "bad", "two", "one"]
    bob, admin = account.session("BOB", "R"), account.session("ADMIN", "ACCOUNTADMIN")
    assert await ids(account, warehouse, ALL, bob) == ["his"]
    assert len(await ids(account, warehouse, ALL, admin)) == 5
    await account.sql("GRANT OWNERSHIP ON USER ann TO ROLE r")
    assert len(await ids(account, warehouse, ALL, bob)) == 5


async def test_a_service_in_its_callers_name_sees_its_own_session_alone(
    account: Account, warehouse: Sql
):
    own = replace(account.session("ANN", "PUBLIC"), called_service=99)
    assert await ids(account, warehouse, ALL, own) == ["now", "bad", "one"]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("QUERY_HISTORY(RESULT_LIMIT => 2)", ["now", "bad"]),
        ("QUERY_HISTORY_BY_SESSION()", ["now", "bad", "one"]),
        ("QUERY_HISTORY_BY_SESSION(CURRENT_SESSION()::INT)", ["now", "bad", "one"]),
        ("QUERY_HISTORY_BY_SESSION(SESSION_ID => 8)", ["two"]),
        ("QUERY_HISTORY_BY_USER(USER_NAME => 'ann', RESULT_LIMIT => 1)", ["now"]),
        ("QUERY_HISTORY_BY_USER('bob')", []),
        (
            "QUERY_HISTORY(DATEADD('minute', -90, CURRENT_TIMESTAMP()), CURRENT_TIMESTAMP())",
            ["bad"],
        ),
        (
            "QUERY_HISTORY(END_TIME_RANGE_START => DATEADD('minute', -90, CURRENT_TIMESTAMP()))",
            ["now", "bad"],
        ),
    ],
)
async def test_arguments_narrow_what_is_told(
    account: Account, warehouse: Sql, table: str, found: list[str]
):
    place = f"TABLE(d.information_schema.{table}) AS q"
    assert await ids(account, warehouse, place) == found


async def test_wrong_arguments_are_refused(account: Account):
    for argument in ("RESULT_LIMIT => 0", "RESULT_LIMIT => 10001", "RESULT_LIMIT => x"):
        with pytest.raises(ValueInvalid, match="RESULT_LIMIT"):
            await account.outcome(f"SELECT 1 FROM {ALL[:-2]}{argument}))")
    with pytest.raises(SyntaxInvalid):
        await account.outcome(f"SELECT 1 FROM {ALL[:-2]}RESULT_LIMIT => 1")


async def test_a_statement_that_only_mentions_it_stays_as_it_is(account: Account):
    sql = "SELECT 'QUERY_HISTORY' AS query_history FROM TABLE(FLATTEN(PARSE_JSON('[1]')))"
    outcome = await account.outcome(sql)
    assert isinstance(outcome, ToWarehouse)
    assert outcome.sql == sql
