"""A mesh of statestore, warehouse and api for benchmarks, and many services to look at in it."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from snowcave.model import keys, spec
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Put
from snowcave.store.client import open_store
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running

# Of the first service; the uids that api draws are far larger.
_FIRST_UID = 1000
_BATCH = 100
_SPEC = """
spec:
  containers:
  - name: main
    image: /b/s/r/i:{uid}
  endpoints:
  - name: web
    port: 80
"""


@contextlib.asynccontextmanager
async def three_daemons(home: Path) -> AsyncGenerator[tuple[Mesh, str]]:
    """With the administrator's password."""
    mesh = a_mesh(home)
    tls.ensure(mesh.folder("tls"))
    async with contextlib.AsyncExitStack() as stack:
        for daemon in ("statestore", "warehouse", "api"):
            await stack.enter_async_context(running(mesh, daemon))
        yield mesh, (home / "admin.password").read_text().strip()


async def make_services(mesh: Mesh, count: int) -> None:
    """In schema S, without anything that runs: their rows are all that is asked for."""
    credentials = tls.channel_credentials(mesh.folder("tls"), Role.API)
    name = tls.server_name(Role.STATESTORE)
    async with open_store(
        mesh.store_address, Role.API, credentials=credentials, target_name=name
    ) as store:
        schemas = await store.list(keys.CATALOG.under("schema"))
        found = [state.Object.FromString(item.value) for item in schemas.items]
        schema = next(one for one in found if one.name == "S")
        writes: list[Put] = []
        for uid in range(_FIRST_UID, _FIRST_UID + count):
            made = state.Object(
                uid=uid, name=f"SERVICE_{uid}", parent=schema.uid, owner_role=schema.owner_role
            )
            made.created_on.GetCurrentTime()
            made.service.min_instances = made.service.max_instances = 1
            made.service.spec.CopyFrom(spec.parse(_SPEC.format(uid=uid)))
            made.service.spec_digest = spec.digest(made.service.spec)
            writes.append(Put(keys.CATALOG.key("service", uid), made.SerializeToString()))
            entry = state.NameEntry(uid=uid).SerializeToString()
            writes.append(Put(keys.NAMES.key("service", schema.uid, made.name), entry))
        for start in range(0, len(writes), _BATCH):
            await store.txn([], writes[start : start + _BATCH])
