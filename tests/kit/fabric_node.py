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

from snowcave.agent.network.network import Network, open_network
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.mesh import AddressPlan, Mesh
from snowcave.store.api import Delete, Put, Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore


async def main(home: str, port_base: str, plan: str, node_network: str) -> None:
    mesh = Mesh(home=Path(home), port_base=int(port_base), plan=AddressPlan(*plan.split(",")))
    store = MemoryStore(Role.SCHEDULER, MemoryBackend())
    async with (
        follow(store, keys.ENDPOINTS) as endpoints,
        open_network(mesh, node_network, endpoints) as network,
    ):
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                answer = {"result": await _obey(json.loads(line), store, endpoints, network)}
            except Exception as error:
                answer = {"failed": repr(error)}
            print(json.dumps(answer), flush=True)


async def _obey(
    order: dict[str, Any], store: Store, endpoints: Mirror[state.Endpoint], network: Network
) -> Any:
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
        case "settle":
            await network.settle()
        case other:
            raise ValueError(other)


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
