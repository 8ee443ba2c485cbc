"""Where an instance answers over gRPC, and what shows that one may call it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from snowcave.client.session import LOGIN, Session
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc


@dataclass(frozen=True)
class Target:
    """An instance, as its clients see it."""

    # host:port of api's gRPC server.
    address: str
    # Holds ca.pem, and admin.pem with admin.key: the certificate that calls are made with.
    certificates: Path

    @classmethod
    def of_home(cls, home: Path | None = None) -> "Target":
        """The instance of a home on this machine; none: the usual one. Raises SettingsInvalid."""
        return cls.of_mesh(read_mesh(home, {}))

    @classmethod
    def of_mesh(cls, mesh: Mesh) -> "Target":
        return cls(mesh.grpc_address(Role.API), mesh.folder("tls"))


@asynccontextmanager
async def connect(
    target: Target,
    user: str,
    password: str,
    *,
    database: str = "",
    schema: str = "",
    role: str = "",
    warehouse: str = "",
) -> AsyncGenerator[Session]:
    """A session, which ends when left. Raises RemoteError where the login fails, Unavailable."""
    login = v1.LoginRequest(
        user=user,
        password=password,
        database=database,
        schema=schema,
        role=role,
        warehouse=warehouse,
    )
    async with open_session(target, login) as session:
        yield session


@asynccontextmanager
async def open_session(target: Target, login: v1.LoginRequest) -> AsyncGenerator[Session]:
    """As `connect`, with a login as it stands in the protos."""
    async with grpc.connect(
        target.address, target.certificates, me=Role.ADMIN, to=Role.API
    ) as channel:
        stub = sql_pb2_grpc.SqlServiceStub(channel)
        with grpc.translated("The api"):
            reply = await stub.Login(login, timeout=LOGIN, wait_for_ready=False)
        try:
            yield Session(channel, reply.token)
        finally:
            with grpc.translated("The api"):
                await stub.Logout(v1.LogoutRequest(token=reply.token), timeout=LOGIN)
