"""Inside a VM: the agent's network part, told on stdin what to do. One line of JSON for each command.

The first line is a list of what the store holds as it begins: commands that an earlier process obeyed.
Where an etcd is named, all but the endpoints comes from there.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
import uvloop
from google.protobuf.json_format import ParseDict

from snowcave.agent.network.hosts import HostSettings
from snowcave.agent.network.network import Network, open_network
from snowcave.agent.network.policy import follow_mirrors
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.mesh import AddressPlan, Mesh
from snowcave.store.api import Delete, Put, Store
from snowcave.store.client import open_store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

_QUICK = HostSettings(deadline=1.0, grace=0.5, soonest=0.1, latest=0.2)


async def main(home: str, port_base: str, plan: str, node_network: str, etcd: str) -> None:
    mesh = Mesh(home=Path(home), port_base=int(port_base), plan=AddressPlan(*plan.split(",")))
    backend = MemoryBackend()
    stores = {role: MemoryStore(role, backend) for role in (Role.SCHEDULER, Role.API)}
    store = stores[Role.SCHEDULER]
    for order in json.loads(sys.stdin.readline()):
        role, writes = _writes(order)
        await stores[role].txn((), writes)
    async with (
        follow(store, keys.ENDPOINTS) as endpoints,
        _others(store, etcd) as catalog,
        follow_mirrors(catalog) as rights,
        open_network(mesh, node_network, endpoints, rights, _QUICK) as network,
    ):
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer = {"result": await _obey(json.loads(line), stores, endpoints, network)}
            except Exception as error:
                answer = {"failed": repr(error)}
            print(json.dumps(answer), flush=True)


@asynccontextmanager
async def _others(store: Store, etcd: str) -> AsyncGenerator[Store]:
    if not etcd:
        yield store
        return
    async with open_store(etcd, Role.AGENT) as found:
        yield found


async def _obey(
    order: dict[str, Any],
    stores: dict[Role, MemoryStore],
    endpoints: Mirror[state.Endpoint],
    network: Network,
) -> Any:
    match command := order.pop("command"):
        case "plug":
            await network.plug(**order)
        case "unplug":
            await network.unplug(**order)
        case "describe":
            return await network.describe()
        case "publish" | "withdraw":
            done = await stores[Role.SCHEDULER].txn((), _writes({"command": command, **order})[1])
            await endpoints.wait(lambda mirror: mirror.revision >= done.revision)
            await network.settle()
        case "catalog":
            await stores[Role.API].txn((), _writes({"command": command, **order})[1])
        case "settle":
            await network.settle()
        case other:
            raise ValueError(other)


def _writes(order: dict[str, Any]) -> tuple[Role, list[Any]]:
    """What a command puts into the store, and in whose name."""
    match order["command"]:
        case "publish":
            messages = [ParseDict(item, state.Endpoint()) for item in order["endpoints"]]
            return Role.SCHEDULER, [
                Put(keys.ENDPOINTS.key(m.service, m.instance_id), m.SerializeToString())
                for m in messages
            ]
        case "withdraw":
            prefix = keys.ENDPOINTS.under(order["service"])
            return Role.SCHEDULER, [Delete(prefix, prefix=True)]
        case _:
            return Role.API, [_catalog_write(**one) for one in order["writes"]]


def _catalog_write(key: str, message: dict[str, Any] | None, kind: str) -> Any:
    """What api would write: an object of the catalog or a grant; None takes it away."""
    if message is None:
        return Delete(key)
    return Put(key, ParseDict(message, getattr(state, kind)()).SerializeToString())


structlog.configure(
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)
# Daemons run on uvloop, on which not every library works.
uvloop.install()
asyncio.run(main(*sys.argv[1:]))
