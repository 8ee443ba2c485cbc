"""Where an instance answers over gRPC, and what shows that one may call it."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from grpc.aio import Channel

from snowcave.client.session import LOGIN, Session
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.runtime.settings import read_mesh
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc


@dataclass(frozen=True)
class Target:
    """An instance, as its clients see it."""

    # host:port of api's gRPC: of the port for all, or of the one for holders of certificates.
    address: str
    # For the latter: the folder with ca.pem, admin.pem and admin.key.
    certificates: Path | None = None
    # For the former with TLS: the authority, ca.pem. Neither: without TLS, as it is on loopback.
    authority: Path | None = None

    @classmethod
    def of_home(cls, home: Path | None = None) -> "Target":
        """The instance of a home on this machine; none: the usual one. Raises SettingsInvalid."""
        return cls.of_mesh(read_mesh(home, {}))

    def channel(self) -> AbstractAsyncContextManager[Channel]:
        """Connects on first use."""
        if self.certificates is None:
            authority = self.authority.read_bytes() if self.authority else None
            return grpc.connect_public(self.address, authority)
        return grpc.connect(self.address, self.certificates, me=Role.ADMIN, to=Role.API)

    @classmethod
    def of_mesh(cls, mesh: Mesh) -> "Target":
        return cls(mesh.grpc_address(Role.API), mesh.folder("tls"))


@asynccontextmanager
async def connect(
    target: Target,
    user: str = "",
    password: str = "",
    *,
    authenticator: str = "",
    token: str = "",
    database: str = "",
    schema: str = "",
    role: str = "",
    warehouse: str = "",
) -> AsyncGenerator[Session]:
    """A session, which ends when left. Raises RemoteError where the login fails, Unavailable.

    In place of user and password: a token, and SNOWFLAKE_JWT, OAUTH or PROGRAMMATIC_ACCESS_TOKEN as the
    authenticator.
    """
    login = v1.LoginRequest(
        user=user,
        password=password,
        authenticator=authenticator,
        token=token,
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
    async with target.channel() as channel:
        stub = sql_pb2_grpc.SqlServiceStub(channel)
        with translated("The api"):
            reply = await stub.Login(login, timeout=LOGIN, wait_for_ready=False)
        try:
            yield Session(channel, reply.token)
        finally:
            with translated("The api"):
                await stub.Logout(v1.LogoutRequest(token=reply.token), timeout=LOGIN)
