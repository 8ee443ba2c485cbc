"""Small changes to the kernel's table end where a whole new table would: both are asked of a real nft."""

import os
import random
import shutil

import pytest

from snowcave.agent.network.callers import ANYBODY
from snowcave.agent.network.egress import ANY_HOST
from snowcave.agent.network.rules import NOTHING, ServiceRules, difference
from snowcave.agent.network.ruleset import Marks, change, whole
from tests.kit.kernel_rules import PLACE, kernel_after

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs nft in a network namespace"
)


def rules(rng: random.Random) -> ServiceRules:
    local = [f"10.244.1.{rng.randrange(10, 14)}" for _ in range(rng.randrange(3))]
    every = [*local, *(f"10.244.2.{rng.randrange(10, 14)}" for _ in range(rng.randrange(3)))]
    owners = {address: 1 << 50 | rng.randrange(3) for address in every}
    chosen = tuple(dict.fromkeys(rng.sample(every, rng.randrange(len(every) + 1))))
    ports = rng.sample([8000, 8001], rng.randrange(3))
    hosts = rng.sample(["192.0.2.1", "192.0.2.2", ANY_HOST], rng.randrange(3))
    service = rng.randrange(77, 79)
    return ServiceRules(
        owners=owners,
        local=frozenset(local),
        allowed=frozenset(
            (role, a, port) for a in local for port in ports for role in (owners[a], ANYBODY)
        ),
        ranges=frozenset((owners[a], a, 7000, 7010) for a in local if rng.random() < 0.5),
        translated={("10.245.1.0", port): chosen for port in ports if chosen},
        leavers=dict.fromkeys(local, service) if hosts else {},
        held=frozenset((service, number) for number, _ in enumerate(hosts, 5)),
        openings={
            (service, host, 443): rng.choice((number, 1 << 31))
            for number, host in enumerate(hosts, 5)
        },
    )


@pytest.mark.parametrize("seed", range(6))
def test_changes_one_after_another_are_worth_a_whole_table(seed: int):
    rng, marks = random.Random(seed), Marks()
    texts, before = [whole(PLACE, NOTHING, marks)], NOTHING
    for _ in range(6):
        after = rules(rng)
        if delta := difference(before, after):
            texts.append(change(delta, marks, after.ranges))
        before = after
    assert kernel_after(*texts) == kernel_after(whole(PLACE, before, marks))


def test_the_table_can_be_made_anew_at_any_time():
    marks = Marks()
    full = whole(PLACE, rules(random.Random(1)), marks)
    assert kernel_after(full, full) == kernel_after(full)


def test_marks_are_small_and_stay():
    marks = Marks()
    assert [marks.of(role) for role in (1 << 52, 5, 1 << 52)] == [1, 2, 1]
