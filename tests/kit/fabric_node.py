"""Inside a VM: the agent's network part, told on stdin what to do. One line of JSON for each command."""

import asyncio
import json
import logging
import sys
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
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

_QUICK = HostSettings(deadline=1.0, grace=0.5, soonest=0.1, latest=0.2)


async def main(home: str, port_base: str, plan: str, node_network: str) -> None:
    mesh = Mesh(home=Path(home), port_base=int(port_base), plan=AddressPlan(*plan.split(",")))
    backend = MemoryBackend()
    stores = {role: MemoryStore(role, backend) for role in (Role.SCHEDULER, Role.API)}
    store = stores[Role.SCHEDULER]
    async with (
        follow(store, keys.ENDPOINTS) as endpoints,
        follow_mirrors(store) as rights,
        open_network(mesh, node_network, endpoints, rights, _QUICK) as network,
    ):
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer = {"result": await _obey(json.loads(line), stores, endpoints, network)}
            except Exception as error:
                answer = {"failed": repr(error)}
            print(json.dumps(answer), flush=True)


async def _obey(
    order: dict[str, Any],
    stores: dict[Role, MemoryStore],
    endpoints: Mirror[state.Endpoint],
    network: Network,
) -> Any:
    store = stores[Role.SCHEDULER]
    match order.pop("command"):
        case "plug":
            await network.plug(**order)
        case "unplug":
            await network.unplug(**order)
        case "describe":
            return await network.describe()
        case "publish":
            messages = [ParseDict(item, state.Endpoint()) for item in order["endpoints"]]
            puts = [
                Put(keys.ENDPOINTS.key(m.service, m.instance_id), m.SerializeToString())
                for m in messages
            ]
            await _write(store, endpoints, puts, network)
        case "withdraw":
            prefix = keys.ENDPOINTS.under(order["service"])
            await _write(store, endpoints, [Delete(prefix, prefix=True)], network)
        case "catalog":
            await stores[Role.API].txn((), [_catalog_write(**one) for one in order["writes"]])
        case "settle":
            await network.settle()
        case other:
            raise ValueError(other)


def _catalog_write(key: str, message: dict[str, Any] | None, kind: str) -> Any:
    """What api would write: an object of the catalog or a grant; None takes it away."""
    if message is None:
        return Delete(key)
    return Put(key, ParseDict(message, getattr(state, kind)()).SerializeToString())


async def _write(
    store: Store, endpoints: Mirror[state.Endpoint], writes: list[Any], network: Network
) -> None:
    done = await store.txn((), writes)
    await endpoints.wait(lambda mirror: mirror.revision >= done.revision)
    await network.settle()


structlog.configure(
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)
# Daemons run on uvloop, on which not every library works.
uvloop.install()
asyncio.run(main(*sys.argv[1:]))
