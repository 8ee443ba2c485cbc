"""The registry's port: plain HTTP and TLS on one, told apart by a connection's first byte.

A connection has to show a first byte within a deadline (aiohttp's keepalive time bounds all later
waits for a request); there is a bound on how many are open, and above it new ones wait in the
kernel's queue.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from snowcave.kit.tasks import background
from snowcave.model.keys import Role
from snowcave.registry import metrics
from snowcave.registry.settings import RegistrySettings

log = structlog.get_logger()

_TLS_HANDSHAKE = 0x16
_BACKLOG = 256
# A refused body is read for this long before the connection is closed, so that the answer is seen.
_LINGER = 2.0
_DRAIN = 5.0
_TLS_PLEASE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 27\r\n"
    b"Connection: close\r\n\r\nTLS is required from here.\n"
)


class Server(web.Server):
    """Says when a connection is over."""

    freed: Callable[[], None]

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        metrics.CONNECTIONS.inc()
        super().connection_made(handler, transport)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        metrics.CONNECTIONS.dec()
        super().connection_lost(handler, exc)
        self.freed()


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
    """Open on every address; yields where. Left: no new connections, those that are go on."""
    sockets = [_bound(address) for address in addresses]
    doorman = _Doorman(server, tls, settings)
    try:
        async with background(*(doorman.accept(one) for one in sockets)):
            yield [one.getsockname()[:2] for one in sockets]
    finally:
        for one in sockets:
            one.close()
        await doorman.drain()
        await server.shutdown(_DRAIN)


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(address)
        one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one


class _Doorman:
    def __init__(
        self,
        server: Server,
        tls: ssl.SSLContext | None,
        settings: RegistrySettings,
    ) -> None:
        self._server = server
        self._tls = tls
        self._deadlines = settings.deadlines
        self._machine = settings.mesh.plan.machine
        self._free = asyncio.Semaphore(settings.limits.connections)
        self._greetings: set[asyncio.Task[None]] = set()
        server.freed = self._free.release

    async def accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._free.acquire()
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                # Out of handles, or the client has gone already: the next one may do better.
                self._free.release()
                log.warning("accept_failed", error=str(error))
                await asyncio.sleep(0.05)
                continue
            except BaseException:
                self._free.release()
                raise
            greeting = asyncio.create_task(self._greet(connection))
            self._greetings.add(greeting)
            greeting.add_done_callback(self._greetings.discard)

    async def drain(self) -> None:
        for greeting in self._greetings:
            greeting.cancel()
        await asyncio.gather(*self._greetings, return_exceptions=True)

    async def _greet(self, connection: socket.socket) -> None:
        handed_over = False
        try:
            async with asyncio.timeout(self._deadlines.headers):
                first = await _first_byte(connection)
            encrypted = first == _TLS_HANDSHAKE
            if first is None or (encrypted and self._tls is None):
                return
            if not encrypted and not self._may_be_plain(connection):
                connection.send(_TLS_PLEASE)
                return
            await self._serve(connection, encrypted=encrypted)
            handed_over = True
        except (TimeoutError, OSError):
            # Said nothing in time, hung up, or failed the handshake; nobody is there to be told.
            pass
        finally:
            if not handed_over:
                with suppress(OSError):
                    connection.close()
                self._free.release()

    def _may_be_plain(self, connection: socket.socket) -> bool:
        """Passwords cross other networks than loopback and the fabric link encrypted only."""
        here = connection.getsockname()[0]
        return here == self._machine or ipaddress.ip_address(here).is_loopback

    async def _serve(self, connection: socket.socket, *, encrypted: bool) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            self._server,
            connection,
            ssl=self._tls if encrypted else None,
            ssl_handshake_timeout=self._deadlines.handshake if encrypted else None,
        )


async def _first_byte(connection: socket.socket) -> int | None:
    """Without taking it; None where the client hung up."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    data = connection.recv(1, socket.MSG_PEEK)
    return data[0] if data else None
