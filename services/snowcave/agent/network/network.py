"""The node's network as one part of the agent: instances' interfaces, and rules that follow the endpoints."""

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from snowcave.agent.network import nft
from snowcave.agent.network.frame import NodePlace
from snowcave.agent.network.hosts import HostSettings, open_hosts
from snowcave.agent.network.plug import Plugs, open_plugs
from snowcave.agent.network.policy import Mirrors, Policy
from snowcave.agent.network.resolvers import alive
from snowcave.agent.network.resolving import EveryReplica
from snowcave.kit.clock import LoopClock
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class Network:
    """Made by `open_network`."""

    _plugs: Plugs
    _table: nft.Table

    async def plug(self, pid: int, name: str, address: str) -> None:
        """Give the sandbox with process `pid` its address; `name` is the instance's. May be repeated."""
        await self._plugs.plug(pid, name, address)

    async def unplug(self, name: str) -> None:
        """Take the instance's interface away; may be repeated, and is not needed for a dead sandbox."""
        await self._plugs.unplug(name)

    async def settle(self) -> None:
        """Back when the rules are as the endpoints were at the time of the call."""
        await self._table.settle()

    async def requests(self) -> Mapping[tuple[str, int], int]:
        """How often ingress and functions have sent something, by address and port."""
        return await nft.requests()

    async def describe(self) -> str:
        """The rules as the kernel has them, for AgentService.DescribeNetwork."""
        return await nft.describe()


@asynccontextmanager
async def open_network(
    mesh: Mesh,
    node_network: str,
    endpoints: Mirror[state.Endpoint],
    rights: Mirrors,
    settings: HostSettings,
) -> AsyncGenerator[Network]:
    """Entered when the rules stand. Interfaces and rules stay when it is left: instances outlive us."""
    here, resolvers = place(mesh, node_network), rights.resolvers
    resolver = EveryReplica(lambda: alive(here, resolvers.values()))
    async with (
        open_plugs() as plugs,
        open_hosts(resolver, settings, LoopClock(), random.Random()) as hosts,
        nft.open_table(here, endpoints, Policy(rights, hosts), resolvers) as table,
    ):
        yield Network(plugs, table)


def place(mesh: Mesh, node_network: str) -> NodePlace:
    return NodePlace(
        underlay=mesh.plan.underlay,
        instances=mesh.plan.instances,
        services=mesh.plan.services,
        node_network=node_network,
        machine=mesh.plan.machine,
        dns_address=mesh.plan.dns_address,
        dns_port=mesh.port("dns"),
        api_address=mesh.plan.api_address,
        api_port=mesh.port("api-tls"),
    )
