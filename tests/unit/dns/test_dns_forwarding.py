"""Answers of upstreams: how long they are kept, who is told of a new one when, and what bytes do to us."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, SOA, A, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.dns import wire
from snowcave.dns.forwarding import Forwarder, ForwardSettings, lifetime, open_forwarder
from snowcave.dns.upstream import Upstream
from snowcave.dns.wire import Unreadable
from snowcave.kit.clock import LoopClock

pytestmark = pytest.mark.looptime

NODE, CONTAINER = "10.246.0.11", "10.244.1.10"
NAME = "api.example.com"


@dataclass
class FakeUpstream(Upstream):
    """Answers with what its table has; counts how often it was asked."""

    addresses: list[str] = field(default_factory=lambda: ["192.0.2.1"])
    ttl: int = 60
    asked: int = 0
    rcode: int = 0
    soa: SOA | None = None
    room: int = 100

    @property
    def is_full(self) -> bool:
        return self.asked >= self.room

    async def ask(self, question: bytes, *, over_udp: bool) -> bytes:
        self.asked += 1
        await asyncio.sleep(0.1)
        record = DNSRecord.parse(question)
        reply = record.reply()
        reply.header.rcode = self.rcode
        for address in self.addresses:
            reply.add_answer(RR(record.q.qname, QTYPE.A, rdata=A(address), ttl=self.ttl))
        if self.soa is not None:
            reply.add_auth(RR("example.com", QTYPE.SOA, rdata=self.soa, ttl=600))
        reply.add_ar(EDNS0(udp_len=4096))
        packed = bytes(reply.pack())
        if over_udp and len(packed) > 1232:
            reply.header.tc = 1
            reply.rr.clear()
            packed = bytes(reply.pack())
        return packed


SETTINGS = ForwardSettings(entries=3)


@asynccontextmanager
async def forwarding(upstream: Upstream) -> AsyncGenerator[Forwarder]:
    async with open_forwarder(upstream, SETTINGS, "10.244.0.0/16", 1232, LoopClock()) as forwarder:
        yield forwarder


def question(name: str = NAME, *, edns: int = 0, identity: int = 7) -> bytes:
    record = DNSRecord.question(name)
    record.header.id = identity
    if edns:
        record.add_ar(EDNS0(udp_len=edns))
    return bytes(record.pack())


async def asked(
    forwarder: Forwarder, asker: str = CONTAINER, text: bytes = b"", *, over_udp: bool = True
) -> DNSRecord:
    text = text or question()
    known = forwarder.known(text, asker, over_udp=over_udp)
    if known is None:
        known = await forwarder.ask(text, asker, over_udp=over_udp)
    return DNSRecord.parse(known)


def told(answer: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


async def test_an_answer_is_kept_for_its_ttl_which_counts_down():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        assert told(await asked(forwarder)) == ["192.0.2.1"]
        await asyncio.sleep(20)
        later = await asked(forwarder)
        assert (later.rr[0].ttl, upstream.asked) == (40, 1)
        await asyncio.sleep(41)
        assert (await asked(forwarder)).rr[0].ttl == 60
        assert upstream.asked == 2


async def test_who_asks_in_another_way_is_served_by_the_same_answer_in_his_own():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        await asked(forwarder)
        other = await asked(forwarder, NODE, question("API.Example.COM", edns=4096, identity=9))
        assert (other.header.id, str(other.q.qname)) == (9, "API.Example.COM.")
        assert [record.rtype for record in other.ar] == [QTYPE.OPT]
        assert not (await asked(forwarder)).ar
        assert upstream.asked == 1


async def test_a_crowd_asks_upstream_once_and_one_that_leaves_does_not_disturb():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        crowd = [asyncio.create_task(asked(forwarder)) for _ in range(20)]
        await asyncio.sleep(0.05)
        crowd.pop(0).cancel()
        assert {str(told(await one)) for one in crowd} == {"['192.0.2.1']"}
        assert upstream.asked == 1


async def test_containers_are_told_of_new_addresses_once_nodes_had_time_to_open_them():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        await asked(forwarder, NODE)
        upstream.addresses = ["192.0.2.2"]
        await asyncio.sleep(61)
        assert told(await asked(forwarder, CONTAINER)) == ["192.0.2.1"]
        assert told(await asked(forwarder, NODE)) == ["192.0.2.2"]
        await asyncio.sleep(SETTINGS.hold)
        assert told(await asked(forwarder, CONTAINER)) == ["192.0.2.2"]
        assert upstream.asked == 2


async def test_what_ended_long_ago_is_told_to_nobody():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        await asked(forwarder)
        upstream.addresses = ["192.0.2.2"]
        await asyncio.sleep(60 + SETTINGS.hold_past + 1)
        assert told(await asked(forwarder, CONTAINER)) == ["192.0.2.2"]


async def test_errors_are_asked_again_and_absence_is_kept_as_long_as_the_zone_says():
    upstream = FakeUpstream([], rcode=RCODE.SERVFAIL)
    async with forwarding(upstream) as forwarder:
        for _ in range(2):
            assert (await asked(forwarder)).header.rcode == RCODE.SERVFAIL
        assert upstream.asked == 2
        upstream.rcode, upstream.soa = RCODE.NXDOMAIN, SOA("ns", "host", (1, 2, 3, 4, 20))
        for _ in range(2):
            assert (await asked(forwarder)).header.rcode == RCODE.NXDOMAIN
        assert upstream.asked == 3
        await asyncio.sleep(21)
        await asked(forwarder)
        assert upstream.asked == 4


async def test_an_answer_without_a_ttl_is_kept_for_the_shortest_time():
    upstream = FakeUpstream(ttl=0)
    async with forwarding(upstream) as forwarder:
        await asked(forwarder)
        assert ((await asked(forwarder)).rr[0].ttl, upstream.asked) == (0, 1)
        await asyncio.sleep(SETTINGS.shortest)
        await asked(forwarder)
        assert upstream.asked == 2


async def test_a_long_answer_is_fetched_over_tcp_and_cut_off_for_those_who_take_less():
    upstream = FakeUpstream([f"192.0.2.{number}" for number in range(200)])
    async with forwarding(upstream) as forwarder:
        short = await asked(forwarder, text=question(edns=4096))
        assert (short.header.tc, len(short.rr), len(short.ar)) == (1, 0, 1)
        whole = await asked(forwarder, over_udp=False)
        assert (whole.header.tc, len(whole.rr)) == (0, 200)
        assert upstream.asked == 2


async def test_few_answers_are_kept_and_the_oldest_goes_first():
    upstream = FakeUpstream()
    async with forwarding(upstream) as forwarder:
        for number in range(4):
            await asked(forwarder, text=question(f"n{number}.example.com"))
        await asked(forwarder, text=question("n3.example.com"))
        assert upstream.asked == 4
        await asked(forwarder, text=question("n0.example.com"))
        assert upstream.asked == 5


async def test_a_question_beyond_those_that_may_wait_fails_at_once():
    async with forwarding(FakeUpstream(room=0)) as forwarder:
        assert (await asked(forwarder)).header.rcode == RCODE.SERVFAIL


def answer(ttl: int = 60, *addresses: str) -> bytes:
    reply = DNSRecord.parse(question()).reply()
    for address in addresses:
        reply.add_answer(RR(NAME, QTYPE.A, rdata=A(address), ttl=ttl))
    return bytes(reply.pack())


def test_an_answer_to_another_question_is_not_taken():
    other = bytes(DNSRecord.question("evil.example").reply().pack())
    for bad in (other, question(), answer()[:14], b""):
        with pytest.raises(Unreadable):
            wire.read_answer(bad, wire.read_question(question()))


@given(st.integers(0, 1 << 31), st.integers(1, 4), st.floats(0, 1 << 20))
def test_a_ttl_never_grows_and_is_never_0_before_its_time(ttl: int, count: int, age: float):
    asked = wire.read_question(question())
    message = wire.read_answer(answer(ttl, *["192.0.2.1"] * count), asked)
    reply = DNSRecord.parse(wire.given(message, asked, age=age, limit=None, udp_size=1232))
    assert {record.ttl for record in reply.rr} == {max(1, ttl - int(age)) if ttl else 0}
    assert SETTINGS.shortest <= lifetime(message, SETTINGS) <= SETTINGS.longest


@settings(max_examples=300)
@given(st.data())
def test_damaged_answers_are_unreadable_or_read_and_nothing_else(data: st.DataObject):
    whole = bytearray(answer(60, "192.0.2.1", "192.0.2.2"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(2, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    asked = wire.read_question(question())
    try:
        message = wire.read_answer(bytes(whole[: data.draw(st.integers(0, len(whole)))]), asked)
    except Unreadable:
        return
    wire.given(message, asked, age=1, limit=512, udp_size=1232)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_question_or_unreadable(garbage: bytes):
    for text in (garbage, struct.pack("!HHHHHH", 1, 256, 1, 0, 0, 1) + garbage):
        try:
            read = wire.read_question(text)
        except Unreadable:
            continue
        assert wire.read_question(wire.asked_anew(read, 1232)).key == read.key
