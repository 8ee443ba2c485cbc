"""Questions for the addresses of a host, to the DNS daemons that answer the containers."""

import asyncio
import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dnslib import QTYPE, RCODE, DNSError, DNSHeader, DNSQuestion, DNSRecord
from dnslib.label import DNSLabelError

from snowcave.agent.network.hosts import Answer
from snowcave.model.errors import Unavailable

_TRIES = 3
_NO_SUCH_TTL = 5.0
_KNOWN = (RCODE.NOERROR, RCODE.NXDOMAIN)
# What dnslib raises on names and bytes that it does not like.
_UNREADABLE = (DNSError, DNSLabelError, ValueError, struct.error, LookupError, TypeError)


@dataclass(frozen=True, slots=True)
class DnsResolver:
    address: str
    port: int
    # Patience with one datagram; the caller bounds the whole.
    patience: float = 1.0

    async def ask(self, host: str) -> Answer:
        """Raises Unavailable."""
        try:
            asked = _question(host)
            answer = DNSRecord.parse(await self._over_udp(asked))
            if answer.header.tc:
                answer = DNSRecord.parse(await self._over_tcp(asked))
            return told(answer, host)
        except (OSError, EOFError, *_UNREADABLE) as error:
            raise Unavailable(f"no answer about {host}: {error!r}") from error

    async def _over_udp(self, asked: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Datagrams(asked[:2]), remote_addr=(self.address, self.port)
        )
        try:
            for _ in range(_TRIES):
                transport.sendto(asked)
                done, _pending = await asyncio.wait({protocol.answer}, timeout=self.patience)
                if done:
                    return protocol.answer.result()
            raise TimeoutError("the DNS daemon is silent")
        finally:
            transport.close()
            protocol.answer.cancel()

    async def _over_tcp(self, asked: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(asked).to_bytes(2, "big") + asked)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class EveryReplica:
    """Asks all replicas that are alive, for a container may have any one's answer."""

    replicas: Callable[[], Sequence[tuple[str, int]]]

    async def ask(self, host: str) -> Answer:
        """What they say together, the silent ones left out. Raises Unavailable where all are silent."""
        told = await asyncio.gather(*(_one(DnsResolver(*at), host) for at in self.replicas()))
        answers = [one for one in told if isinstance(one, Answer)]
        if not answers:
            raise Unavailable("; ".join(str(one) for one in told))
        addresses = frozenset[str]().union(*(one.addresses for one in answers))
        return Answer(addresses, min(one.ttl for one in answers))


async def _one(resolver: DnsResolver, host: str) -> Answer | Unavailable:
    try:
        return await resolver.ask(host)
    except Unavailable as error:
        return error


def _question(host: str) -> bytes:
    header = DNSHeader(id=secrets.randbelow(1 << 16), rd=1)
    return bytes(DNSRecord(header, q=DNSQuestion(host, QTYPE.A)).pack())


def told(answer: DNSRecord, host: str) -> Answer:
    """Raises Unavailable where the answer says that somebody else did not answer."""
    if answer.header.rcode not in _KNOWN:
        raise Unavailable(f"no answer about {host}: {RCODE.get(answer.header.rcode)}")
    found = [record for record in answer.rr if record.rtype == QTYPE.A]
    ttl = min((record.ttl for record in answer.rr), default=_NO_SUCH_TTL)
    return Answer(frozenset(str(record.rdata) for record in found), float(ttl))


class _Datagrams(asyncio.DatagramProtocol):
    """The first that bears the question's id; others are dropped."""

    def __init__(self, identity: bytes) -> None:
        self._identity = identity
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._identity and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)
