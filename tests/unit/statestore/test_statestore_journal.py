"""The file: what it refuses to open, and that what was written is there."""

import asyncio
import random
from pathlib import Path

import pytest

from snowcave.kit.clock import LoopClock
from snowcave.statestore.journal import StateDamaged
from snowcave.statestore.settings import Limits
from snowcave.statestore.state import open_state_file
from snowcave.store.etcdpb import rpc_pb2 as pb


def opened(folder: Path):
    return open_state_file(folder, Limits(), LoopClock(), random.Random(1))


async def test_state_leases_and_compaction_outlive_the_process(tmp_path):
    async with asyncio.timeout(20), opened(tmp_path) as (state, _):
        lease = await state.grant(pb.LeaseGrantRequest(TTL=60), "api")
        for number in range(10):
            await state.put(pb.PutRequest(key=b"k%d" % (number % 3), value=b"%d" % number))
        await state.put(pb.PutRequest(key=b"leased", value=b"", lease=lease.id))
        await state.delete(pb.DeleteRangeRequest(key=b"k2"))
        head, header = state.keys.head, state.header()
        await state.compact(head)
    async with asyncio.timeout(20), opened(tmp_path) as (state, _):
        answer = state.read(pb.RangeRequest(key=b"\0", range_end=b"\0"))
        assert [(item.key, item.value) for item in answer.kvs] == [
            (b"k0", b"9"),
            (b"k1", b"7"),
            (b"leased", b""),
        ]
        assert answer.header == header
        assert state.keys.compacted == head
        again = state.leases.get(lease.id)
        assert again is not None
        assert (again.ttl, again.owner, again.keys) == (60, "api", {b"leased"})


async def test_many_writers_share_a_round_and_all_is_written(tmp_path):
    async with asyncio.timeout(20), opened(tmp_path) as (state, _):
        puts = [state.put(pb.PutRequest(key=b"%03d" % n, value=b"v")) for n in range(300)]
        answers = await asyncio.gather(*puts)
        assert sorted(a.header.revision for a in answers) == list(range(2, 302))
    async with asyncio.timeout(20), opened(tmp_path) as (state, _):
        assert (
            state.read(pb.RangeRequest(key=b"\0", range_end=b"\0", count_only=True)).count == 300
        )


async def test_nothing_is_seen_before_it_is_on_disk(tmp_path):
    async with asyncio.timeout(20), opened(tmp_path) as (state, _):
        putting = asyncio.create_task(state.put(pb.PutRequest(key=b"a", value=b"1")))
        while state.keys.head == 1:
            await asyncio.sleep(0)
        if state.keys.committed == 1:
            assert state.read(pb.RangeRequest(key=b"a")).count == 0
        await putting
        assert state.read(pb.RangeRequest(key=b"a")).count == 1


@pytest.mark.parametrize(
    "rubbish", [b"", b"not a database, but long enough to be read as a header" * 50]
)
async def test_a_damaged_or_missing_file_is_one_clear_error(tmp_path, rubbish):
    async with opened(tmp_path):
        pass
    path = tmp_path / "state.db"
    for extra in tmp_path.glob("state.db-*"):
        extra.unlink()
    path.write_bytes(rubbish)
    with pytest.raises(StateDamaged, match=r"state\.db"):
        async with opened(tmp_path):
            pass
    path.unlink()
    with pytest.raises(StateDamaged, match="has been there before"):
        async with opened(tmp_path):
            pass


async def test_a_torn_page_is_noticed(tmp_path):
    async with opened(tmp_path) as (state, _):
        for number in range(200):
            await state.put(pb.PutRequest(key=b"%d" % number, value=bytes(500)))
    path = tmp_path / "state.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(StateDamaged):
        async with opened(tmp_path):
            pass


async def test_two_stores_cannot_have_one_file(tmp_path):
    async with opened(tmp_path):
        with pytest.raises(StateDamaged, match="Another state store"):
            async with opened(tmp_path):
                pass
