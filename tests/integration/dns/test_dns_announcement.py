"""The daemon says in the store where nodes reach it, for as long as it runs."""

import asyncio
from pathlib import Path

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.store.client import open_store
from snowcave.store.mirror import follow
from tests.kit.daemons import a_mesh, running


async def test_a_replica_is_announced_while_it_runs_and_takes_its_key_back(tmp_path: Path):
    mesh = a_mesh(tmp_path)
    folder = mesh.folder("tls")
    tls.ensure(folder)
    async with (
        running(mesh, "statestore"),
        open_store(
            mesh.store_address,
            Role.AGENT,
            credentials=tls.channel_credentials(folder, Role.AGENT),
            target_name=tls.server_name(Role.STATESTORE),
        ) as store,
        follow(store, keys.DNS_SERVERS) as replicas,
    ):
        # A key that nobody takes back would be here for longer than the test waits.
        environment = {"SNOWCAVE_DNS__HEARTBEAT": "600"}
        async with running(mesh, "dns", environment), asyncio.timeout(60):
            await replicas.wait(lambda mirror: len(mirror) == 1)
            (found,) = replicas.values()
            assert (found.address, found.port) == (mesh.plan.machine, mesh.port("dns"))
        async with asyncio.timeout(60):
            await replicas.wait(lambda mirror: len(mirror) == 0)
