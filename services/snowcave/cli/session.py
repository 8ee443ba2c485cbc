"""A session with the api over gRPC, for the commands that run SQL."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from grpc.aio import Channel

from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect, translated
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc, warehouse_pb2

_LOGIN_DEADLINE = 30.0


@dataclass(slots=True)
class Result:
    """All rows of one statement."""

    columns: list[warehouse_pb2.ColumnType] = field(default_factory=list[warehouse_pb2.ColumnType])
    rows: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])


class SqlSession:
    """Statements run one after another."""

    def __init__(self, channel: Channel, token: str) -> None:
        self._stub = sql_pb2_grpc.SqlServiceStub(channel)
        self._token = token

    async def execute(self, sql: str) -> Result:
        """Raises SnowcaveError. Cancelling it cancels the statement."""
        result = Result()
        async for reply in self._replies(sql):
            if reply.columns:
                result.columns = list(reply.columns)
            if reply.arrow_stream:
                table = pa.ipc.open_stream(reply.arrow_stream).read_all()
                columns = [column.to_pylist() for column in table.columns]
                result.rows += zip(*columns, strict=True)
        return result

    async def follow(self, request: v1.FollowLogsRequest) -> AsyncIterator[bytes]:
        """What a container says, as it says it. `request` without the token. Raises SnowcaveError."""
        request.token = self._token
        with translated("The api"):
            async for reply in self._stub.FollowLogs(request):
                yield reply.text

    async def _replies(self, sql: str) -> AsyncIterator[v1.SqlReply]:
        with translated("The api"):
            async for reply in self._stub.Execute(v1.SqlRequest(token=self._token, sql=sql)):
                yield reply


@asynccontextmanager
async def open_session(mesh: Mesh, login: v1.LoginRequest) -> AsyncGenerator[SqlSession]:
    """Raises LoginFailed-like RemoteError, Unavailable."""
    address = mesh.grpc_address(Role.API)
    async with connect(address, mesh.folder("tls"), me=Role.ADMIN, to=Role.API) as channel:
        stub = sql_pb2_grpc.SqlServiceStub(channel)
        with translated("The api"):
            reply = await stub.Login(login, timeout=_LOGIN_DEADLINE, wait_for_ready=False)
        try:
            yield SqlSession(channel, reply.token)
        finally:
            with translated("The api"):
                await stub.Logout(v1.LogoutRequest(token=reply.token), timeout=_LOGIN_DEADLINE)
