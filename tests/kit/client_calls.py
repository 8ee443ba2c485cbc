"""api's FunctionService as clients reach it, with the checks of its statements left out."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast

from snowcave.api.contract import SessionContext, ToWarehouse
from snowcave.api.grpc.functions import FUNCTION_SERVICE, FunctionProxy
from snowcave.api.settings import RelaySettings
from snowcave.client.functions import Functions
from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.replicas import connect_all
from snowcave.v1 import functions_pb2_grpc
from snowcave.v1.warehouse_pb2 import FunctionBinding


class _Anybody:
    """Every token is that of a session, which may call the functions."""

    def __init__(self, functions: tuple[FunctionBinding, ...]) -> None:
        self._functions = functions

    async def context(self, token: str, context: Any) -> SessionContext:
        return SessionContext(1, 1, "BOB", role="R", account="A")

    async def run(self, sql: str, session: SessionContext, query: object) -> ToWarehouse:
        named = tuple(one for one in self._functions if sql.endswith(f" {one.name}()"))
        return ToWarehouse(sql, session, functions=named)


@asynccontextmanager
async def client_calls(
    mesh: Mesh, routers: str, *functions: FunctionBinding, settings: RelaySettings
) -> AsyncGenerator[Functions]:
    """The client library's end, of an api that knows routers at these addresses."""
    tls, anybody = mesh.folder("tls"), cast("Any", _Anybody(functions))
    make = functions_pb2_grpc.FunctionServiceStub
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        replicas = await enter(connect_all(routers, tls, make, me=Role.API, to=Role.FUNCTIONS))
        proxy = FunctionProxy(anybody, anybody, replicas, 10.0, settings)
        add = partial(functions_pb2_grpc.add_FunctionServiceServicer_to_server, proxy)
        address = mesh.grpc_address(Role.API)
        await enter(
            serve(Role.API, [address], tls, [(FUNCTION_SERVICE, add)], callers=[Role.ADMIN])
        )
        yield Functions(await enter(connect(address, tls, me=Role.ADMIN, to=Role.API)), "token")
