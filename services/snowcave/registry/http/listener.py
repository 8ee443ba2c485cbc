"""The registry's port. aiohttp's keepalive time bounds every wait for a request but the first."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from snowcave.model.keys import Role
from snowcave.registry import metrics
from snowcave.registry.settings import RegistrySettings
from snowcave.runtime import http
from snowcave.runtime.doorman import Door, open_port

# A refused body is read for this long before the connection is closed, so that the answer is seen.
_LINGER = 2.0
_DRAIN = 5.0


class Server(http.Server):
    """Says when a connection is over."""

    _freed: Callable[[], None]

    def connection(self, freed: Callable[[], None]) -> asyncio.Protocol:
        """For the one port that this serves: `freed` is the same for every connection."""
        self._freed = freed
        return self()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        metrics.CONNECTIONS.inc()
        super().connection_made(handler, transport)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        metrics.CONNECTIONS.dec()
        super().connection_lost(handler, exc)
        self._freed()


def make_server(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], settings: RegistrySettings
) -> Server:
    """aiohttp's HTTP/1.1, with our bounds."""
    limits, deadlines = settings.limits, settings.deadlines
    return Server(
        handler,
        keepalive_timeout=deadlines.keepalive,
        max_line_size=limits.header,
        max_field_size=limits.header,
        lingering_time=_LINGER,
        read_bufsize=limits.chunk,
        auto_decompress=False,
        access_log=None,
    )


def tls_context(folder: Path) -> ssl.SSLContext:
    """The registry's certificate of the cluster's authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / f"{Role.REGISTRY}.pem", folder / f"{Role.REGISTRY}.key")
    return context


@asynccontextmanager
async def listen(
    addresses: Sequence[tuple[str, int]],
    server: Server,
    tls: ssl.SSLContext | None,
    settings: RegistrySettings,
) -> AsyncGenerator[list[tuple[str, int]]]:
    """Open on every address; yields where. Left: no new connections, and those that are have ended."""
    machine, deadlines = settings.mesh.plan.machine, settings.deadlines

    def may_be_plain(here: str) -> bool:
        """Passwords cross other networks than loopback and the fabric link encrypted only."""
        return here == machine or ipaddress.ip_address(here).is_loopback

    door = Door(settings.limits.connections, deadlines.headers, deadlines.handshake, may_be_plain)
    try:
        async with open_port(addresses, server.connection, tls=tls, door=door) as listening:
            yield listening
    finally:
        await server.shutdown(_DRAIN)
