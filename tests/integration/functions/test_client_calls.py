"""Service functions as programs call them: through api's relay, to a router and a service."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

from snowcave.api.settings import RelaySettings
from snowcave.client.functions import Functions, Progress
from snowcave.functions.settings import FunctionsSettings
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.v1.warehouse_pb2 import FunctionBinding
from tests.kit.called_warehouse import ECHO
from tests.kit.client_calls import client_calls
from tests.kit.ports import free_port_base
from tests.kit.service_functions import Router, Service, a_router, a_service, answer, served

BATCH = 10
NOW = FunctionBinding(function=2, database="D", schema="S", name="NOW", returns="VARCHAR")


@dataclass
class Scene:
    router: Router
    service: Service
    functions: Functions
    # Leaving it ends the router as a kill would.
    routing: AsyncExitStack


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    mesh = Mesh(home=tmp_path, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    settings = FunctionsSettings(mesh)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        service = await enter(a_service())
        router = await enter(a_router(settings))
        await router.catalog.add_service(service)
        await router.catalog.add_function(1, max_batch_rows=BATCH)
        await router.catalog.add_function(2, max_batch_rows=BATCH)
        await router.settled(1, 1)
        await router.settled(2, 1)
        routing = await enter(AsyncExitStack())
        await routing.enter_async_context(served(router, settings, grace=0.0))
        relayed = RelaySettings(window=4, patience=0.2, pause=0.01)
        address = mesh.grpc_address(Role.FUNCTIONS)
        functions = await enter(client_calls(mesh, address, ECHO, NOW, settings=relayed))
        yield Scene(router, service, functions, routing)


def a_table(rows: int) -> pa.Table:
    return pa.table({"t": [str(number) for number in range(rows)]})


async def test_answers_come_in_the_order_of_the_rows_however_these_come(scene: Scene):
    rows = a_table(95).to_batches(max_chunksize=20)
    given = [rows[0], rows[0].slice(0, 0), *rows[1:]]
    progress = Progress()
    stream = scene.functions.stream("f", given, progress)
    found = [value async for part in stream for value in part.to_pylist()]
    assert found == [f"Bob said {number}" for number in range(95)]
    assert (progress.rows, progress.batches, progress.retries) == (95, 10, 0)
    assert len(scene.service.rows) == 95


async def test_a_failure_keeps_its_number(scene: Scene):
    async def refuse(_request: web.Request, _rows: list[list[Any]]) -> web.StreamResponse:
        return web.Response(status=400, text="no such word")

    scene.service.behave = refuse
    with pytest.raises(SnowcaveError, match="400 'no such word'") as failed:
        await scene.functions.call("f", a_table(50))
    assert failed.value.code == 395090


async def test_what_the_arguments_raise_is_raised_and_ends_the_call(scene: Scene):
    async def broken() -> AsyncIterator[pa.RecordBatch]:
        yield a_table(3).to_batches()[0]
        raise KeyError("no more of them")

    with pytest.raises(KeyError, match="no more of them"):
        async for _ in scene.functions.stream("f", broken()):
            pass
    async with asyncio.timeout(60):
        while not scene.router.lanes.is_idle:
            await asyncio.sleep(0.01)


async def test_who_leaves_a_call_leaves_nothing_at_the_service(scene: Scene):
    async def hang(_request: web.Request, _rows: list[list[Any]]) -> web.StreamResponse:
        if len(scene.service.requests) > 4:
            await asyncio.Event().wait()
        return web.json_response({"data": [[row[0], row[1]] for row in _rows]})

    async def endless() -> AsyncIterator[pa.RecordBatch]:
        while True:
            yield a_table(BATCH).to_batches()[0]

    scene.service.behave = hang
    async with asyncio.timeout(60):
        async with aclosing(scene.functions.stream("f", endless())) as parts:
            async for _ in parts:
                break
        while scene.service.busy or not scene.router.lanes.is_idle:
            await asyncio.sleep(0.01)
    assert len(scene.service.requests) < 200  # what a call reads ahead has a bound


async def test_a_call_ends_where_no_router_comes_back(scene: Scene):
    assert len(await scene.functions.call("f", a_table(3))) == 3
    await scene.routing.aclose()
    with pytest.raises(SnowcaveError, match="does not answer"):
        await scene.functions.call("f", a_table(3))


async def test_an_empty_table_has_answers_of_the_function_s_type(scene: Scene):
    found = await scene.functions.call("f", pa.table({"t": pa.array([], pa.string())}))
    assert (len(found), found.type) == (0, pa.string())


async def test_a_function_without_arguments_is_called_for_each_row(scene: Scene):
    async def now(_request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        return answer([[row[0], f"now {row[0]}"] for row in rows])

    scene.service.behave = now
    rows = [value async for value in scene.functions.map("now", [()] * 3)]
    assert rows == ["now 0", "now 1", "now 2"]
    table = pa.table({"t": ["a"] * 12}).select([])
    assert len(await scene.functions.call("now", table)) == 12
    assert [row for row in scene.service.rows if len(row) > 1] == []


async def test_arguments_that_are_none_are_named_however_many_follow(scene: Scene):
    def endless() -> Iterator[pa.RecordBatch]:
        yield a_table(3).to_batches()[0]
        while True:
            yield pa.RecordBatch.from_pydict({"t": ["x" * 100] * 8000, "u": ["y"] * 8000})

    found: list[Any] = []

    async def read() -> None:
        async for part in scene.functions.stream("f", endless()):
            found.extend(part.to_pylist())

    with pytest.raises(SnowcaveError, match="takes 1 argument, but the rows have 2 columns"):
        await read()
    assert found == [f"Bob said {number}" for number in range(3)]
    assert len(await scene.functions.call("f", a_table(3))) == 3
    async with asyncio.timeout(60):
        while not scene.router.lanes.is_idle:
            await asyncio.sleep(0.01)


async def test_a_table_of_long_texts_goes_out_in_messages_that_fit(scene: Scene):
    scene.service.behave = length
    table = pa.table({"t": ["x" * 10_000] * 4000})
    found = await scene.functions.call("f", table)
    assert set(found.to_pylist()) == {"10000"}
    assert len(found) == 4000


async def length(_request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
    return answer([[row[0], str(len(row[1]))] for row in rows])
