"""Queries that begin on what a replica remembers of their session, and end only where that still holds."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from snowcave.model import keys
from snowcave.v1 import state_pb2 as state
from tests.kit.fronts import RunningFront, another_replica, running_front
from tests.kit.protocol import Client, client


@asynccontextmanager
async def two_replicas(home: Path) -> AsyncGenerator[tuple[RunningFront, Client, Client]]:
    """Of one session, each by a replica of its own that has seen a statement of it."""
    async with running_front(home) as front, another_replica(front) as second:
        url = f"http://127.0.0.1:{second.port('api')}"
        async with client(front.url, front.password) as one, client(url) as other:
            other.token = one.token
            await one.query("select 1")
            await other.query("select 2")
            yield front, one, other


def executed(front: RunningFront) -> list[tuple[str, str, bool]]:
    """Of the statements since both replicas know the session: text, database, whether it was tentative."""
    return [(one.sql, one.context.database, one.tentative) for one in front.warehouse.executed[2:]]


async def test_a_query_does_not_wait_for_a_look_at_its_session(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        assert (await one.query("select 3"))["data"]["rowset"] == [["3"]]
        assert (await other.query("select 4"))["data"]["rowset"] == [["4"]]
    # The other replica's query changed nothing that this one's depends on: each ran once.
    assert executed(front) == [("select 3", "", True), ("select 4", "", True)]


async def test_a_query_sees_what_another_replica_changed_of_its_session(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        await other.query("use database x")
        answer = await one.query("select 3")
    assert answer["data"]["rowset"] == [["3"]]
    assert answer["data"]["finalDatabaseName"] == "X"
    assert executed(front) == [("select 3", "", True), ("select 3", "X", False)]


async def test_a_query_of_a_session_closed_at_another_replica_fails(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        await other.post("/session?delete=true")
        refused = await one.query("select 3")
        again = await one.query("select 3")
        recorded = await front.store.list(keys.QUERIES.prefix)
    assert not refused["success"]
    assert refused["code"] == again["code"]
    assert len(recorded.items) == 2


async def test_a_failure_counts_only_where_the_session_was_as_remembered(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        await other.query("use database x")
        refused = await one.query("select things from nowhere")
    assert not refused["success"]
    assert [(database, is_one) for _, database, is_one in executed(front)] == [
        ("", True),
        ("X", False),
    ]


async def test_a_query_repeated_at_a_replica_that_knows_the_session_runs_once(
    tmp_path: Path,
) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        same = str(uuid.uuid4())
        first = await one.query("select 3", request_id=same)
        again = await other.query("select 3", request_id=same)
    assert again["data"]["queryId"] == first["data"]["queryId"]
    assert again["data"]["rowset"] == first["data"]["rowset"]
    assert executed(front) == [("select 3", "", True)]


async def test_a_query_whose_replica_died_before_its_end_runs_again(tmp_path: Path) -> None:
    """The rows are kept under its id, but nobody knows whether they were of the right session."""
    async with two_replicas(tmp_path) as (front, one, other):
        same = str(uuid.uuid4())
        await one.query("select 3", request_id=same)
        listing = await front.store.list(keys.QUERIES.prefix)
        for item in listing.items:
            if state.Query.FromString(item.value).request_id == same:
                await front.store.delete(item.key)
        again = await other.query("select 3", request_id=same)
    assert again["data"]["rowset"] == [["3"]]
    assert executed(front) == [("select 3", "", True), ("select 3", "", False)]


async def test_a_query_whose_end_cannot_be_written_is_taken_for_nothing(tmp_path: Path) -> None:
    async with two_replicas(tmp_path) as (front, one, other):
        await other.query("select 3")
        front.backend.available = False
        answer = await one.query("select 4")
        front.backend.available = True
        # What was remembered is not relied on any more.
        await one.query("select 5")
    assert answer["data"]["rowset"] == [["4"]]
    assert executed(front)[1:] == [
        ("select 4", "", True),
        ("select 4", "", False),
        ("select 5", "", False),
    ]
