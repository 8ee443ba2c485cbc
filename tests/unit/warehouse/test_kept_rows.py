"""Rows that wait come back as they were, from memory or from a file without a name."""

import asyncio

import pyarrow as pa
import pytest

from snowcave.warehouse.results.keeping import Beside, Keeper, Rows

SCHEMA = pa.schema([("n", pa.int64()), ("t", pa.string())])


def batch(rows):
    return pa.RecordBatch.from_pylist(
        [{"n": n, "t": None if n % 3 else str(n)} for n in rows], SCHEMA
    )


async def kept(keeper, batches):
    held = keeper.keep(SCHEMA)
    for each in batches:
        await held.add(each)
    held.end()
    table = pa.table(held.rows)
    assert held.rows.num_rows == table.num_rows
    return table


@pytest.mark.parametrize("most", [0, 100, 1 << 20])
async def test_all_rows_come_back_in_order(tmp_path, most):
    batches = [batch(range(start, start + 7)) for start in range(0, 70, 7)]
    table = await kept(Keeper(tmp_path, most), batches)
    assert table.equals(pa.Table.from_batches([batch(range(70))]))
    assert not list(tmp_path.iterdir())


async def test_no_rows_come_back_as_a_table_of_the_same_columns(tmp_path):
    assert (await kept(Keeper(tmp_path, 0), [])).schema == SCHEMA


async def test_what_is_kept_in_memory_has_a_bound(tmp_path):
    before = pa.total_allocated_bytes()
    held = Keeper(tmp_path, 100_000).keep(SCHEMA)
    for _ in range(50):
        await held.add(batch(range(3000)))
        assert pa.total_allocated_bytes() - before < 400_000
    held.end()
    rows = held.rows
    for _ in range(2):  # as often as wanted
        found: list[int] = []
        for part in rows.batches():
            found += part.column("n").to_pylist()
            assert pa.total_allocated_bytes() - before < 400_000
        assert found == [*range(3000)] * 50


async def test_rows_of_several_kinds_stand_side_by_side_whatever_their_batches(tmp_path):
    sides: list[Rows] = []
    for step in (7, 11, 100):
        held = Keeper(tmp_path, 0 if step == 11 else 1 << 20).keep(SCHEMA)
        for start in range(0, 100, step):
            await held.add(batch(range(start, min(100, start + step))))
        held.end()
        sides.append(held.rows)
    joined = pa.table(Beside(sides, ["a", "b", "c", "d", "e", "f"]))
    one = pa.table(sides[0])
    assert joined.num_rows == 100
    for names in (("a", "b"), ("c", "d"), ("e", "f")):
        assert (
            joined.select(names).rename_columns(["n", "t"]).combine_chunks()
            == one.combine_chunks()
        )


@pytest.mark.parametrize("most", [0, 100, 1 << 20])
async def test_who_reads_rows_while_they_come_waits_for_the_others(tmp_path, most):
    held = Keeper(tmp_path, most).keep(SCHEMA)
    await held.add(batch(range(5)))
    async with asyncio.timeout(60):
        reading = [asyncio.create_task(asyncio.to_thread(pa.table, held.rows)) for _ in range(2)]
        for start in range(5, 100, 5):
            await held.add(batch(range(start, start + 5)))
            await asyncio.sleep(0)
        assert not any(task.done() for task in reading)
        held.end()
        for task in reading:
            assert (await task).equals(pa.Table.from_batches([batch(range(100))]))


async def test_who_waits_for_rows_is_told_that_none_come(tmp_path):
    held = Keeper(tmp_path, 1 << 20).keep(SCHEMA)
    await held.add(batch(range(5)))
    async with asyncio.timeout(60):
        reading = asyncio.create_task(asyncio.to_thread(list, held.rows.batches()))
        held.end(LookupError("gone"))
        held.end()  # too late
        with pytest.raises(LookupError, match="gone"):
            await reading
