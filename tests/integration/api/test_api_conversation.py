"""Many statements over one stream to the warehouse: each its own answer, its own end, its own failure."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.api.queries.encoding import read_stream
from snowcave.api.settings import CallSettings
from snowcave.api.warehouse import Warehouse, open_warehouse
from snowcave.model.errors import DeadlinePassed, Exhausted, RemoteError, Unavailable
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as v1
from tests.kit.fake_warehouse import FakeWarehouse
from tests.kit.ports import free_port_base

CONTEXT = SessionContext(1, 2, "U")


def statement(sql: str) -> ToWarehouse:
    return ToWarehouse(sql, CONTEXT)


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not look():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def talking(home: Path) -> AsyncGenerator[tuple[Warehouse, FakeWarehouse, Mesh]]:
    tls.ensure(home / "tls")
    mesh = Mesh(home=home, port_base=free_port_base())
    async with open_warehouse(mesh, CallSettings()) as warehouse:
        yield warehouse, FakeWarehouse(), mesh


def value(reply: v1.ExecuteReply) -> int:
    return read_stream(reply.arrow_stream).column(0).to_pylist()[0]


async def test_each_of_many_questions_gets_its_own_answer(tmp_path: Path) -> None:
    async with talking(tmp_path) as (warehouse, fake, mesh), fake.serve(mesh):
        replies = await asyncio.gather(
            *(warehouse.execute(statement(f"select {n}"), f"q{n}") for n in range(200)),
            warehouse.execute(statement("nothing t"), "bad"),
            return_exceptions=True,
        )
    *good, bad = replies
    assert [value(one) for one in good if isinstance(one, v1.ExecuteReply)] == list(range(200))
    assert isinstance(bad, RemoteError)
    assert bad.code == 2003


async def test_a_short_statement_does_not_wait_for_a_long_one(tmp_path: Path) -> None:
    async with talking(tmp_path) as (warehouse, fake, mesh), fake.serve(mesh):
        long = asyncio.create_task(warehouse.execute(statement("sleep 60"), "long"))
        await until(lambda: "long" in fake.running)
        assert value(await warehouse.execute(statement("select 7"), "short")) == 7
        long.cancel()
        # Whoever asked is gone, so the statement ends.
        await until(lambda: not fake.running)


async def test_an_answer_that_does_not_come_in_time_is_not_waited_for(tmp_path: Path) -> None:
    async with talking(tmp_path) as (warehouse, fake, mesh), fake.serve(mesh):
        question = v1.ExecuteRequest(query_id="slow", sql="sleep 60")
        with pytest.raises(DeadlinePassed):
            await warehouse.talk.execute(question, 0.3)
        await until(lambda: not fake.running)


async def test_a_warehouse_that_is_away_is_said_to_be_and_found_again(tmp_path: Path) -> None:
    async with talking(tmp_path) as (warehouse, fake, mesh):
        with pytest.raises(Unavailable):
            await warehouse.execute(statement("select 1"), "early")
        async with fake.serve(mesh):
            await until_it_answers(warehouse)
            broken = asyncio.create_task(warehouse.execute(statement("sleep 60"), "long"))
            await until(lambda: "long" in fake.running)
        with pytest.raises(Unavailable):
            await broken
        async with fake.serve(mesh):
            await until_it_answers(warehouse)


async def test_a_question_that_is_too_large_ends_nobody_elses(tmp_path: Path) -> None:
    async with talking(tmp_path) as (warehouse, fake, mesh), fake.serve(mesh):
        other = asyncio.create_task(warehouse.execute(statement("sleep 0.5"), "other"))
        await until(lambda: "other" in fake.running)
        with pytest.raises(Exhausted):
            await warehouse.execute(statement("select '" + "x" * (40 << 20)), "large")
        assert value(await other) == 1


async def test_who_still_asks_when_the_warehouse_is_left_is_told_so(tmp_path: Path) -> None:
    tls.ensure(tmp_path / "tls")
    mesh, fake = Mesh(home=tmp_path, port_base=free_port_base()), FakeWarehouse()
    async with fake.serve(mesh):
        async with open_warehouse(mesh, CallSettings()) as warehouse:
            asked = asyncio.create_task(warehouse.execute(statement("sleep 60"), "long"))
            await until(lambda: "long" in fake.running)
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable):
                await asked
            with pytest.raises(Unavailable):
                await warehouse.execute(statement("select 1"), "late")


async def until_it_answers(warehouse: Warehouse) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await warehouse.execute(statement("select 1"), "again")
            except Unavailable:
                await asyncio.sleep(0.05)
            else:
                return
