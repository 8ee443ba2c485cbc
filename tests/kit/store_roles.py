"""The store of a running mesh, as any role."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.store.client import open_store


@asynccontextmanager
async def store_as(mesh: Mesh, role: Role) -> AsyncGenerator[Store]:
    async with open_store(
        mesh.store_address,
        role,
        credentials=tls.channel_credentials(mesh.folder("tls"), role),
        target_name=tls.server_name(Role.STATESTORE),
    ) as store:
        yield store
