"""What every store promises, whichever it is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import cast

import pytest

from snowcave.model import keys
from snowcave.model.errors import Conflict, NotAuthorized, ValueInvalid
from snowcave.model.keys import Role
from snowcave.store.api import (
    Change,
    CompactedError,
    Compare,
    Delete,
    Put,
    Revision,
    Store,
    WatchBatch,
)
from snowcave.store.election import campaign
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state


def name_key(mine: str, name: object) -> str:
    return keys.NAMES.key(mine, "p", name)


def uid_entry(uid: int) -> bytes:
    return state.NameEntry(uid=uid).SerializeToString()


async def changes(
    store: Store, prefix: str, revision: Revision, count: int
) -> tuple[list[Change], list[WatchBatch]]:
    """The next so many changes, and the batches they came in."""
    found: list[Change] = []
    batches: list[WatchBatch] = []
    watch = cast("AsyncGenerator[WatchBatch]", store.watch(prefix, revision))
    async with asyncio.timeout(20), aclosing(watch) as feed:
        async for batch in feed:
            found.extend(batch.changes)
            batches.append(batch)
            if len(found) >= count:
                break
    return found, batches


async def test_many_keys_are_read_at_once_in_the_order_asked(world, mine):
    store = await world.store(Role.API)
    revision = await store.put(name_key(mine, "b"), b"two")
    await store.put(name_key(mine, "a"), b"one")
    found = await store.get_many([name_key(mine, name) for name in ("a", "none", "b")])
    assert [one.value if one else None for one in found] == [b"one", None, b"two"]
    assert found[2].mod_revision == revision


async def test_a_put_is_read_back_with_its_revisions(world, mine):
    store = await world.store(Role.API)
    first = await store.put(name_key(mine, 1), b"one")
    second = await store.put(name_key(mine, 1), b"two")
    found = await store.get(name_key(mine, 1))
    assert found is not None
    assert second > first
    assert (found.value, found.create_revision, found.mod_revision, found.version) == (
        b"two",
        first,
        second,
        2,
    )


async def test_a_key_that_is_not_there_is_none(world, mine):
    store = await world.store(Role.API)
    assert await store.get(name_key(mine, 1)) is None
    assert await store.delete(name_key(mine, 1)) is False


async def test_keys_and_values_may_hold_anything(world, mine):
    store = await world.store(Role.API)
    key = name_key(mine, "sl/ash \u00fc\U0001f600%")
    value = bytes(range(256)) * 20
    await store.put(key, value)
    assert (await store.get(key)).value == value
    assert await store.delete(key)
    assert await store.get(key) is None


async def test_a_list_of_many_pages_is_complete_and_in_order(world, mine):
    store = await world.store(Role.API)
    last = 0
    for number in range(30):
        last = await store.put(name_key(mine, f"{number:03}"), b"v")
    listing = await store.list(keys.NAMES.under(mine))
    assert [item.key for item in listing.items] == [name_key(mine, f"{n:03}") for n in range(30)]
    assert listing.revision >= last
    bare = await store.list(keys.NAMES.under(mine), keys_only=True)
    assert {item.value for item in bare.items} == {b""}
    assert (await store.list(keys.NAMES.under(f"{mine}-not"))).items == ()


async def test_a_transaction_whose_compare_fails_writes_nothing(world, mine):
    store = await world.store(Role.API)
    a, b = name_key(mine, "a"), name_key(mine, "b")
    created = await store.txn([Compare(a, create_revision=0)], [Put(a, b"1"), Put(b, b"1")])
    again = await store.txn([Compare(a, create_revision=0)], [Put(a, b"2"), Delete(b)])
    assert (created.succeeded, again.succeeded) == (True, False)
    assert (await store.get(a)).value == b"1"
    assert (await store.get(b)).mod_revision == (await store.get(a)).mod_revision
    exact = await store.txn(
        [Compare(a, mod_revision=created.revision), Compare(b, mod_revision=created.revision)],
        [Delete(keys.NAMES.under(mine), prefix=True)],
    )
    assert exact.succeeded
    assert (await store.list(keys.NAMES.under(mine))).items == ()


async def test_a_transaction_may_not_change_a_key_twice(world, mine):
    store = await world.store(Role.API)
    key = name_key(mine, "a")
    with pytest.raises(ValueInvalid):
        await store.txn([], [Put(key, b"1"), Put(key, b"2")])
    with pytest.raises(ValueInvalid):
        await store.txn([], [Put(key, b"1"), Delete(keys.NAMES.under(mine), prefix=True)])
    assert await store.get(key) is None


async def test_a_role_writes_its_own_keys_only(world, mine):
    api, scheduler, admin = [await world.store(r) for r in (Role.API, Role.SCHEDULER, Role.ADMIN)]
    key = name_key(mine, 1)
    for store in (scheduler, admin):
        with pytest.raises(NotAuthorized):
            await store.put(key, b"")
        with pytest.raises(NotAuthorized):
            await store.delete(key)
        with pytest.raises(NotAuthorized):
            await store.txn([], [Delete(keys.NAMES.under(mine), prefix=True)])
    for key in ("elsewhere", "status/", "reign/admin/x", "reign/scheduler/x"):
        with pytest.raises(NotAuthorized):
            await api.put(key, b"")
    assert await scheduler.get(key) is None


async def test_a_watch_tells_everything_from_its_revision_on_in_order(world, mine):
    store = await world.store(Role.API)
    a, b = name_key(mine, "a"), name_key(mine, "b")
    await store.put(a, b"before")
    first = await store.put(a, b"1")
    second = (await store.txn([], [Put(b, b"2"), Delete(a)])).revision
    reading = asyncio.create_task(changes(store, keys.NAMES.under(mine), first, 4))
    third = await store.put(b, b"3")
    found, batches = await reading
    assert [(c.key, c.value, c.mod_revision) for c in found if c.mod_revision != second] == [
        (a, b"1", first),
        (b, b"3", third),
    ]
    whole = [(c.key, c.value) for c in found if c.mod_revision == second]
    assert sorted(whole) == [(a, None), (b, b"2")]
    # A transaction is never parted.
    assert [len({c for c in x.changes if c.mod_revision == second}) for x in batches].count(2) == 1


async def test_a_watch_tells_only_of_its_prefix(world, mine):
    store = await world.store(Role.API)
    revision = await store.put(name_key(f"{mine}-other", "a"), b"1")
    await store.put(name_key(mine, "a"), b"2")
    found, _ = await changes(store, keys.NAMES.under(mine), revision, 1)
    assert [c.value for c in found] == [b"2"]


async def test_an_idle_watch_gives_signs_of_life(world, mine):
    store = await world.store(Role.API)
    watch = store.watch(keys.NAMES.under(mine), await store.put(name_key("x", mine), b""))
    async with asyncio.timeout(10), aclosing(watch):
        batches = [await anext(watch) for _ in range(4)]
    assert all(batch.changes == () for batch in batches)


async def test_a_watch_from_a_compacted_revision_says_so(world, mine):
    store = await world.store(Role.API)
    first = await store.put(name_key(mine, "a"), b"1")
    await store.put(name_key(mine, "a"), b"2")
    last = await store.put(name_key(mine, "a"), b"3")
    await world.raw.compact(last)
    with pytest.raises(CompactedError) as caught:
        await changes(store, keys.NAMES.under(mine), first, 1)
    assert caught.value.oldest == last
    assert (await store.get(name_key(mine, "a"))).value == b"3"


async def test_big_values_arrive_whole(world, mine):
    store = await world.store(Role.API)
    writes = [Put(name_key(mine, n), bytes([n]) * 200_000) for n in range(6)]
    revision = (await store.txn([], writes)).revision
    await store.put(name_key(mine, "end"), b"")
    found, batches = await changes(store, keys.NAMES.under(mine), revision, 7)
    assert [c.value for c in found] == [w.value for w in writes] + [b""]
    assert next(len(b.changes) for b in batches if b.changes) >= 6


async def test_a_list_of_values_too_large_for_one_answer_is_complete(world, mine):
    store = await world.store(Role.API)
    for number in range(7):
        await store.put(name_key(mine, number), bytes(1_000_000))
    listing = await store.list(keys.NAMES.under(mine))
    assert [len(item.value) for item in listing.items] == [1_000_000] * 7


async def test_keys_of_a_lease_go_when_it_is_left(world, mine):
    store = await world.store(Role.API)
    async with store.lease(5) as lease:
        await store.put(name_key(mine, "a"), b"", lease=lease.id)
        assert (await store.get(name_key(mine, "a"))).lease == lease.id
        assert not lease.lost
    assert await store.get(name_key(mine, "a")) is None


async def test_a_lease_that_nobody_keeps_takes_its_keys_with_it(world, mine):
    store = await world.store(Role.API)
    lease = await world.raw.grant(2)
    revision = await store.put(name_key(mine, "a"), b"", lease=lease)
    await store.put(name_key(mine, "b"), b"", lease=lease)
    found, _ = await changes(store, keys.NAMES.under(mine), revision, 4)
    assert [c.value for c in found] == [b"", b"", None, None]
    assert found[2].mod_revision == found[3].mod_revision


async def test_a_key_put_again_without_the_lease_stays(world, mine):
    store = await world.store(Role.API)
    async with store.lease(5) as lease:
        await store.put(name_key(mine, "a"), b"1", lease=lease.id)
        await store.put(name_key(mine, "a"), b"2")
    assert (await store.get(name_key(mine, "a"))).value == b"2"


async def test_a_lease_is_lost_when_the_store_has_dropped_it(world, mine):
    store = await world.store(Role.API)
    async with asyncio.timeout(20), store.lease(3) as lease:
        await world.raw.revoke(lease.id)
        with pytest.raises(Conflict):
            await store.put(name_key(mine, "a"), b"", lease=lease.id)
        await lease.wait_lost()
        assert lease.lost


async def test_a_lease_outlives_its_ttl_while_it_is_kept(world, mine):
    store = await world.store(Role.API)
    async with store.lease(2) as lease:
        await store.put(name_key(mine, "a"), b"", lease=lease.id)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(4):
                await lease.wait_lost()
        assert await store.get(name_key(mine, "a")) is not None


async def test_a_mirror_follows_and_lists_again_after_compaction(world, mine):
    store = await world.store(Role.API)
    await store.put(name_key(mine, "a"), uid_entry(1))
    heard: list[tuple[tuple[str, ...], int | None]] = []
    async with asyncio.timeout(20), follow(store, keys.NAMES, mine) as mirror:
        mirror.subscribe(lambda parts, entry: heard.append((parts, entry and entry.uid)))
        assert [entry.uid for entry in mirror.values()] == [1]
        await store.txn([], [Put(name_key(mine, "b"), uid_entry(2)), Delete(name_key(mine, "a"))])
        await mirror.wait(lambda m: m.get(mine, "p", "b") is not None)
        assert [parts for parts, _ in mirror.items()] == [(mine, "p", "b")]
        assert sorted(heard) == [((mine, "p", "a"), None), ((mine, "p", "b"), 2)]
        async with follow(store, keys.NAMES, mine) as other:
            assert other.digest()["sha256"] == mirror.digest()["sha256"]


async def test_one_of_two_candidates_leads_and_the_other_takes_over(world, mine, monkeypatch):
    one, two = await world.store(Role.SCHEDULER), await world.store(Role.SCHEDULER)
    awake, lease = asyncio.Event(), two.lease

    @asynccontextmanager
    async def lease_once_awake(ttl: float):
        await awake.wait()
        async with lease(ttl) as made:
            yield made

    async with asyncio.timeout(30):
        async with campaign(two, Role.SCHEDULER, mine, ttl=3) as second:
            await second.wait_leading()
            async with campaign(one, Role.SCHEDULER, mine, ttl=3) as first:
                told: list[bool] = []
                second.subscribe(told.append)
                assert not first.leading
                kept = await world.lease_of(two, second.key)
                fence = second.fence()
                # As if the store had let it expire while the leader was paused, which could be first again.
                monkeypatch.setattr(two, "lease", lease_once_awake)
                await world.raw.revoke(kept)
                await first.wait_leading()
                awake.set()
                place = Put(keys.VMS.key(mine, "n"), b"")
                assert not (await two.txn([fence], [place])).succeeded
                assert (await one.txn([first.fence()], [place])).succeeded
                assert told[0] is False
            await second.wait_leading()
            assert (await two.txn([second.fence()], [place])).succeeded
            assert second.fence() != fence
