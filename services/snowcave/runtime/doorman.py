"""One port for plain HTTP and TLS, told apart by a connection's first byte.

A connection has to show that byte within a deadline. There is a bound on how many are open; above it
new ones wait in the kernel's queue.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from snowcave.kit.tasks import background
from snowcave.runtime.listen import bound

log = structlog.get_logger()

_TLS_HANDSHAKE = 0x16
_BACKLOG = 1024

_TLS_PLEASE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 27\r\n"
    b"Connection: close\r\n\r\nTLS is required from here.\n"
)

# Makes the protocol of a new connection; it has to call its argument once when the connection is lost.
Factory = Callable[[Callable[[], None]], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class Door:
    """Bounds, durations in seconds, and where encryption may be left out."""

    connections: int = 4096
    first_byte: float = 15.0
    handshake: float = 10.0
    # Of our own address, where the connection came in.
    may_be_plain: Callable[[str], bool] = lambda _address: True


@asynccontextmanager
async def open_port(
    addresses: Sequence[tuple[str, int]],
    factory: Factory,
    *,
    tls: ssl.SSLContext | None,
    door: Door,
) -> AsyncGenerator[list[tuple[str, int]]]:
    """Yields where it is open. Left: no new connections; those that are go on, as their protocols like."""
    sockets = _all_bound(addresses)
    doorman = _Doorman(factory, tls, door)
    try:
        async with background(*(doorman.accept(one) for one in sockets)):
            yield [one.getsockname()[:2] for one in sockets]
    finally:
        for one in sockets:
            one.close()
        await doorman.close()


def _all_bound(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    with ExitStack() as failed:
        sockets = [failed.enter_context(bound(*address)) for address in addresses]
        for one in sockets:
            one.listen(_BACKLOG)
        failed.pop_all()
    return sockets


class _Doorman:
    def __init__(self, factory: Factory, tls: ssl.SSLContext | None, door: Door) -> None:
        self._factory = factory
        self._tls = tls
        self._door = door
        self._free = asyncio.Semaphore(door.connections)
        self._greetings: set[asyncio.Task[None]] = set()

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

    async def close(self) -> None:
        for greeting in self._greetings:
            greeting.cancel()
        await asyncio.gather(*self._greetings, return_exceptions=True)

    async def _greet(self, connection: socket.socket) -> None:
        handed_over = False
        try:
            async with asyncio.timeout(self._door.first_byte):
                first = await _first_byte(connection)
            encrypted = first == _TLS_HANDSHAKE
            if first is None or (encrypted and self._tls is None):
                return
            if not encrypted and not self._door.may_be_plain(connection.getsockname()[0]):
                connection.send(_TLS_PLEASE)
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._factory(self._free.release),
                connection,
                ssl=self._tls if encrypted else None,
                ssl_handshake_timeout=self._door.handshake if encrypted else None,
            )
            handed_over = True
        except (TimeoutError, OSError):
            # Said nothing in time, hung up, or failed the handshake; nobody is there to be told.
            pass
        finally:
            if not handed_over:
                with suppress(OSError):
                    connection.close()
                self._free.release()


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
