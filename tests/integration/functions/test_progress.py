"""How far the service functions of a running statement have come, and what is logged and counted of them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as pb
from tests.kit.called_warehouse import Warehouse, a_warehouse
from tests.kit.ports import free_port_base
from tests.kit.service_functions import Service, a_router, a_service, echo, served

Told = tuple[int, int, int]


@dataclass
class Scene:
    """A service that answers so many requests and holds the others back."""

    warehouse: Warehouse
    service: Service
    answered: int = 0
    busy: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def behave(self, request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        if self.answered:
            self.answered -= 1
        else:
            await self.go_on.wait()
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        return await echo(request, rows)

    async def until(self, told: Callable[[Told], bool]) -> Told:
        """What the running statement says of itself."""
        async with asyncio.timeout(60):
            while not told(found := await self.progress()):
                await asyncio.sleep(0.01)
        return found

    async def progress(self) -> Told:
        request = pb.ProgressRequest(session=1, query_id="long")
        said = await self.warehouse.stub.Progress(request)
        return said.rows, said.batches, said.retries

    async def running(self, sql: str, meanwhile: Awaitable[None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.warehouse.rows(sql, query_id="long"))
            await meanwhile
            self.go_on.set()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    mesh = Mesh(home=tmp_path, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    settings = FunctionsSettings(mesh, http=HttpSettings(backoff_base=0.001, backoff_cap=0.01))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        service = await enter(a_service())
        router = await enter(a_router(settings))
        await router.catalog.add_service(service)
        await router.catalog.add_function(1, max_batch_rows=10)
        await router.settled(1, 1)
        await enter(served(router, settings))
        warehouse = await enter(a_warehouse(mesh, mesh.grpc_address(Role.FUNCTIONS)))
        await warehouse.rows(
            "CREATE TABLE t AS SELECT SEQ4() AS n FROM TABLE(GENERATOR(ROWCOUNT => 100))"
        )
        scene = Scene(warehouse, service)
        service.behave = scene.behave
        yield scene


async def test_batches_count_before_any_answer_can_be_given(scene: Scene):
    scene.answered, scene.busy = 7, 2

    async def meanwhile() -> None:
        assert await scene.until(lambda told: told[0] >= 50) == (50, 5, 2)

    await scene.running("CREATE TABLE r AS SELECT f(n) AS y FROM t", meanwhile())
    assert await scene.progress() == (0, 0, 0)


async def test_nested_calls_count_each(scene: Scene):
    scene.answered = 13

    async def meanwhile() -> None:
        assert await scene.until(lambda told: told[0] >= 130) == (130, 13, 0)

    await scene.running("CREATE TABLE r AS SELECT f(f(n)) AS y FROM t", meanwhile())


async def test_calls_that_are_no_item_of_the_select_list_count(scene: Scene):
    scene.answered = 4

    async def meanwhile() -> None:
        assert await scene.until(lambda told: told[0] >= 40) == (40, 4, 0)

    await scene.running(
        "CREATE TABLE r AS SELECT n FROM t WHERE f(n) <> '' AND n >= 0", meanwhile()
    )
