"""Two replicas of the router: they share the calls, and one that is gone in mid-query loses no row."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from tests.kit.called_warehouse import a_warehouse
from tests.kit.ports import free_port_base
from tests.kit.service_functions import a_router, a_service, echo, served

ROWS, BATCH = 30_000, 300


@pytest.fixture
async def replicated(tmp_path):
    """The warehouse, the service's instance, and how to end each replica."""
    base = free_port_base()
    meshes = [Mesh(home=tmp_path, port_base=port) for port in (base, base + 1)]
    tls.ensure(meshes[0].folder("tls"))
    quick = HttpSettings(backoff_base=0.001, backoff_cap=0.01)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        service = await enter(a_service(echo))
        ends = []
        for mesh in meshes:
            settings = FunctionsSettings(mesh=mesh, http=quick)
            router = await enter(a_router(settings))
            await router.catalog.add_service(service)
            await router.catalog.add_function(1, max_batch_rows=BATCH)
            await router.settled(1, 1)
            own = await enter(AsyncExitStack())
            await own.enter_async_context(served(router, settings, grace=0.0))
            ends.append(own.aclose)
        addresses = ",".join(mesh.grpc_address(Role.FUNCTIONS) for mesh in meshes)
        warehouse = await enter(a_warehouse(meshes[0], addresses))
        yield warehouse, service, ends


async def test_a_query_goes_on_when_the_replica_that_it_was_at_is_killed(replicated):
    warehouse, service, ends = replicated
    enough, go_on = asyncio.Event(), asyncio.Event()

    async def hold_back(request: web.Request, rows):
        if len(service.requests) >= 40:
            enough.set()
            await go_on.wait()
        return await echo(request, rows)

    service.behave = hold_back
    source = f"SELECT SEQ4() AS n FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
    await warehouse.rows(f"CREATE TABLE t AS {source}")
    async with asyncio.timeout(60):
        running = asyncio.create_task(
            warehouse.rows("CREATE TABLE r AS SELECT n, f(n) AS y FROM t")
        )
        await enough.wait()
        await ends[0]()  # the first call goes to the first
        go_on.set()
        await running
    right = await warehouse.rows(
        "SELECT COUNT(*) AS a, COUNT(DISTINCT n) AS b FROM r WHERE y = 'Bob said ' || n"
    )
    assert right == [{"A": ROWS, "B": ROWS}]
    sent: dict[str, set[str]] = {}
    times: Counter[str] = Counter()
    for _, headers, rows in service.requests:
        batch = headers["sf-external-function-query-batch-id"]
        sent.setdefault(batch, set()).add(str(rows))
        times[batch] += 1
    # What was sent again was the same, under the same id.
    assert max(times.values()) == 2
    assert all(len(bodies) == 1 for bodies in sent.values())


async def test_both_replicas_are_asked(replicated):
    warehouse, service, ends = replicated
    for _ in range(4):
        assert await warehouse.rows("SELECT f('a') AS y") == [{"Y": "Bob said a"}]
    await ends[1]()  # the other one answers alone
    for _ in range(2):
        assert await warehouse.rows("SELECT f('b') AS y") == [{"Y": "Bob said b"}]
    assert len(service.requests) == 6
