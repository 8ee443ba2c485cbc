"""The state store as a daemon's part."""

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Parts
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.store.client import open_store


async def open_state(mesh: Mesh, role: Role, parts: Parts, *, address: str = "") -> Store:
    """Entered once the store has answered. `address` overrides the mesh's (nodes see another one)."""
    where = address or mesh.store_address
    folder = mesh.folder("tls")
    return await parts.enter(
        "store",
        open_store(
            where,
            role,
            credentials=None if mesh.store else tls.channel_credentials(folder, role),
            target_name="" if mesh.store else tls.server_name(Role.STATESTORE),
        ),
    )
