"""Explicit transactions: what failed is undone, what succeeded before stays."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.sql_engine import HERE, Sql, sql_engine

pytestmark = pytest.mark.documented
FAILURES = [
    "SELECT * FROM nowhere",
    "SELECT 'x'::INT",
    "INSERT INTO t VALUES (1, 'again')",
    "SELECT 1/0",
    "SELEC 1",
]


@pytest.fixture
def both(tmp_path: Path) -> Generator[tuple[Sql, Sql]]:
    """Two sessions of one engine."""
    with sql_engine(tmp_path) as engine:
        one, two = Sql(engine.open_session(1)), Sql(engine.open_session(2))
        one.rows("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR)")
        yield one, two
        one.session.close()
        two.session.close()


@pytest.mark.parametrize("failing", FAILURES)
def test_a_failed_statement_undoes_itself_only(both: tuple[Sql, Sql], failing: str) -> None:
    sql, other = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t VALUES (1, 'one')")
    sql.rows("UPDATE t SET name = 'uno'")
    sql.error(failing)
    assert sql.rows("SELECT * FROM t") == [(1, "uno")]
    sql.rows("INSERT INTO t VALUES (2, 'two')")
    assert other.rows("SELECT * FROM t") == []
    sql.rows("COMMIT")
    assert other.rows("SELECT * FROM t ORDER BY id") == [(1, "uno"), (2, "two")]


def test_a_failure_just_before_the_commit_loses_nothing(both: tuple[Sql, Sql]) -> None:
    sql, other = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t VALUES (1, 'one')")
    sql.error("SELECT * FROM nowhere")
    sql.rows("COMMIT")
    assert other.rows("SELECT * FROM t") == [(1, "one")]


def test_what_cannot_be_repeated_is_lost_aloud(both: tuple[Sql, Sql]) -> None:
    sql, other = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t SELECT 1, UUID_STRING()")
    sql.error("SELECT * FROM nowhere")
    assert sql.error("SELECT 1").code == 90236
    assert sql.error("COMMIT").code == 90236
    assert sql.rows("SELECT 1") == [(1,)]
    assert other.rows("SELECT * FROM t") == []


def test_a_lost_transaction_ends_with_rollback(both: tuple[Sql, Sql]) -> None:
    sql, _ = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t SELECT 1, RANDSTR(5, RANDOM())")
    sql.error("SELECT * FROM nowhere")
    sql.rows("ROLLBACK")
    assert not sql.session.in_transaction
    assert sql.rows("SELECT * FROM t") == []


def test_a_definition_commits_what_was_open(both: tuple[Sql, Sql]) -> None:
    sql, other = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t VALUES (1, 'one')")
    sql.rows("CREATE TABLE u (id INT)")
    sql.rows("ROLLBACK")
    assert other.rows("SELECT id FROM t") == [(1,)]
    assert other.rows("SELECT * FROM u") == []


def test_a_second_begin_changes_nothing(both: tuple[Sql, Sql]) -> None:
    sql, _ = both
    sql.rows("BEGIN")
    sql.rows("INSERT INTO t VALUES (1, 'one')")
    sql.rows("BEGIN TRANSACTION")
    sql.rows("ROLLBACK")
    assert sql.rows("SELECT * FROM t") == []


def test_without_autocommit_a_change_opens_a_transaction(both: tuple[Sql, Sql]) -> None:
    sql, other = both
    careful = Sql(sql.session, replace(HERE, parameters={"AUTOCOMMIT": "false"}))
    careful.rows("INSERT INTO t VALUES (1, 'one')")
    assert other.rows("SELECT * FROM t") == []
    careful.rows("COMMIT")
    assert other.rows("SELECT id FROM t") == [(1,)]


def test_commit_and_rollback_without_a_transaction_do_nothing(both: tuple[Sql, Sql]) -> None:
    sql, _ = both
    sql.rows("COMMIT")
    sql.rows("ROLLBACK")
