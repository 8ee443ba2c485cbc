"""The server on real sockets of loopback, asked by dig and by hand."""

import asyncio
import errno
import random
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from dnslib import QTYPE, RR, A, DNSRecord

from snowcave.agent.network.hosts import Answer
from snowcave.agent.network.resolving import DnsResolver
from snowcave.dns.directory import Directory
from snowcave.dns.forwarding import ForwardSettings, open_forwarder
from snowcave.dns.responder import Responder
from snowcave.dns.server import AnswerCache, serve_dns
from snowcave.dns.settings import DnsSettings
from snowcave.dns.upstream import Server, Upstream, servers
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.runtime.listen import bound
from snowcave.runtime.mesh import Mesh

LOOPBACK = "127.0.0.1"
ECHO = "echo-service.k3m6.svc.spcs.internal"
QUICK = DnsSettings(Mesh(), upstream_deadline=0.3, tcp_idle=0.3, tcp_connections=2)


def names() -> Directory:
    directory = Directory("10.245.0.2")
    directory.hashes.put(2, "k3m6")
    directory.services.put(3, (2, "echo-service"))
    directory.service_addresses.put(3, None, "10.245.1.7")
    for number in range(200):
        directory.instances.put(3, str(number), f"10.244.1.{number}")
    return directory


@asynccontextmanager
async def serving(
    directory: Directory,
    cache: AnswerCache | None = None,
    upstream: tuple[Server, ...] = (),
    outstanding: int = 10,
    chosen: DnsSettings = QUICK,
) -> AsyncGenerator[int]:
    judge = Responder(directory, 5, 1232, random.Random(1))
    asked = Upstream(upstream, deadline=QUICK.upstream_deadline, outstanding=outstanding)
    cache = cache or AnswerCache(100)
    async with (
        open_forwarder(asked, ForwardSettings(), "10.244.0.0/16", 1232, LoopClock()) as forwarder,
        serve_dns([LOOPBACK], 0, chosen, judge, cache, forwarder) as port,
    ):
        yield port


async def dig(port: int, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("dig", f"@{LOOPBACK}", "-p", str(port), "+tries=1", "+time=5", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(10):
        output, _ = await process.communicate()
    return output.decode()


async def udp(port: int, *questions: bytes) -> list[bytes]:
    """Sends them all, then takes as many answers."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (LOOPBACK, port))
        for question in questions:
            await loop.sock_sendall(sock, question)
        async with asyncio.timeout(60):
            return [await loop.sock_recv(sock, 4096) for _ in questions]


def question(name: str = ECHO) -> bytes:
    return bytes(DNSRecord.question(name).pack())


def rcode(answer: bytes) -> int:
    return DNSRecord.parse(answer).header.rcode


@pytest.mark.documented
async def test_dig_reads_a_services_address_over_both_transports():
    async with serving(names()) as port:
        assert "status: NOERROR" in await dig(port, ECHO)
        for transport in ("+notcp", "+tcp"):
            assert (await dig(port, "+short", transport, ECHO)).split() == ["10.245.1.7"]
        short = ("+search", "+domain=k3m6.svc.spcs.internal", "+short", "echo-service")
        assert (await dig(port, *short)).split() == ["10.245.1.7"]


async def test_dig_asks_again_over_tcp_where_an_answer_is_cut_off():
    async with serving(names()) as port:
        assert len((await dig(port, "+short", f"instances.{ECHO}")).split()) == 200


async def test_a_cached_answer_carries_each_askers_id_and_goes_when_the_name_changes():
    directory, cache = names(), AnswerCache(100)
    async with serving(directory, cache) as port:
        asked = question()
        first, second = await udp(port, b"\x01\x02" + asked[2:], b"\xaa\xbb" + asked[2:])
        assert (first[:2], second[:2]) == (b"\x01\x02", b"\xaa\xbb")
        assert first[2:] == second[2:]
        assert len(cache.entries) == 1
        directory.service_addresses.put(3, None, "10.245.1.8")
        cache.clear()
        (third,) = await udp(port, asked)
        assert str(DNSRecord.parse(third).rr[0].rdata) == "10.245.1.8"


async def test_garbage_gets_silence_or_formerr_and_the_next_question_an_answer():
    rng = random.Random(3)
    async with serving(names()) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(300):
                sock.sendto(rng.randbytes(rng.randrange(0, 600)), (LOOPBACK, port))
        (answer,) = await udp(port, question())
        assert rcode(answer) == 0


async def test_a_silent_tcp_client_is_hung_up_on_and_a_crowd_is_turned_away():
    async with serving(names()) as port:
        first = await asyncio.open_connection(LOOPBACK, port)
        second = await asyncio.open_connection(LOOPBACK, port)
        third = await asyncio.open_connection(LOOPBACK, port)
        async with asyncio.timeout(60):
            for reader, writer in (third, first, second):
                assert await reader.read() == b""
                writer.close()


async def test_a_question_of_64_kilobytes_is_hung_up_on():
    async with serving(names()) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"\xff\xff" + b"x" * 100)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_other_names_are_asked_of_the_upstream_over_the_same_transport():
    other = Directory("10.0.0.2")
    async with (
        serving(other) as far,
        serving(names(), upstream=(Server(LOOPBACK, far),)) as port,
    ):
        (answer,) = await udp(port, question("example.com"))
        assert rcode(answer) == 5  # the far one has nobody to ask: REFUSED
        assert "status: REFUSED" in await dig(port, "+tcp", "example.com")


async def test_a_dead_upstream_gives_servfail_after_the_next_was_tried():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((LOOPBACK, 0))
        dead = Server(LOOPBACK, mute.getsockname()[1])
        async with serving(names(), upstream=(dead, dead)) as port:
            (answer,) = await udp(port, question("example.com"))
            assert rcode(answer) == 2


async def test_forwarded_questions_are_bounded_and_ours_are_answered_meanwhile():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((LOOPBACK, 0))
        dead = Server(LOOPBACK, mute.getsockname()[1])
        async with serving(names(), upstream=(dead,), outstanding=1) as port:
            abroad = [question(f"n{number}.example.com") for number in range(2)]
            answers = await udp(port, *abroad, question())
            # One was turned away at once, ours answered beside it; the last waited for its upstream.
            assert sorted(rcode(answer) for answer in answers[:2]) == [0, 2]
            assert rcode(answers[2]) == 2


async def test_those_who_wait_for_one_answer_are_bounded_too():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((LOOPBACK, 0))
        dead = Server(LOOPBACK, mute.getsockname()[1])
        few = replace(QUICK, waiting=2)
        async with serving(names(), upstream=(dead,), chosen=few) as port:
            answers = await udp(port, *[question("example.com")] * 3, question())
            # The third was turned away and ours answered before the upstream was given up.
            assert [rcode(answer) for answer in answers] == [2, 0, 2, 2]


async def test_a_forged_answer_of_an_upstream_is_not_believed():
    loop = asyncio.get_running_loop()

    class Forger(asyncio.DatagramProtocol):
        sent = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            wrong_id = bytes([data[0] ^ 1]) + data[1:2] + b"\x81\x80" + data[4:]
            self.transport.sendto(wrong_id, addr)
            elsewhere = DNSRecord.question("evil.example").reply().pack()
            self.transport.sendto(data[:2] + bytes(elsewhere)[2:], addr)
            self.sent += 2

    transport, far = await loop.create_datagram_endpoint(Forger, local_addr=(LOOPBACK, 0))
    forger = Server(LOOPBACK, transport.get_extra_info("sockname")[1])
    async with serving(names(), upstream=(forger,)) as port:
        (answer,) = await udp(port, question("example.com"))
        assert (rcode(answer), far.sent) == (2, 2)
    transport.close()


async def test_an_agent_reads_a_long_answer_over_tcp_and_no_answer_as_none():
    long = Directory("10.0.0.2")
    long.pools.put(1, "p")
    for number in range(200):
        long.nodes.put(1, f"n{number}", f"10.246.1.{number}")
    async with serving(long) as port:
        asking = DnsResolver(LOOPBACK, port)
        found = await asking.ask("discover.monitor.p.cp.spcs.internal")
        assert (len(found.addresses), found.ttl) == (200, 5.0)
        assert (await asking.ask("nobody.cp.spcs.internal")).addresses == frozenset()
        with pytest.raises(Unavailable):
            await asking.ask("example.com")  # nobody is there to be asked


async def test_many_who_ask_for_one_name_cost_one_question_upstream_and_later_ones_none():
    loop = asyncio.get_running_loop()

    class Far(asyncio.DatagramProtocol):
        asked = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.asked += 1
            record = DNSRecord.parse(data)
            answer = record.reply()
            answer.add_answer(RR(record.q.qname, QTYPE.A, rdata=A("192.0.2.1"), ttl=300))
            loop.call_later(0.05, self.transport.sendto, answer.pack(), addr)

    transport, far = await loop.create_datagram_endpoint(Far, local_addr=(LOOPBACK, 0))
    upstream = Server(LOOPBACK, transport.get_extra_info("sockname")[1])
    async with serving(names(), upstream=(upstream,)) as port:
        crowd = await udp(port, *[question("example.com")] * 20)
        assert (await dig(port, "+short", "+tcp", "EXAMPLE.com")).split() == ["192.0.2.1"]
        assert "eXample.COM." in await dig(port, "eXample.COM")
        assert len({answer[2:] for answer in crowd}) == 1
        # As an agent asks for what it has to open.
        assert await DnsResolver(LOOPBACK, port).ask("example.com") == Answer(
            frozenset({"192.0.2.1"}), 300.0
        )
        assert far.asked == 1
    transport.close()


def test_the_upstreams_are_the_setting_or_the_machines_own():
    text = "# comment\nsearch x\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
    assert servers((), text) == (Server("192.0.2.1"), Server("192.0.2.2"))
    assert servers(("192.0.2.9:5353", "192.0.2.8"), text) == (
        Server("192.0.2.9", 5353),
        Server("192.0.2.8"),
    )
    assert servers(("none",), text) == ()


async def test_the_port_can_be_had_again_at_once():
    directory = names()
    async with serving(directory) as port:
        await udp(port, question())
    judge = Responder(directory, 5, 1232, random.Random(1))
    nobody = Upstream((), deadline=1, outstanding=1)
    settings = replace(QUICK, batch=1)
    async with (
        open_forwarder(nobody, ForwardSettings(), "10.244.0.0/16", 1232, LoopClock()) as forwarder,
        serve_dns([LOOPBACK], port, settings, judge, AnswerCache(10), forwarder),
    ):
        await udp(port, *[question() for _ in range(20)])


async def test_a_port_that_is_free_for_udp_alone_is_passed_over(monkeypatch: pytest.MonkeyPatch):
    tried: list[int] = []

    def taken_at_first(address: str, port: int, *kind: Any, early: bool = False) -> socket.socket:
        if not kind:
            tried.append(port)
            if len(tried) == 1:
                raise OSError(errno.EADDRINUSE, "Address already in use")
        return bound(address, port, *kind, early=early)

    monkeypatch.setattr("snowcave.dns.server.bound", taken_at_first)
    async with serving(names()) as port:
        assert (len(set(tried)), tried[-1]) == (2, port)
        await udp(port, question())
