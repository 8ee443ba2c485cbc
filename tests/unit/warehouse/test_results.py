"""Kept results: bounded by bytes and time, found again, never outside of their folder."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.results import ResultStore, pieces
from snowcave.warehouse.settings import ResultSettings


class Clock:
    def __init__(self):
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.moment

    def monotonic(self):
        return self.moment.timestamp()

    async def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)


COLUMNS = [pb.ColumnType(name="A", type="fixed", precision=38)]
TABLE = pa.table({"A": list(range(1000))})


def test_a_result_comes_back_as_it_was_put(tmp_path):
    store = ResultStore(tmp_path, ResultSettings(), Clock())
    store.put("q1", COLUMNS, TABLE)
    columns, table = store.get("q1")
    assert list(columns) == COLUMNS
    assert table.equals(TABLE)


def test_columns_of_one_name_are_kept_apart(tmp_path):
    store = ResultStore(tmp_path, ResultSettings(), Clock())
    store.put("q", COLUMNS * 2, pa.Table.from_arrays([[1], [2]], names=["A", "A"]))
    assert [c.to_pylist() for c in store.get("q")[1].columns] == [[1], [2]]


def test_the_oldest_results_go_when_the_bytes_are_spent(tmp_path):
    store = ResultStore(tmp_path, ResultSettings(max_bytes=20_000), Clock())
    for name in ("a", "b", "c"):
        store.put(name, COLUMNS, TABLE)
    assert store.total_bytes <= 20_000
    with pytest.raises(SnowcaveError):
        store.get("a")
    assert store.get("c")[1].num_rows == 1000
    assert len(list(tmp_path.iterdir())) == len(store)


def test_a_result_expires(tmp_path):
    clock = Clock()
    store = ResultStore(tmp_path, ResultSettings(ttl=10), clock)
    store.put("q", COLUMNS, TABLE)
    clock.moment += timedelta(seconds=11)
    with pytest.raises(SnowcaveError):
        store.get("q")
    assert store.sweep() == 1
    assert not list(tmp_path.iterdir())


def test_half_written_results_are_not_found_after_a_restart(tmp_path):
    (tmp_path / "half.part").write_bytes(b"x")
    (tmp_path / "broken.arrow").write_bytes(b"x")
    store = ResultStore(tmp_path, ResultSettings(ttl=10**9), Clock())
    for name in ("half", "broken"):
        with pytest.raises(SnowcaveError) as missing:
            store.get(name)
        assert missing.value.code == 709
    assert not (tmp_path / "half.part").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 65, "a.b", "a\n"])
def test_no_id_leads_out_of_the_folder(tmp_path, name):
    store = ResultStore(tmp_path, ResultSettings(), Clock())
    with pytest.raises(SnowcaveError):
        store.put(name, COLUMNS, TABLE)


def test_pieces_cover_what_was_asked_for():
    assert [p.num_rows for p in pieces(TABLE, 0, 0, 400)] == [400, 400, 200]
    assert [p.num_rows for p in pieces(TABLE, 990, 5, 400)] == [5]
    assert [p.num_rows for p in pieces(TABLE, 5000, 0, 400)] == [0]
