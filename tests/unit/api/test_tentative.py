"""Which queries may begin before their session was looked up, and what is remembered of sessions."""

import pytest

from snowcave.api.queries.statement import Seen
from snowcave.api.queries.tentative import Remembered, is_alike, is_plain
from snowcave.v1 import state_pb2 as state


@pytest.mark.parametrize("sql", ["SELECT 1", "  select a, f(b) FROM t WHERE c = 'x'", "SELECT(1)"])
def test_a_query_may_run_twice(sql: str) -> None:
    assert is_plain(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        "SELECTED",
        "SELECT 1; DROP TABLE t",
        "SELECT 1 INTO t",
        "SELECT SYSTEM$CANCEL_QUERY('x')",
        "SELECT s!method()",
        "SELECT seq.nextval",
        "SELECT LAST_QUERY_ID()",
        "SELECT * FROM TABLE(RESULT_SCAN('x'))",
        "SELECT $name",
        "SELECT * FROM @stage",
        "SELECT 1 ->> SELECT * FROM a",
        "SELECT IDENTIFIER('x')",
        "SELECT " + "1, " * 10_000 + "1",
    ],
)
def test_what_may_do_something_or_depends_on_earlier_statements_may_not(sql: str) -> None:
    assert not is_plain(sql)


def test_sessions_are_alike_but_for_their_last_statement_and_their_life() -> None:
    one, other = state.Session(id=1, role="R", last_query_id="a"), state.Session(id=1, role="R")
    other.expires_on.GetCurrentTime()
    assert is_alike(one, other)
    other.parameters["TIMEZONE"] = "UTC"
    assert not is_alike(one, other)


def test_the_newest_of_a_session_is_remembered_whatever_comes_last() -> None:
    remembered = Remembered()
    newer, older = Seen(state.Session(id=1), 7), Seen(state.Session(id=1), 5)
    remembered.put(newer)
    remembered.put(older)
    assert remembered.get(1) is newer
    remembered.forget(1)
    assert remembered.get(1) is None
