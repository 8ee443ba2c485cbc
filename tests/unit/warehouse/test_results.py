"""Kept results: bounded by bytes and time, found again, never outside of their folder."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.columns import from_stream
from snowcave.warehouse.results.query_results import ResultStore, pieces
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


# Results in files of their own, and in files that they share.
BOTH = pytest.mark.parametrize("small", [0, 1 << 20])


@BOTH
def test_a_result_comes_back_as_it_was_put(tmp_path, small):
    store = ResultStore(tmp_path, ResultSettings(small_bytes=small), Clock())
    store.put("q1", COLUMNS, TABLE)
    columns, table = store.get("q1")
    assert list(columns) == COLUMNS
    assert table.equals(TABLE)


@BOTH
def test_a_result_is_there_for_its_user_alone(tmp_path, small):
    settings = ResultSettings(small_bytes=small, ttl=10**9)
    first = ResultStore(tmp_path, settings, Clock())
    first.put("q", COLUMNS, TABLE, pb.ExecuteReply(columns=COLUMNS), owner=7)
    for store in (first, ResultStore(tmp_path, settings, Clock())):
        assert store.get("q", user=7)[1].equals(TABLE)
        with pytest.raises(SnowcaveError) as refused:
            store.get("q", user=8)
        assert (refused.value.code, refused.value.message) == (709, "Statement q not found")


def test_columns_of_one_name_are_kept_apart(tmp_path):
    store = ResultStore(tmp_path, ResultSettings(), Clock())
    store.put("q", COLUMNS * 2, pa.Table.from_arrays([[1], [2]], names=["A", "A"]))
    assert [c.to_pylist() for c in store.get("q")[1].columns] == [[1], [2]]


def test_the_oldest_results_go_when_the_bytes_are_spent(tmp_path):
    store = ResultStore(tmp_path, ResultSettings(max_bytes=20_000, small_bytes=0), Clock())
    for name in ("a", "b", "c"):
        store.put(name, COLUMNS, TABLE)
    assert store.total_bytes <= 20_000
    with pytest.raises(SnowcaveError):
        store.get("a")
    assert store.get("c")[1].num_rows == 1000
    assert len(list(tmp_path.iterdir())) == len(store)


@BOTH
def test_a_result_expires(tmp_path, small):
    clock = Clock()
    store = ResultStore(tmp_path, ResultSettings(ttl=10, small_bytes=small), clock)
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


@BOTH
def test_what_ran_once_is_told_again_even_after_a_restart(tmp_path, small):
    settings = ResultSettings(small_bytes=small, ttl=10**9)
    first = ResultStore(tmp_path, settings, Clock())
    ran = pb.ExecuteReply(columns=COLUMNS, rows=1000, statement_type=12544, database="D")
    first.put("ran", COLUMNS, TABLE, ran)
    first.put("kept", COLUMNS, TABLE)
    first.put("tentative", COLUMNS, TABLE, pb.ExecuteReply(columns=COLUMNS), tentative=True)
    for store in (first, ResultStore(tmp_path, settings, Clock())):
        assert store.may_have_answered("ran")
        assert not store.may_have_answered("other")
        told = store.answered("ran")
        assert told is not None
        assert (told.database, told.statement_type) == ("D", 12544)
        assert from_stream(told.arrow_stream).equals(TABLE)
        assert store.answered("kept") is store.answered("tentative") is None
        assert store.keeps("tentative")
        assert store.get("tentative")[1].equals(TABLE)
        assert store.get("kept")[1].equals(TABLE)


@BOTH
def test_a_result_put_again_takes_the_place_of_the_first(tmp_path, small):
    store = ResultStore(tmp_path, ResultSettings(small_bytes=small), Clock())
    store.put("q", COLUMNS, TABLE)
    once = store.total_bytes
    store.put("q", COLUMNS, TABLE.slice(0, 10))
    assert store.get("q")[1].num_rows == 10
    assert (len(store), store.total_bytes <= once) == (1, True)


def test_shared_files_go_when_nothing_in_them_lives(tmp_path):
    settings = ResultSettings(segment_bytes=20_000, max_bytes=60_000)
    store = ResultStore(tmp_path, settings, Clock())
    for number in range(100):
        store.put(f"q{number}", COLUMNS, TABLE)
    assert store.total_bytes <= 60_000
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 60_000 + 2 * 30_000
    assert store.get("q99")[1].equals(TABLE)


def test_a_small_result_cut_off_by_a_crash_is_as_if_never_written(tmp_path):
    settings = ResultSettings(ttl=10**9)
    first = ResultStore(tmp_path, settings, Clock())
    first.put("whole", COLUMNS, TABLE)
    first.put("cut", COLUMNS, TABLE)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-7])
    second = ResultStore(tmp_path, settings, Clock())
    assert second.get("whole")[1].equals(TABLE)
    with pytest.raises(SnowcaveError):
        second.get("cut")
    second.put("next", COLUMNS, TABLE)
    assert ResultStore(tmp_path, settings, Clock()).get("next")[1].equals(TABLE)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x" * 65, "a.b", "a\n"])
def test_no_id_leads_out_of_the_folder(tmp_path, name):
    store = ResultStore(tmp_path, ResultSettings(), Clock())
    with pytest.raises(SnowcaveError):
        store.put(name, COLUMNS, TABLE)


def test_pieces_cover_what_was_asked_for():
    assert [p.num_rows for p in pieces(TABLE, 0, 0, 400)] == [400, 400, 200]
    assert [p.num_rows for p in pieces(TABLE, 990, 5, 400)] == [5]
    assert [p.num_rows for p in pieces(TABLE, 5000, 0, 400)] == [0]
