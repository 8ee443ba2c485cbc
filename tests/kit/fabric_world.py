"""What lies outside of a mesh: a namespace behind this machine, and a resolver that knows its hosts."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import cast

from dnslib import QTYPE, RR, A, DNSRecord

from snowcave.hypervisor import fabric, namespaces
from snowcave.runtime.commands import run
from tests.kit.fabric import serving

# Set aside for tests of networks: no route of a machine leads there.
_GROUND = IPv4Network("198.18.0.0/15")


@dataclass
class World:
    """`addresses` are the world's own; `gateway` is this machine's, as the world sees it."""

    addresses: list[str]
    gateway: str


@asynccontextmanager
async def a_world(ports: Sequence[int]) -> AsyncGenerator[World]:
    """Answers on all of its addresses, as an instance of the tests does. Enter it once the mesh is there.

    What is forwarded to it or from it and gets past the end of FORWARD is dropped, as by Docker's policy.
    """
    taken = {destination for destination, _ in await fabric.machine_routes()}
    free = [net for net in _GROUND.subnets(new_prefix=29) if str(net) not in taken]
    network = random.SystemRandom().choice(free)
    gateway, *addresses = map(str, list(network.hosts())[:3])
    tag = f"{int(network.network_address) & 0xFFFFFF:06x}"
    name, link = f"sc-world-{tag}", f"world{tag}"
    walls = [("-s", str(network), "-j", "DROP"), ("-d", str(network), "-j", "DROP")]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(namespaces.remove, name)
        await namespaces.ensure(name, {})
        await namespaces.ensure_veth(None, link, name, "eth0")
        await run("ip", "addr", "replace", f"{gateway}/29", "dev", link)
        await run("ip", "link", "set", link, "up")
        lines = [f"addr replace {address}/29 dev eth0" for address in addresses]
        await namespaces.batch(name, [*lines, "link set eth0 up"])
        for wall in walls:
            await run("iptables", "-w", "5", "-A", "FORWARD", *wall)
            stack.push_async_callback(run, "iptables", "-w", "5", "-D", "FORWARD", *wall)
        enter = ("nsenter", f"--net={namespaces.FOLDER / name}")
        await stack.enter_async_context(serving(enter, "world", ports))
        yield World(addresses, gateway)


@dataclass
class Names(asyncio.DatagramProtocol):
    """A DNS server with a table for its content."""

    hosts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = DNSRecord.parse(data)
        reply = asked.reply()
        for address in self.hosts.get(str(asked.q.qname).rstrip("."), ()):
            reply.add_answer(RR(asked.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        assert self._transport is not None
        self._transport.sendto(reply.pack(), addr)


@asynccontextmanager
async def resolving(address: str, port: int) -> AsyncGenerator[Names]:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(Names, local_addr=(address, port))
    try:
        yield names
    finally:
        transport.close()
