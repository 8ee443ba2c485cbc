"""Two replicas of the router: they share the calls, and one that is gone in mid-query loses no row."""

import asyncio
import socket
import uuid
from collections import Counter
from contextlib import AsyncExitStack

import pyarrow as pa
import pytest
from aiohttp import web

from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.grpc import connect, translated
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from snowcave.warehouse import main
from snowcave.warehouse.settings import CallSettings, WarehouseSettings
from tests.kit.service_functions import a_router, a_service, echo, served

ROWS, BATCH = 30_000, 300
ECHO = pb.FunctionBinding(
    function=1,
    database="D",
    schema="S",
    name="F",
    argument_types=["VARCHAR"],
    returns="VARCHAR",
    spellings=["F"],
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Warehouse:
    def __init__(self, channel):
        self._stub = stubs.WarehouseServiceStub(channel)

    async def prepare(self):
        await self._stub.ApplyDdl(pb.ApplyDdlRequest(create_database="D"))
        name = pb.SchemaName(database="D", schema="S")
        await self._stub.ApplyDdl(pb.ApplyDdlRequest(create_schema=name))

    async def rows(self, sql, session=1):
        request = pb.ExecuteRequest(
            session=session,
            query_id=str(uuid.uuid4()),
            sql=sql,
            context=pb.SessionContext(database="D", schema="S", role="R", user="U"),
            functions=[ECHO],
        )
        with translated("warehouse"):
            reply = await self._stub.Execute(request, timeout=60)
        return pa.ipc.open_stream(reply.arrow_stream).read_all().to_pylist()


@pytest.fixture
async def replicated(tmp_path):
    """The warehouse, the service's instance, and how to end each replica."""
    meshes = [Mesh(home=tmp_path, port_base=free_port() - 16) for _ in range(2)]
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
        calls = CallSettings(batch_rows=2048, pause=0.01)
        await main.build(
            WarehouseSettings(mesh=meshes[0], functions_address=addresses, calls=calls),
            Parts(stack, Health()),
        )
        address = meshes[0].grpc_address(Role.WAREHOUSE)
        channel = await enter(connect(address, tmp_path / "tls", me=Role.API, to=Role.WAREHOUSE))
        warehouse = Warehouse(channel)
        await warehouse.prepare()
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
