"""Reads and writes that go together keep the promises that each has alone."""

import asyncio
from collections.abc import Sequence

import pytest

from snowcave.model import keys
from snowcave.model.errors import Conflict, Kind, NotAuthorized, RemoteError, Unavailable
from snowcave.model.keys import Role
from snowcave.store.api import Compare, Delete, KeyValue, Put, TxnResult, Write
from snowcave.store.grouped import Transaction, grouped, groups
from tests.kit.memory_store import MemoryStore


def key(name: object) -> str:
    return keys.NAMES.key("role", "0", name)


class Counting(MemoryStore):
    """Knows what it was asked, and takes its time."""

    def __init__(self) -> None:
        super().__init__(Role.API)
        self.backend.latency = lambda: 0.001
        self.asked: list[int] = []

    async def get(self, key: str) -> KeyValue | None:
        self.asked.append(1)
        return await super().get(key)

    async def get_many(self, keys: Sequence[str]) -> list[KeyValue | None]:
        self.asked.append(len(keys))
        return await super().get_many(keys)

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        self.asked.append(len(writes))
        return await super().txn(compares, writes)


async def test_what_is_asked_for_meanwhile_goes_in_one_request():
    store = Counting()
    for name in range(9):
        await store.put(key(name), b"%d" % name)
    store.asked.clear()
    async with grouped(store) as together:
        found = await asyncio.gather(*(together.get(key(name)) for name in range(10)))
    assert [one.value if one else None for one in found] == [*(b"%d" % n for n in range(9)), None]
    assert sum(store.asked) == 10
    assert len(store.asked) <= 2


async def test_transactions_on_different_keys_share_a_revision():
    store = Counting()
    async with grouped(store) as together:
        results = await asyncio.gather(
            *(
                together.txn([Compare(key(n), mod_revision=0)], [Put(key(n), b"x")])
                for n in range(8)
            )
        )
    assert all(one.succeeded for one in results)
    assert len({one.revision for one in results}) <= 2
    assert sum(store.asked) == 8


async def test_one_that_does_not_hold_fails_alone():
    store = Counting()
    await store.put(key("taken"), b"")
    async with grouped(store) as together:
        results = await asyncio.gather(
            *(
                together.txn([Compare(key(n), mod_revision=0)], [Put(key(n), b"x")])
                for n in ("a", "taken", "b")
            )
        )
    assert [one.succeeded for one in results] == [True, False, True]


async def test_a_lease_that_is_gone_fails_its_own_transaction_only():
    store = Counting()
    async with grouped(store) as together:
        results = await asyncio.gather(
            together.txn([], [Put(key("a"), b"x")]),
            together.txn([], [Put(key("b"), b"x", 77)]),
            together.txn([], [Put(key("c"), b"x")]),
            return_exceptions=True,
        )
    assert isinstance(results[1], Conflict)
    assert all(isinstance(one, TxnResult) and one.succeeded for one in (results[0], results[2]))


async def test_a_key_of_another_role_is_refused_before_it_joins_others():
    async with grouped(Counting()) as together:
        with pytest.raises(NotAuthorized):
            await together.put(keys.NODES.key("n"), b"")


async def test_nobody_is_told_of_success_while_the_store_is_away():
    store = Counting()
    async with grouped(store) as together:
        store.reachable = False
        results = await asyncio.gather(
            *(together.put(key(n), b"x") for n in range(3)),
            *(together.get(key(n)) for n in range(3)),
            return_exceptions=True,
        )
    assert all(isinstance(one, Unavailable) for one in results)


class Breaking(Counting):
    """Breaks once it has written, without a word of that."""

    async def txn(self, compares: Sequence[Compare], writes: Sequence[Write]) -> TxnResult:
        await super().txn(compares, writes)
        raise RemoteError(Kind.INTERNAL, 370001, "XX000", "The state store: broken")


async def test_what_may_have_been_written_is_not_said_again():
    store = Breaking()
    async with grouped(store) as together:
        results = await asyncio.gather(
            *(
                together.txn([Compare(key(n), mod_revision=0)], [Put(key(n), b"x")])
                for n in range(4)
            ),
            return_exceptions=True,
        )
    assert all(isinstance(one, RemoteError) for one in results)
    assert sum(store.asked) == 4


async def test_who_still_waits_when_the_store_is_left_is_told_so():
    store = Counting()
    store.backend.latency = lambda: 3600.0
    async with grouped(store) as together:
        tasks = [asyncio.create_task(together.put(key(n), b"x")) for n in range(2)]
        tasks.append(asyncio.create_task(together.put(key(0), b"y")))
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in results)
    with pytest.raises(Unavailable):
        await together.get(key(0))


async def test_one_that_gives_up_takes_nobody_with_it():
    store = Counting()
    async with grouped(store) as together:
        tasks = [asyncio.create_task(together.put(key(n), b"x")) for n in range(4)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, int) for one in results] == [True, True, False, True]


def test_transactions_that_touch_one_key_stay_in_their_order():
    def one(written: str, *compared: str) -> Transaction:
        return Transaction(
            [Compare(name, mod_revision=0) for name in compared], [Put(written, b"")]
        )

    # Both compare the schema, which neither writes.
    assert groups([one("a", "schema"), one("b", "schema")]) == [[0, 1]]
    assert groups([one("a"), one("a"), one("b")]) == [[0], [1, 2]]
    assert groups([one("a", "b"), one("b")]) == [[0], [1]]
    assert groups([one("b"), one("a", "b")]) == [[0], [1]]
    whole = Transaction([], [Delete("p/", prefix=True)])
    assert groups([one("a"), whole, one("b")]) == [[0], [1], [2]]
