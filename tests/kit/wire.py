"""Conversations of the gateway without sockets: what goes in and what comes out, in any pieces."""

import asyncio
import random
from collections.abc import Iterable
from itertools import pairwise

from snowcave.ingress.client import ClientConnection
from snowcave.ingress.heads import KnownAnswers, KnownRequests
from snowcave.ingress.parties import Means
from snowcave.ingress.pool import Pool
from snowcave.ingress.routes import Address
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.upstream import Upstream
from tests.kit.gateway import Identity, Routes, a_gateway


class Wire(asyncio.Transport):
    """Keeps what was written; tells the protocol of its end as a loop would."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self.written = bytearray()
        self.closing = False
        self.reading = True
        self.half_closed = False
        protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        if not self.closing:
            self._protocol.data_received(data)

    def hang_up(self) -> None:
        if not self.closing and not self._protocol.eof_received():
            self.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.half_closed
        self.written += data

    def write_eof(self) -> None:
        self.half_closed = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("192.0.2.1", 4711) if name == "peername" else default


class WiredPool(Pool):
    """One instance, whose connections are wires that a test plays."""

    def __init__(self, settings: IngressSettings) -> None:
        super().__init__(settings, random.Random(1))
        self.wires: list[Wire] = []
        self._answers = KnownAnswers(settings.limits.known)

    async def connect(self, address: Address) -> Upstream:
        upstream = Upstream(self, address, self._answers)
        self._busy[address] += 1
        self.wires.append(Wire(upstream))
        return upstream


class Conversation:
    """A gateway, and clients that come one after the other."""

    def __init__(self, settings: IngressSettings | None = None) -> None:
        self.settings = settings or IngressSettings()
        self.identity = Identity()
        routes = Routes(port=8000, alive=("10.0.0.1",))
        gateway = a_gateway(self.settings, routes, self.identity)
        self.pool = WiredPool(self.settings)
        known = KnownRequests(self.settings.limits.known)
        self._means = Means(gateway, self.pool, self.settings, known)
        self.clients = set[ClientConnection]()

    def client(self) -> Wire:
        return Wire(ClientConnection(self._means, self.clients, lambda: None))

    def instance(self) -> Wire:
        """The connection that was made last."""
        return self.pool.wires[-1]

    async def settle(self) -> None:
        """Until nothing is left to do at once."""
        for _ in range(6):
            await asyncio.sleep(0)

    async def close(self) -> None:
        for client in list(self.clients):
            client.cut()
        self.pool.close()
        await self.settle()


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The same bytes, cut at these places."""
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    parts = [data[a:b] for a, b in pairwise(places)]
    return [part for part in parts if part]
