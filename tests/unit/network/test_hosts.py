"""Addresses of hosts that containers may go to: asked for in time, open a little longer, and bounded."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from dnslib import QTYPE, RCODE, RR, SOA, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from snowcave.agent.network.hosts import Answer, Hosts, HostSettings, open_hosts, seen
from snowcave.agent.network.resolving import DnsResolver, told
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable

pytestmark = pytest.mark.looptime
SETTINGS = HostSettings()
HOST = "api.example.com"


@dataclass
class FakeResolver:
    answer: Answer | None = field(default_factory=lambda: answer("192.0.2.1"))
    asked: list[str] = field(default_factory=list[str])

    async def ask(self, host: str) -> Answer:
        self.asked.append(host)
        await asyncio.sleep(0.01)
        if self.answer is None:
            raise Unavailable("nobody answers")
        return self.answer


def answer(*addresses: str, ttl: float = 10) -> Answer:
    return Answer(frozenset(addresses), ttl)


@asynccontextmanager
async def keeping(resolver: FakeResolver, *hosts: str) -> AsyncGenerator[Hosts]:
    async with open_hosts(resolver, SETTINGS, LoopClock(), random.Random(1)) as kept:
        kept.want(hosts)
        await kept.first_answers()
        yield kept


async def test_an_address_that_left_the_answers_stays_open_for_a_while_and_then_goes():
    resolver = FakeResolver()
    async with keeping(resolver, HOST) as hosts:
        changes: list[frozenset[str]] = []
        hosts.changed = lambda: changes.append(hosts.resolved[HOST])
        assert hosts.resolved == {HOST: {"192.0.2.1"}}
        resolver.answer = answer("192.0.2.2")
        await asyncio.sleep(11)
        assert hosts.resolved[HOST] == {"192.0.2.1", "192.0.2.2"}
        await asyncio.sleep(SETTINGS.grace + 11)
        assert changes == [{"192.0.2.1", "192.0.2.2"}, {"192.0.2.2"}]


async def test_addresses_stay_as_long_as_nobody_answers_and_are_asked_for_less_and_less():
    resolver = FakeResolver()
    async with keeping(resolver, HOST) as hosts:
        resolver.answer = None
        await asyncio.sleep(3600)
        assert hosts.resolved[HOST] == {"192.0.2.1"}
        assert 3600 / SETTINGS.latest <= len(resolver.asked) < 1000
        resolver.answer = answer("192.0.2.9")
        await asyncio.sleep(SETTINGS.latest + 1)
        assert hosts.resolved[HOST] == {"192.0.2.9"}


async def test_a_host_is_asked_for_again_when_its_answer_ends_within_bounds():
    resolver = FakeResolver(answer("192.0.2.1", ttl=100_000))
    async with keeping(resolver, HOST):
        await asyncio.sleep(10 * SETTINGS.latest)
        assert 9 <= len(resolver.asked) <= 11
        resolver.answer, resolver.asked = answer("192.0.2.1", ttl=0), []
        await asyncio.sleep(SETTINGS.latest + 10 * SETTINGS.soonest)
        assert len(resolver.asked) <= SETTINGS.latest + 12


async def test_a_host_that_is_not_wanted_any_more_is_forgotten_and_not_asked_for():
    resolver = FakeResolver()
    async with keeping(resolver, HOST, "other.example") as hosts:
        hosts.want(["other.example"])
        resolver.asked.clear()
        await asyncio.sleep(60)
        assert (set(hosts.resolved), set(resolver.asked)) == ({"other.example"},) * 2


async def test_the_start_does_not_wait_for_a_resolver_that_is_away():
    began = asyncio.get_running_loop().time()

    class Mute(FakeResolver):
        async def ask(self, host: str) -> Answer:
            await asyncio.sleep(3600)
            raise AssertionError

    async with keeping(Mute(), HOST) as hosts:
        assert asyncio.get_running_loop().time() - began == SETTINGS.first
        assert hosts.resolved == {}


_ANSWERS = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.builds(
            Answer,
            st.frozensets(st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"])),
            st.floats(0, 50) | st.just(1e9),
        ),
    ),
    max_size=8,
)


@given(_ANSWERS)
def test_what_is_open_was_answered_less_than_ttl_and_grace_ago(told: list[tuple[float, Answer]]):
    now, before, last = 0.0, dict[str, float](), dict[str, float]()
    for pause, one in told:
        now += pause
        last |= dict.fromkeys(one.addresses, now + min(one.ttl, SETTINGS.longest) + 60)
        before = dict(seen(before, one, now, SETTINGS))
        assert one.addresses <= before.keys()
        assert before == {address: until for address, until in last.items() if until > now}


def reply(rcode: int = RCODE.NOERROR) -> DNSRecord:
    made = DNSRecord.question(HOST).reply()
    made.header.rcode = rcode
    return made


def test_an_answer_has_its_addresses_and_lasts_as_long_as_the_shortest_of_its_records():
    found = reply()
    found.add_answer(*RR.fromZone(f"{HOST} 30 CNAME far.example.net"))
    for ttl, address in ((300, "192.0.2.1"), (60, "192.0.2.2")):
        found.add_answer(RR("far.example.net", QTYPE.A, rdata=A(address), ttl=ttl))
    assert told(found, HOST) == answer("192.0.2.1", "192.0.2.2", ttl=30)


def test_a_host_that_is_not_there_has_no_address_and_a_failure_says_nothing():
    gone = reply(RCODE.NXDOMAIN)
    gone.add_auth(RR("example.com", QTYPE.SOA, rdata=SOA("ns", "host"), ttl=60))
    assert told(gone, HOST).addresses == frozenset()
    with pytest.raises(Unavailable):
        told(reply(RCODE.SERVFAIL), HOST)


@given(st.binary(max_size=80))
async def test_whatever_the_daemon_sends_is_an_answer_or_none(garbage: bytes):
    class Answering(DnsResolver):
        async def _over_udp(self, asked: bytes) -> bytes:
            return asked[:2] + garbage

    with suppress(Unavailable):
        await Answering("127.0.0.1", 53).ask(HOST)


async def test_a_name_that_cannot_be_asked_for_has_no_answer():
    with pytest.raises(Unavailable):
        await DnsResolver("127.0.0.1", 53).ask("a" * 64)
