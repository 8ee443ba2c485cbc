"""Queries that are sent again: translated once, and never when it would mean something else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.catalog import owners
from snowcave.warehouse.engine.duck import DuckEngine
from snowcave.warehouse.engine.plans import Definitions, Plan, Plans
from tests.kit.sql_engine import HERE, Sql, sql_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckEngine]:
    with sql_engine(tmp_path) as opened:
        yield opened


@pytest.fixture
def one(engine: DuckEngine) -> Iterator[Sql]:
    session = engine.open_session(1)
    yield Sql(session)
    session.close()


@pytest.fixture
def other(engine: DuckEngine) -> Iterator[Sql]:
    session = engine.open_session(2)
    yield Sql(session)
    session.close()


def remembers(sql: Sql, text: str) -> bool:
    return sql.session.remembers(text, sql.context) is not None


def test_a_query_is_remembered_and_sees_new_rows(one: Sql) -> None:
    one.rows("CREATE TABLE t (a INT)")
    assert one.rows("SELECT a FROM t") == []
    assert remembers(one, "SELECT a FROM t")
    one.rows("INSERT INTO t VALUES (1)")
    assert one.rows("SELECT a FROM t") == [(1,)]


def test_a_definition_in_another_session_ends_all_plans(one: Sql, other: Sql) -> None:
    one.rows("CREATE TABLE t (a VARIANT)")
    one.rows("INSERT INTO t SELECT PARSE_JSON('{\"x\": 1}')")
    text = "SELECT a FROM t WHERE a = 'x'"
    assert one.rows(text) == []
    other.rows("CREATE OR REPLACE TABLE t (a VARCHAR)")
    assert not remembers(one, text)
    other.rows("INSERT INTO t VALUES ('x')")
    assert one.rows(text) == [("x",)]


def test_a_plan_holds_for_one_context(one: Sql) -> None:
    text = "SELECT CURRENT_ROLE()"
    assert one.value(text) == "R"
    one.context = replace(HERE, role="ANOTHER")
    assert not remembers(one, text)
    assert one.value(text) == "ANOTHER"
    one.context = replace(one.context, last_query_id="only this differs")
    assert remembers(one, text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT LAST_QUERY_ID()",
        "SELECT $v",
        "INSERT INTO t VALUES (1)",
        "SHOW VARIABLES",
        "SELECT '" + "x" * 20_000 + "'",
    ],
)
def test_what_differs_from_time_to_time_is_not_remembered(one: Sql, text: str) -> None:
    one.rows("CREATE TABLE t (a INT)")
    one.rows("SET v = 1")
    one.rows(text)
    assert not remembers(one, text)


def test_within_a_transaction_nothing_is_repeated(one: Sql) -> None:
    assert one.value("SELECT 1") == 1
    one.rows("BEGIN")
    assert not remembers(one, "SELECT 1")
    one.rows("COMMIT")
    assert remembers(one, "SELECT 1")


def test_what_fails_when_repeated_is_said_in_our_words(one: Sql) -> None:
    one.rows("CREATE TABLE t (a INT)")
    one.rows("INSERT INTO t VALUES (2)")
    text = "SELECT 10 / a FROM t"
    assert len(one.rows(text)) == 1
    one.rows("INSERT INTO t VALUES (0)")
    assert one.session.repeat(text, one.context) is None
    assert one.error(text).code == 100051


def test_only_so_many_are_remembered() -> None:
    plans = Plans(Definitions(), 2)
    for text in ("a", "b", "a", "c"):
        if plans.find(text, HERE) is None:
            plans.keep(text, HERE, 1, Plan(text))
    assert [text for text in "abc" if plans.find(text, HERE)] == ["a", "c"]


def test_what_was_translated_while_something_was_defined_is_not_used() -> None:
    definitions = Definitions()
    plans = Plans(definitions, 2)
    before = definitions.number
    definitions.changed()
    plans.keep("a", HERE, before, Plan("a"))
    assert plans.find("a", HERE) is None


def test_what_is_defined_after_a_statement_was_read_is_looked_at_again(
    one: Sql, other: Sql
) -> None:
    restricted = replace(
        HERE, role_uid=2, roles=frozenset({2}), schemas={("DB", "S"): frozenset({"USAGE"})}
    )
    text = "SELECT a FROM t"
    # Nothing of that name is there, so nothing is to be refused.
    read = one.session.parse(text, restricted)
    other.rows("CREATE TABLE t AS SELECT 1 AS a")
    with pytest.raises(SnowcaveError) as refused:
        one.session.execute(read, restricted, lasting=True)
    assert (refused.value.code, refused.value.sqlstate) == (2003, "42S02")
    assert one.session.remembers(text, restricted) is None


def test_a_plan_does_not_outlive_a_definition_made_while_it_was_read(one: Sql, other: Sql) -> None:
    other.rows("CREATE TABLE t AS SELECT 1 AS a")
    read = one.session.parse("SELECT a FROM t", one.context)
    other.rows("CREATE OR REPLACE TABLE t AS SELECT 'x' AS a")
    one.session.execute(read, one.context, lasting=True)
    assert not remembers(one, "SELECT a FROM t")


def test_a_change_of_owners_that_breaks_off_ends_all_plans(
    engine: DuckEngine, one: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert one.value("SELECT 1") == 1

    def broken(*_: object) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr(owners, "change", broken)
    with pytest.raises(RuntimeError):
        engine.change_owner(pb.ChangeOwnerRequest(uids=[1], owner=2))
    assert not remembers(one, "SELECT 1")
