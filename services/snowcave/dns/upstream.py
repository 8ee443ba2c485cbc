"""Questions about names that are not ours, carried to another resolver and back.

Bounded in number and in time. Every question goes out from a socket of its own, so a forger would have
to guess a port as well as an id.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from snowcave.dns import responder

log = structlog.get_logger()

RESOLV_CONF = Path("/etc/resolv.conf")
NOBODY = "none"
_HEADER = 12


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    port: int = 53


def servers(configured: Sequence[str], resolv_conf: str) -> tuple[Server, ...]:
    """Who is asked: the setting, else the `nameserver` lines of a resolv.conf's text."""
    if NOBODY in configured:
        return ()
    if configured:
        return tuple(_server(text) for text in configured)
    lines = (line.split() for line in resolv_conf.splitlines())
    return tuple(Server(words[1]) for words in lines if words[:1] == ["nameserver"] and words[1:])


def _server(text: str) -> Server:
    address, separator, port = text.rpartition(":")
    if separator and ":" not in address:
        return Server(address, int(port))
    return Server(text)


def read_resolv_conf() -> str:
    """Empty where the machine has none."""
    try:
        return RESOLV_CONF.read_text()
    except OSError:
        return ""


class Upstream:
    """Asks the servers in their order until one answers."""

    def __init__(self, servers: Sequence[Server], *, deadline: float, outstanding: int) -> None:
        self._servers = servers
        self._deadline = deadline
        self._room = outstanding

    @property
    def is_full(self) -> bool:
        return self._room <= 0

    async def ask(self, question: bytes, *, over_udp: bool) -> bytes:
        """The answer, or one of our own that says why there is none. Never raises but when cancelled."""
        if not self._servers:
            return responder.refused(question)
        if self.is_full:
            return responder.failed(question)
        self._room -= 1
        try:
            return await self._first_answer(question, over_udp=over_udp)
        finally:
            self._room += 1

    async def _first_answer(self, question: bytes, *, over_udp: bool) -> bytes:
        # An id of our own: the client's may be chosen by whoever wants to forge the answer.
        asked = secrets.token_bytes(2) + question[2:]
        exchange = _over_udp if over_udp else _over_tcp
        for server in self._servers:
            try:
                async with asyncio.timeout(self._deadline):
                    return question[:2] + (await exchange(server, asked))[2:]
            except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
                log.info("upstream_did_not_answer", server=server.address, error=repr(error))
        return responder.failed(question)


async def _over_udp(server: Server, asked: bytes) -> bytes:
    async with _datagrams(server) as (transport, answers):
        transport.sendto(asked)
        return await answers.matching(asked)


async def _over_tcp(server: Server, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(len(asked).to_bytes(2, "big") + asked)
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = await reader.readexactly(size)
    finally:
        writer.close()
    if not _answers(asked, answer):
        raise ConnectionError("the upstream answered something else")
    return answer


@asynccontextmanager
async def _datagrams(
    server: Server,
) -> AsyncGenerator[tuple[asyncio.DatagramTransport, "_Answers"]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        _Answers, remote_addr=(server.address, server.port)
    )
    try:
        yield transport, protocol
    finally:
        transport.close()


class _Answers(asyncio.DatagramProtocol):
    """The one datagram that answers; others are dropped."""

    def __init__(self) -> None:
        self._asked = b""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def matching(self, asked: bytes) -> bytes:
        self._asked = asked
        return await self._answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._asked and _answers(self._asked, data) and not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


def _answers(asked: bytes, answer: bytes) -> bool:
    """Same id, an answer, and the same question where it repeats one."""
    if len(answer) < _HEADER or answer[:2] != asked[:2] or not answer[2] & 0x80:
        return False
    if answer[4:6] != b"\x00\x01":
        return answer[4:6] == b"\x00\x00"  # errors may leave the question out
    end = _question_end(asked)
    return answer[_HEADER:end].lower() == asked[_HEADER:end].lower()


def _question_end(message: bytes) -> int:
    """Where the first question of a well-formed message ends."""
    at = _HEADER
    while message[at]:
        at += message[at] + 1
    return at + 5
