"""Statements as tasks: interrupted at any moment, they end once and tell everybody."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from snowcave.api.contract import Done, Outcome, QueryHandle, SessionContext, status
from snowcave.api.queries.answer import Answer, Failure, InProgress
from snowcave.api.queries.life import Queries, open_queries
from snowcave.api.queries.records import Records, State
from snowcave.api.queries.results import StatementResults
from snowcave.api.queries.statement import Seen, Statement
from snowcave.api.settings import QuerySettings
from snowcave.api.sql import tree
from snowcave.api.warehouse import Warehouse
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import QueryCancelled, Unavailable
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore

SETTINGS = QuerySettings(hold=10.0, record_after=1.0, look=1.0, drain=3.0)

pytestmark = pytest.mark.looptime


class AbsentWarehouse:
    def __init__(self) -> None:
        self.cancelled: list[str] = []

    async def keep(self, *_: object) -> None:
        raise Unavailable("away")

    async def cancel(self, _session: int, query_id: str) -> bool:
        self.cancelled.append(query_id)
        return False


class Sleeper:
    """`run` sleeps for the seconds that the statement says, then sets the database."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, sql: str, context: SessionContext, query: QueryHandle) -> Outcome:
        self.runs += 1
        if sql.startswith("aside "):
            async with query.aside():
                await asyncio.sleep(float(sql.removeprefix("aside ")))
        else:
            await asyncio.sleep(float(sql))
        context.database = "CHANGED"
        return Done(status("slept"), context)

    async def perform(
        self, statement: tree.Statement, context: SessionContext, query: QueryHandle
    ) -> Done:
        raise AssertionError("not asked for")


class Bench:
    def __init__(
        self, queries: Queries, records: Records, store: MemoryStore, sleeper: Sleeper
    ) -> None:
        self.queries = queries
        self.results = StatementResults(records)
        self.store = store
        self.sleeper = sleeper

    async def record(self, query: str) -> state.Query | None:
        kept = await self.store.get(keys.QUERIES.key(query))
        return state.Query.FromString(kept.value) if kept else None

    async def session(self) -> state.Session:
        kept = await self.store.get(keys.SESSIONS.key(1))
        assert kept is not None
        return state.Session.FromString(kept.value)


@asynccontextmanager
async def bench(settings: QuerySettings = SETTINGS) -> AsyncGenerator[Bench]:
    store, sleeper = MemoryStore(Role.API), Sleeper()
    session = state.Session(id=1, user=2, warehouse="W")
    await store.put(keys.SESSIONS.key(1), session.SerializeToString())
    records = Records(store, LoopClock(), "me", lambda: 0)
    warehouse = cast(Warehouse, AbsentWarehouse())
    async with open_queries(sleeper, warehouse, records, settings, random.Random(1)) as queries:
        yield Bench(queries, records, store, sleeper)


def sleeping(seconds: float, *, query: str = "q", timeout: float = 1000.0) -> Statement:
    return Statement(query, str(seconds), SessionContext(1, 2, "U"), timeout)


def aside(seconds: float, *, query: str) -> Statement:
    return Statement(query, f"aside {seconds}", SessionContext(1, 2, "U"), 1000.0)


async def test_an_answer_is_written_down_before_it_is_told() -> None:
    async with bench() as b:
        running = await b.queries.submit(sleeping(0.1))
        outcome = await b.queries.wait(running)
        record, session = await b.record("q"), await b.session()
    assert isinstance(outcome, Answer)
    assert record is not None
    assert record.state == State.SUCCESS
    assert (session.database, session.last_query_id) == ("CHANGED", "q")


async def test_nobody_waits_longer_than_the_hold_and_the_statement_goes_on() -> None:
    async with bench() as b:
        running = await b.queries.submit(sleeping(15))
        assert await b.queries.wait(running) == InProgress("q")
        assert isinstance(await b.queries.wait(running), Answer)
    assert b.sleeper.runs == 1


async def test_a_long_statement_is_known_to_other_replicas_while_it_runs() -> None:
    async with bench() as b:
        await b.queries.submit(sleeping(5))
        assert await b.record("q") is None
        await asyncio.sleep(2)
        record = await b.record("q")
        assert record is not None
        assert record.state == State.RUNNING


@pytest.mark.parametrize("after", [None, 0.0, 0.05, 2.0])
async def test_a_cancelled_statement_ends_whenever_that_comes(after: float | None) -> None:
    async with bench() as b:
        running = await b.queries.submit(sleeping(60))
        if after is not None:
            await asyncio.sleep(after)
        assert await b.queries.cancel("q")
        outcome = await b.queries.wait(running)
        record, session = await b.record("q"), await b.session()
    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, QueryCancelled)
    assert record is not None
    assert record.state == State.ABORTED
    assert session.database == ""


async def test_stopping_waits_for_the_quick_and_ends_the_slow() -> None:
    async with bench() as b:
        quick = await b.queries.submit(sleeping(1, query="quick"))
        slow = await b.queries.submit(sleeping(60, query="slow"))
    assert isinstance(quick.outcome, Answer)
    assert isinstance(slow.outcome, Failure)
    assert isinstance(slow.outcome.error, Unavailable)


async def test_a_change_that_could_not_be_written_is_not_called_a_success() -> None:
    async with bench() as b:
        running = await b.queries.submit(sleeping(0.5))
        b.store.reachable = False
        outcome = await b.queries.wait(running)
        b.store.reachable = True
    assert isinstance(outcome, Failure)


async def test_statements_of_a_closed_session_end() -> None:
    async with bench() as b:
        running = await b.queries.submit(sleeping(60))
        b.queries.cancel_session(2)
        b.queries.cancel_session(1)
        assert isinstance(await b.queries.wait(running), Failure)


async def test_a_statement_that_only_waits_keeps_no_other_from_running() -> None:
    async with bench(replace(SETTINGS, running=1)) as one:
        waiting = await one.queries.submit(aside(100, query="w"))
        quick = await one.queries.submit(sleeping(1, query="q"))
        assert isinstance(await one.queries.wait(quick), Answer)
        assert waiting.outcome is None
        # Its place is its own again when the waiting is over, or was cut short.
        await asyncio.sleep(200)
        assert isinstance(waiting.outcome, Answer)
        cut = await one.queries.submit(aside(100, query="c"))
        await asyncio.sleep(1)
        await one.queries.cancel("c")
        assert isinstance(await one.queries.wait(cut), Failure)
        last = await one.queries.submit(sleeping(1, query="l"))
        assert isinstance(await one.queries.wait(last), Answer)


async def test_another_session_cancels_what_runs_in_one_and_only_that() -> None:
    asked: list[tuple[int, str]] = []

    def may(user: int, warehouse: str) -> bool:
        asked.append((user, warehouse))
        return len(asked) > 2

    async with bench() as b:
        running = [await b.queries.submit(sleeping(20, query=one)) for one in ("a", "b", "mine")]
        other = await b.queries.submit(
            Statement("other", "3", SessionContext(9, 2, "U"), timeout=1000.0)
        )
        ended = await b.queries.submit(sleeping(0.1, query="ended"))
        await asyncio.sleep(2)
        assert await b.results.cancel_session(1, "mine", may) == 0
        assert await b.results.cancel_session(1, "mine", may) == 2
        assert set(asked) == {(2, "W")}
        outcomes = [await b.queries.wait(one) for one in (*running[:2], other, ended)]
        assert running[2].outcome is None
        running[2].interrupt(QueryCancelled())
    cancelled = [isinstance(one, Failure) and one.error.code == 604 for one in outcomes]
    assert cancelled == [True, True, False, False]


async def test_a_tentative_query_that_must_run_again_may_still_be_cancelled() -> None:
    """Even when that is wanted while its end is being written, and it runs once more after that."""
    async with bench() as b:
        asked, goes_on = asyncio.Event(), asyncio.Event()

        async def confirm() -> Statement:
            asked.set()
            await goes_on.wait()
            return sleeping(1)

        unlike = Seen(state.Session(id=1, user=2, role="R"), mod_revision=1)
        running = await b.queries.submit(replace(sleeping(1), confirm=confirm, seen=unlike))
        await asked.wait()
        assert await b.queries.cancel("q")
        goes_on.set()
        outcome = await b.queries.wait(running)
    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, QueryCancelled)
    assert b.sleeper.runs == 1


async def test_a_tentative_query_ends_though_its_own_record_is_there_already() -> None:
    async with bench() as b:
        await b.queries.submit(sleeping(0.1, query="first"))
        await b.queries.wait(await b.queries.submit(sleeping(0.1, query="first")))
        seen = b.queries.remembered(1)

        async def confirm() -> Statement:
            raise AssertionError("nothing changed")

        # It lasts so long that other replicas are told of it.
        long = replace(sleeping(5, query="long"), confirm=confirm, seen=seen)
        outcome = await b.queries.wait(await b.queries.submit(long))
        record = await b.record("long")
    assert isinstance(outcome, Answer)
    assert record is not None
    assert record.state == State.SUCCESS
    assert b.sleeper.runs == 2
