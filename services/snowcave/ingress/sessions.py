"""Signs people in and out at the api."""

import grpc.aio

from snowcave.runtime.grpc import translated
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc

_DEADLINE = 10.0


class ApiSessions:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = sql_pb2_grpc.SqlServiceStub(channel)

    async def login(self, user: str, password: str) -> str:
        """A session token. Raises LoginFailed's kin, Unavailable."""
        with translated("The api"):
            request = v1.LoginRequest(user=user, password=password)
            return (await self._stub.Login(request, timeout=_DEADLINE)).token

    async def logout(self, token: str) -> None:
        with translated("The api"):
            await self._stub.Logout(v1.LogoutRequest(token=token), timeout=_DEADLINE)
