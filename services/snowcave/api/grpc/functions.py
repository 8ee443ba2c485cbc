"""FunctionService for clients: whose call it is, and whether they may, is settled here; rows pass through."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from snowcave.api.contract import QueryHandle, SessionContext, StatementRunner, ToWarehouse
from snowcave.api.grpc.arguments import Arguments
from snowcave.api.grpc.callers import GrpcCallers
from snowcave.api.grpc.relay import Relay
from snowcave.api.settings import RelaySettings
from snowcave.api.sql.cursor import Cursor, parse_name
from snowcave.api.sql.functions import argument_types
from snowcave.kit import ids
from snowcave.model.errors import ObjectNotFound, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.runtime.replicas import Replicas
from snowcave.v1 import functions_pb2 as v1
from snowcave.v1 import functions_pb2_grpc as stubs
from snowcave.v1 import warehouse_pb2

FUNCTION_SERVICE = "snowcave.v1.FunctionService"
RETURNS = "snowcave-returns"


class FunctionProxy(stubs.FunctionServiceServicer):
    def __init__(
        self,
        callers: GrpcCallers,
        runner: StatementRunner,
        routers: Replicas,
        limit: float,
        settings: RelaySettings,
    ) -> None:
        self._callers = callers
        self._runner = runner
        self._routers = routers
        # Seconds for the checks; the call itself lasts as long as its batches may.
        self._limit = limit
        self._settings = settings

    async def Invoke(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.InvokeRequest], context: Any
    ) -> AsyncIterator[v1.InvokeReply]:
        """Raises SnowcaveError. Initial metadata say what the function returns."""
        # From the first message on: who has not said yet who it is does not stay for ever.
        async with asyncio.timeout(self._limit):
            head = await self._head(request_iterator)
            session = await self._callers.context(head.token, context)
            function = await self._function(head.name, session)
        await context.send_initial_metadata(((RETURNS, function.returns),))

        header = _header(head, function, session)
        arguments = Arguments(function.argument_types, self._settings)
        relay = Relay(self._routers, header, arguments, self._settings)
        async with aclosing(relay.run(request_iterator)) as replies:
            async for reply in replies:
                yield reply

    async def _head(self, requests: AsyncIterator[v1.InvokeRequest]) -> v1.InvokeHeader:
        async for request in requests:
            if request.WhichOneof("message") == "header" and request.header.name:
                return request.header
            break
        raise ValueInvalid("Invoke begins with a header that has a token and a name.")

    async def _function(self, text: str, session: SessionContext) -> warehouse_pb2.FunctionBinding:
        """Checked as a statement that calls it would be."""
        name, types = _read(text)
        query = QueryHandle(ids.query_id(ids.system_random()), self._limit)
        found = await self._runner.run(f"SELECT {name}()", session, query)
        functions = found.functions if isinstance(found, ToWarehouse) else ()
        fitting = [one for one in functions if types is None or _types(one) == list(types)]
        if not fitting:
            raise ObjectNotFound("Function", text)
        if len(fitting) > 1:
            raise ValueInvalid(f"There are several functions {name}: name its argument types.")
        return fitting[0]


def _read(text: str) -> tuple[ObjectName, Sequence[str] | None]:
    """`f`, or `f(NUMBER, VARCHAR)`. Raises SyntaxInvalid."""
    name, opened, types = text.partition("(")
    if not opened:
        return parse_name(text), None
    return parse_name(name), argument_types(Cursor(opened + types))


def _types(function: warehouse_pb2.FunctionBinding) -> list[str]:
    """The base types, as `_read` has them."""
    kinds = ", ".join(function.argument_types)
    return list(argument_types(Cursor(f"({kinds})")))


def _header(
    head: v1.InvokeHeader, function: warehouse_pb2.FunctionBinding, session: SessionContext
) -> v1.InvokeHeader:
    return v1.InvokeHeader(
        function=function.function,
        revision=function.revision,
        query_id=head.query_id or ids.query_id(ids.system_random()),
        user=session.user_name,
        role=session.role,
        account=session.account,
        context={
            "CURRENT_DATABASE": session.database,
            "CURRENT_SCHEMA": session.schema,
            "CURRENT_WAREHOUSE": session.warehouse,
            "CURRENT_SESSION": str(session.session_id),
            "CURRENT_CLIENT": session.client_app,
        },
        call=1,
        name=str(ObjectName(function.name, function.schema, function.database)),
    )
