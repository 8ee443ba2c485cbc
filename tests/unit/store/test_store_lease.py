"""A kept lease in virtual time."""

import asyncio

import pytest

from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from snowcave.store.lease import KeptLease, kept

pytestmark = pytest.mark.looptime


class Peer:
    """Answers, or does not, and remembers when it was asked."""

    def __init__(self) -> None:
        self.life = 9.0
        self.away = False
        self.hanging = False
        self.asked: list[float] = []
        self.revoked: list[int] = []

    async def refresh(self, lease_id: int) -> float:
        self.asked.append(asyncio.get_running_loop().time())
        if self.hanging:
            await asyncio.sleep(1000)
        if self.away:
            raise Unavailable("away")
        return self.life

    async def revoke(self, lease_id: int) -> None:
        self.revoked.append(lease_id)


def lease() -> KeptLease:
    clock = LoopClock()
    return KeptLease(5, 9.0, clock.monotonic(), clock)


async def test_it_is_kept_as_long_as_the_store_answers():
    peer = Peer()
    async with kept(lease(), peer.refresh, peer.revoke, patience=1.0) as held:
        await asyncio.sleep(100)
        assert not held.lost
    assert peer.revoked == [5]
    assert 30 <= len(peer.asked) <= 34


@pytest.mark.parametrize("how", ["away", "hanging"])
async def test_it_is_lost_when_its_life_passed_without_an_answer_and_not_later(how):
    peer = Peer()
    async with kept(lease(), peer.refresh, peer.revoke, patience=1.0) as held:
        await asyncio.sleep(3.5)  # answered once, at 3
        setattr(peer, how, True)
        await asyncio.sleep(8.0)
        assert not held.lost
        await held.wait_lost()
        assert held.lost
        assert asyncio.get_running_loop().time() == pytest.approx(12.0, abs=0.1)


async def test_it_is_lost_at_once_when_the_store_says_so():
    peer = Peer()
    async with kept(lease(), peer.refresh, peer.revoke, patience=1.0) as held:
        peer.life = 0.0
        await held.wait_lost()
        assert asyncio.get_running_loop().time() == pytest.approx(3.0, abs=0.1)


async def test_a_short_absence_does_not_lose_it():
    peer = Peer()
    async with kept(lease(), peer.refresh, peer.revoke, patience=1.0) as held:
        peer.away = True
        await asyncio.sleep(8.0)
        peer.away = False
        await asyncio.sleep(20.0)
        assert not held.lost


async def test_an_error_of_the_body_comes_through_as_it_is():
    peer = Peer()
    with pytest.raises(KeyError):
        async with kept(lease(), peer.refresh, peer.revoke, patience=1.0):
            raise KeyError
    assert peer.revoked == [5]
