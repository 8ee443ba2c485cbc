"""Which replicas of dns questions for names are sent to, and what nodes ask of all of them."""

import asyncio
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from snowcave.agent.network import resolving
from snowcave.agent.network.hosts import Answer
from snowcave.agent.network.resolvers import Replica, alive, spread
from snowcave.agent.network.resolving import EveryReplica
from snowcave.agent.network.rules import NOTHING
from snowcave.agent.network.ruleset import Marks, whole
from snowcave.model.errors import Unavailable
from snowcave.v1 import state_pb2 as state
from tests.kit.kernel_rules import PLACE, kernel_after

needs_nft = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs nft in a network namespace"
)
OWN = (PLACE.machine, PLACE.dns_port)
SECOND, THIRD = (PLACE.machine, 9453), ("10.246.0.7", 8453)


def announced(*replicas: Replica) -> list[state.DnsServer]:
    return [state.DnsServer(address=address, port=port) for address, port in replicas]


def test_those_that_are_announced_are_asked_each_once():
    assert alive(PLACE, announced(SECOND, OWN, SECOND)) == (OWN, SECOND)
    assert alive(PLACE, announced(THIRD)) == (THIRD,)


def test_the_machines_own_is_asked_where_none_is_announced():
    assert alive(PLACE, ()) == (OWN,)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_announcement_without_a_port_is_passed_over(port: int):
    assert alive(PLACE, announced((PLACE.machine, port), SECOND)) == (SECOND,)


@pytest.mark.parametrize("address", ["", "dns.example", "::1", "10.0.0.1 }; flush ruleset"])
def test_nothing_but_an_address_gets_into_the_rules(address: str):
    assert alive(PLACE, announced((address, 8453))) == (OWN,)


@needs_nft
@pytest.mark.parametrize("last", [(OWN,), (THIRD,), (OWN, SECOND, THIRD)])
def test_replicas_that_come_and_go_leave_what_a_whole_table_has(last: tuple[Replica, ...]):
    marks = Marks()
    texts = [whole(PLACE, NOTHING, marks), spread((OWN, SECOND)), spread((SECOND,)), spread(last)]
    assert kernel_after(*texts) == kernel_after(whole(PLACE, NOTHING, marks, last))


@dataclass
class Told:
    """What each replica says, by its port."""

    answers: dict[int, Answer | None]

    async def ask(self, at: Replica) -> Answer:
        await asyncio.sleep(random.random() / 1000)
        if (found := self.answers[at[1]]) is None:
            raise Unavailable(f"{at[1]} is silent")
        return found


def asked(monkeypatch: pytest.MonkeyPatch, *answers: Answer | None) -> EveryReplica:
    told = Told(dict(enumerate(answers)))

    @dataclass(frozen=True)
    class Resolver:
        address: str
        port: int

        async def ask(self, host: str) -> Answer:
            return await told.ask((self.address, self.port))

    monkeypatch.setattr(resolving, "DnsResolver", Resolver)
    every: Sequence[Replica] = [("192.0.2.53", port) for port in told.answers]
    return EveryReplica(lambda: every)


def answer(*addresses: str, ttl: float = 10) -> Answer:
    return Answer(frozenset(addresses), ttl)


async def test_a_host_has_the_addresses_that_any_replica_tells(monkeypatch: pytest.MonkeyPatch):
    every = asked(monkeypatch, answer("192.0.2.1"), answer("192.0.2.1", "192.0.2.2", ttl=3))
    assert await every.ask("api.example.com") == answer("192.0.2.1", "192.0.2.2", ttl=3)


async def test_a_replica_that_is_silent_is_left_out(monkeypatch: pytest.MonkeyPatch):
    assert await asked(monkeypatch, None, answer("192.0.2.1")).ask("h") == answer("192.0.2.1")


async def test_a_host_is_not_resolved_where_all_are_silent(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Unavailable, match="0 is silent; 1 is silent"):
        await asked(monkeypatch, None, None).ask("h")
