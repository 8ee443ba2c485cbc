"""Rows that wait come back as they were, from memory or from a file without a name."""

import pyarrow as pa
import pytest

from snowcave.warehouse.keeping import Beside, Keeper, Rows

SCHEMA = pa.schema([("n", pa.int64()), ("t", pa.string())])


def batch(rows):
    return pa.RecordBatch.from_pylist(
        [{"n": n, "t": None if n % 3 else str(n)} for n in rows], SCHEMA
    )


async def kept(keeper, batches):
    held = keeper.keep(SCHEMA)
    for each in batches:
        await held.add(each)
    table = pa.table(await held.taken())
    held.close()
    assert held.rows == table.num_rows
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
    rows = await held.taken()
    held.close()
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
        sides.append(await held.taken())
    joined = pa.table(Beside(sides, ["a", "b", "c", "d", "e", "f"]))
    one = pa.table(sides[0])
    assert joined.num_rows == 100
    for names in (("a", "b"), ("c", "d"), ("e", "f")):
        assert (
            joined.select(names).rename_columns(["n", "t"]).combine_chunks()
            == one.combine_chunks()
        )
