"""A warehouse over routers of service functions, with one function F of schema D.S that echoes."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pyarrow as pa
from grpc.aio import Channel

from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from snowcave.warehouse import main
from snowcave.warehouse.settings import CallSettings, WarehouseSettings

ECHO = pb.FunctionBinding(
    function=1,
    database="D",
    schema="S",
    name="F",
    argument_types=["VARCHAR"],
    returns="VARCHAR",
    spellings=["F"],
)


class Warehouse:
    def __init__(self, channel: Channel) -> None:
        self.stub: Any = stubs.WarehouseServiceStub(channel)

    async def prepare(self) -> None:
        await self.stub.ApplyDdl(pb.ApplyDdlRequest(create_database="D"))
        name = pb.SchemaName(database="D", schema="S")
        await self.stub.ApplyDdl(pb.ApplyDdlRequest(create_schema=name))

    async def rows(self, sql: str, session: int = 1, query_id: str = "") -> list[dict[str, Any]]:
        request = pb.ExecuteRequest(
            session=session,
            query_id=query_id or str(uuid.uuid4()),
            sql=sql,
            context=pb.SessionContext(database="D", schema="S", role="R", user="U"),
            functions=[ECHO],
        )
        with translated("warehouse"):
            reply = await self.stub.Execute(request, timeout=60)
        return pa.ipc.open_stream(reply.arrow_stream).read_all().to_pylist()


@asynccontextmanager
async def a_warehouse(mesh: Mesh, routers: str) -> AsyncGenerator[Warehouse]:
    """It knows routers at these addresses."""
    calls = CallSettings(batch_rows=2048, pause=0.01)
    settings = WarehouseSettings(mesh=mesh, functions_address=routers, calls=calls)
    async with AsyncExitStack() as stack:
        await main.build(settings, Parts(stack, Health()))
        address, tls = mesh.grpc_address(Role.WAREHOUSE), mesh.folder("tls")
        channel = await stack.enter_async_context(
            connect(address, tls, me=Role.API, to=Role.WAREHOUSE)
        )
        warehouse = Warehouse(channel)
        await warehouse.prepare()
        yield warehouse
