"""UDP and TCP on the same port.

The hot path is one dictionary: the question without its id, to the whole answer without its id. It
reads the socket itself, many datagrams a turn: a protocol object for each would cost half of the speed.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import prometheus_client
import structlog

from snowcave.dns import responder
from snowcave.dns.forwarding import Forwarder
from snowcave.dns.responder import Responder
from snowcave.dns.settings import DnsSettings
from snowcave.runtime.listen import bound

log = structlog.get_logger()

ANSWERED = prometheus_client.Counter("snowcave_dns_answers", "Questions answered", ["transport"])
FORWARDED = prometheus_client.Counter("snowcave_dns_forwarded", "Questions sent upstream")
LOST = prometheus_client.Counter("snowcave_dns_send_failures", "Answers the kernel did not take")

# Questions are short; what is longer than this is not worth a place in the cache.
_LONGEST_CACHED = 320
_DATAGRAM = 4096
_PORTS_TRIED = 100
_RECEIVE_BUFFER = 4 << 20


class AnswerCache:
    """Whole answers by whole questions, both without their ids. The oldest entry goes first."""

    def __init__(self, entries: int) -> None:
        self.entries: dict[bytes, bytes] = {}
        self._room = entries

    def keep(self, question: bytes, answer: bytes) -> None:
        if len(question) > _LONGEST_CACHED:
            return
        if len(self.entries) >= self._room:
            del self.entries[next(iter(self.entries))]
        self.entries[question[2:]] = answer[2:]

    def clear(self) -> None:
        """Some name means something else now."""
        self.entries.clear()


class UdpListener:
    """One UDP socket."""

    def __init__(
        self,
        sock: socket.socket,
        cache: AnswerCache,
        judge: Responder,
        forwarder: Forwarder,
        settings: DnsSettings,
    ) -> None:
        self._sock = sock
        self._cache = cache
        self._judge = judge
        self._forwarder = forwarder
        self._batch = settings.batch
        self._waiting = settings.waiting
        self._forwarding: set[asyncio.Task[None]] = set()
        self._answered = ANSWERED.labels("udp")

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock.fileno(), self._readable)
        try:
            yield
        finally:
            loop.remove_reader(self._sock.fileno())
            for task in self._forwarding:
                task.cancel()
            await asyncio.gather(*self._forwarding, return_exceptions=True)

    def _readable(self) -> None:
        receive, send, known = self._sock.recvfrom, self._sock.sendto, self._cache.entries
        answered = 0
        for _ in range(self._batch):
            try:
                question, client = receive(_DATAGRAM)
            except OSError:  # empty, or an ICMP error of an earlier answer
                break
            answer = known.get(question[2:])
            if answer is None:
                self._unknown(question, client)
                continue
            try:
                send(question[:2] + answer, client)
            except OSError:
                LOST.inc()
            answered += 1
        self._answered.inc(answered)

    def _unknown(self, question: bytes, client: tuple[str, int]) -> None:
        verdict = self._judge.judge(question, over_udp=True)
        if verdict.reply is not None:
            if verdict.cacheable:
                self._cache.keep(question, verdict.reply)
            self._send(verdict.reply, client)
        elif verdict.forward:
            self._forward(question, client)

    def _forward(self, question: bytes, client: tuple[str, int]) -> None:
        known = self._forwarder.known(question, client[0], over_udp=True)
        if known is not None:
            self._send(known, client)
            return
        if len(self._forwarding) >= self._waiting:
            self._send(responder.failed(question), client)
            return
        FORWARDED.inc()
        task = asyncio.get_running_loop().create_task(self._carry(question, client))
        self._forwarding.add(task)
        task.add_done_callback(self._forwarding.discard)

    async def _carry(self, question: bytes, client: tuple[str, int]) -> None:
        self._send(await self._forwarder.ask(question, client[0], over_udp=True), client)

    def _send(self, answer: bytes, client: tuple[str, int]) -> None:
        try:
            self._sock.sendto(answer, client)
            self._answered.inc()
        except OSError:
            LOST.inc()


class TcpListener:
    """Questions with a length before each, one after the other on a connection."""

    def __init__(self, judge: Responder, forwarder: Forwarder, settings: DnsSettings) -> None:
        self._judge = judge
        self._forwarder = forwarder
        self._settings = settings
        self._connections: set[asyncio.Task[None]] = set()
        self._answered = ANSWERED.labels("tcp")

    @asynccontextmanager
    async def listening(self, sock: socket.socket) -> AsyncGenerator[None]:
        server = await asyncio.start_server(self._accepted, sock=sock)
        try:
            yield
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._settings.tcp_connections:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # hung up, or silent for too long
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        async with asyncio.timeout(self._settings.tcp_idle):
            size = int.from_bytes(await reader.readexactly(2), "big")
            if size > self._settings.tcp_question:
                return False
            question = await reader.readexactly(size)
        verdict = self._judge.judge(question, over_udp=False)
        answer = verdict.reply
        if verdict.forward:
            answer = await self._forward(question, writer.get_extra_info("peername")[0])
        if answer is None:
            return False
        async with asyncio.timeout(self._settings.tcp_idle):
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()
        self._answered.inc()
        return True

    async def _forward(self, question: bytes, asker: str) -> bytes:
        known = self._forwarder.known(question, asker, over_udp=False)
        if known is not None:
            return known
        FORWARDED.inc()
        return await self._forwarder.ask(question, asker, over_udp=False)


def _pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on one port. For 0 the first number that is free in both: the kernel looks at one only."""
    taken: list[socket.socket] = []
    try:
        while True:
            udp_socket = bound(address, port, socket.SOCK_DGRAM, early=True)
            try:
                return udp_socket, bound(address, udp_socket.getsockname()[1], early=True)
            except OSError as error:
                # Kept until the search is over, so that no number is offered twice.
                taken.append(udp_socket)
                if port or error.errno != errno.EADDRINUSE or len(taken) >= _PORTS_TRIED:
                    raise
    finally:
        for one in taken:
            one.close()


@asynccontextmanager
async def serve_dns(
    addresses: Sequence[str],
    port: int,
    settings: DnsSettings,
    judge: Responder,
    cache: AnswerCache,
    forwarder: Forwarder,
) -> AsyncGenerator[int]:
    """Both transports on every address; gives the port, for a `port` of 0 the one that was free."""
    async with AsyncExitStack() as stack:
        for address in addresses:
            # The fabric link may be made after us, or anew: its address is ours all the same.
            udp_socket, tcp_socket = (stack.enter_context(one) for one in _pair(address, port))
            udp_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            port = udp_socket.getsockname()[1]
            listener = UdpListener(udp_socket, cache, judge, forwarder, settings)
            tcp = TcpListener(judge, forwarder, settings)
            await stack.enter_async_context(listener.listening())
            await stack.enter_async_context(tcp.listening(tcp_socket))
        log.info("dns_listening", addresses=list(addresses), port=port)
        yield port
