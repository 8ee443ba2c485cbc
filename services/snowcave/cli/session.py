"""A session with this machine's instance, for the commands that run SQL."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from snowcave.client import Session, Target
from snowcave.client.target import open_session as open_client_session
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import sql_pb2 as v1


@asynccontextmanager
async def open_session(mesh: Mesh, login: v1.LoginRequest) -> AsyncGenerator[Session]:
    """Raises LoginFailed-like RemoteError, Unavailable."""
    async with open_client_session(Target.of_mesh(mesh), login) as session:
        yield session
