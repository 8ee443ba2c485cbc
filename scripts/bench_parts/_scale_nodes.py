"""Simulated nodes for the benchmark `scale`: each has its key and watch, and reports what it gets as READY.

python -m scripts.bench_parts._scale_nodes HOME COUNT      # says "up" on a line when all are there
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh
from snowcave.store.api import Delete, Put, Store, Write
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.store_roles import store_as

_NODES_A_CHANNEL = 100
_HEARTBEAT = 60.0
_BATCH = 100


@dataclass
class Node:
    name: str
    store: Store
    lease: int
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: dict[str, state.Assignment | None] = field(
        default_factory=dict[str, state.Assignment | None]
    )

    async def run(self) -> None:
        """Endless."""
        announced = state.Node(name=self.name, host="local").SerializeToString()
        async with follow(self.store, keys.ASSIGNMENTS, self.name) as assigned:
            for key, one in assigned.items():
                self._assigned(key, one)
            assigned.subscribe(self._assigned)
            await self.store.put(keys.NODES.key(self.name), announced, lease=self.lease)
            while True:
                await self._news.wait()
                self._news.clear()
                await self._report()

    def _assigned(self, key: tuple[str, ...], one: state.Assignment | None) -> None:
        self._pending[key[1]] = one
        self._news.set()

    async def _report(self) -> None:
        pending, self._pending = list(self._pending.items()), {}
        for at in range(0, len(pending), _BATCH):
            await self.store.txn((), [self._written(*item) for item in pending[at : at + _BATCH]])

    def _written(self, instance: str, one: state.Assignment | None) -> Write:
        key = keys.REPORTS.key(self.name, instance)
        if one is None:
            return Delete(key)
        report = state.InstanceReport(
            instance=instance,
            node=self.name,
            service=one.service,
            instance_id=one.instance_id,
            status="GONE" if one.stopping else "READY",
            message="Running",
            address=one.address,
            spec_digest=one.spec_digest,
        )
        for container in one.spec.containers:
            report.containers.add(name=container.name, status="READY", image=container.image)
        return Put(key, report.SerializeToString(), self.lease)


async def main(mesh: Mesh, count: int) -> None:
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(store_as(mesh, Role.ADMIN))
        vms = await stack.enter_async_context(follow(admin, keys.VMS))
        async with asyncio.timeout(120):
            await vms.wait(lambda mirror: len(mirror) == count)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        names = sorted(vm.node for vm in vms.values())
        for at in range(0, count, _NODES_A_CHANNEL):
            store = await stack.enter_async_context(store_as(mesh, Role.AGENT))
            lease = await stack.enter_async_context(store.lease(_HEARTBEAT))
            for name in names[at : at + _NODES_A_CHANNEL]:
                tasks.create_task(Node(name, store, lease.id).run())
        nodes = await stack.enter_async_context(follow(admin, keys.NODES))
        async with asyncio.timeout(120):
            await nodes.wait(lambda mirror: len(mirror) == count)
        print("up", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(read_mesh(Path(sys.argv[1]), {}), int(sys.argv[2])))
