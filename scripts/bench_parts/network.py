"""TCP to a service address against TCP to the instance itself, on one node and across two.

Two simulated VMs with the agent's rules, in namespaces and without containers: the same wires and rules
carry both sides. Both ends of a flow are small programs; between them there is the kernel and nothing else.
"""

import asyncio
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from snowcave.v1 import state_pb2 as state
from tests.kit.fabric import Cluster, Instance, Node, a_cluster, child

_FLOW = str(Path(__file__).parent / "_network_flow.py")
_PORTS = {"send": 8000, "connect": 8001}
# Where an instance of the kit listens beside; nobody calls.
_OTHER = 9000
_OWNER = 7
_SECONDS = {"send": 1.0, "connect": 0.5}
_UNITS = {"send": ("throughput", "Gbit/s", 1e9, 0.9), "connect": ("connects", "1/s", 1.0, None)}
_PATIENCE = 30.0


async def run(rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="snowcave-bench-") as folder:
        async with a_cluster(Path(folder)) as cluster, AsyncExitStack() as stack:
            one, two = cluster.nodes
            client = await cluster.start(one, "client", 10, (_OTHER,))
            await cluster.publish(_endpoint(cluster, 1, client))
            rows: list[dict[str, Any]] = []
            for number, (place, node) in enumerate((("one node", one), ("two nodes", two)), 2):
                server = await _server(cluster, stack, node, number)
                await cluster.publish(endpoint := _endpoint(cluster, number, server))
                for what in _UNITS:
                    row = await _compare(client, endpoint, what, rounds)
                    rows.append({**row, "name": f"{row['name']}, {place}"})
            return rows


async def _server(cluster: Cluster, stack: AsyncExitStack, node: Node, number: int) -> Instance:
    instance = await cluster.start(node, f"server-{number}", 10 + number, (_OTHER,))
    inside = f"/proc/{instance.process.pid}/ns/net"
    process = await stack.enter_async_context(
        child(
            *(
                "nsenter",
                f"--net={inside}",
                "--",
                sys.executable,
                _FLOW,
                "serve",
                *map(str, _PORTS.values()),
            ),
            stdout=asyncio.subprocess.PIPE,
        )
    )
    assert process.stdout is not None
    async with asyncio.timeout(_PATIENCE):
        await process.stdout.readline()
    return instance


def _endpoint(cluster: Cluster, service: int, instance: Instance) -> state.Endpoint:
    return state.Endpoint(
        service=service,
        instance=instance.name,
        node=instance.node.name,
        address=instance.address,
        ready=True,
        owner_role=_OWNER,
        service_address=cluster.mesh.plan.service_address(256 + service),
        ports=[state.EndpointSpec(name=name, port=port) for name, port in _PORTS.items()],
    )


async def _compare(
    client: Instance, endpoint: state.Endpoint, what: str, rounds: int
) -> dict[str, Any]:
    """Turn by turn, the one that is first changing each time."""
    name, unit, scale, target = _UNITS[what]
    figures: dict[str, list[float]] = {endpoint.service_address: [], endpoint.address: []}
    for number in range(rounds):
        for host in sorted(figures, reverse=bool(number % 2)):
            figures[host].append(await _flow(client, what, host) / scale)
    ours, peer = (statistics.median(listed) for listed in figures.values())
    ratios = [ours / peer for ours, peer in zip(*figures.values(), strict=True)]
    ratio = statistics.median(ratios)
    return {
        "name": name,
        "ours": round(ours, 2),
        "peer": round(peer, 2),
        "unit": unit,
        "ratio": round(ratio, 3),
        "target": f">={target}" if target else "",
        "ok": target is None or ratio >= target,
    }


async def _flow(client: Instance, what: str, host: str) -> float:
    seconds = _SECONDS[what]
    command = ("nsenter", f"--net=/proc/{client.process.pid}/ns/net", "--", sys.executable, _FLOW)
    async with (
        asyncio.timeout(seconds + _PATIENCE),
        child(
            *command, what, host, str(_PORTS[what]), str(seconds), stdout=asyncio.subprocess.PIPE
        ) as process,
    ):
        said, _ = await process.communicate()
    return float(said)
