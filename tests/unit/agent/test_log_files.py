"""Reading json-file logs over rotation, broken records and restarts."""

import json
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.agent.logs.files import LogFiles
from snowcave.agent.logs.jsonfile import WINDOW, Place, Record, is_gone, parse
from snowcave.agent.logs.reader import LogReader
from snowcave.agent.logs.reading import Wish, read
from snowcave.agent.logs.rows import rows


def line(text: str, number: int = 0, stream: str = "stdout") -> bytes:
    time = f"2026-01-01T00:00:{number % 60:02}.{number:09}Z"
    return json.dumps({"log": text, "stream": stream, "time": time}).encode() + b"\n"


class Engine:
    """Writes a log as the engine does: rename on rotation, a fixed number of files."""

    def __init__(self, folder: Path, files: int = 5) -> None:
        self.path = folder / "abc-json.log"
        self.path.touch()
        self.files = files
        self.written = 0

    def write(self, text: str = "", stream: str = "stdout") -> None:
        with self.path.open("ab") as file:
            file.write(line(text or f"line {self.written}\n", self.written, stream))
        self.written += 1

    def rotate(self) -> None:
        for number in range(self.files - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = (
                self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            )
            if newer.exists():
                newer.replace(older)
        self.path.touch()


def texts(records: list[Record]) -> list[str]:
    return [record.text for record in records]


def expected(count: int, first: int = 0) -> list[str]:
    return [f"line {number}" for number in range(first, count)]


def test_lines_come_in_order_over_rotations(tmp_path: Path):
    engine, seen = Engine(tmp_path), []
    reader = LogReader(engine.path)
    for _ in range(12):
        for _ in range(7):
            engine.write()
        engine.rotate()
        engine.write()
        seen += reader.read(9)
    seen += reader.read(1000)
    assert texts(seen) == expected(engine.written)
    assert len({(r.place.generation, r.place.offset) for r in seen}) == len(seen)
    assert reader.lost_files == 0
    reader.close()


def test_a_line_written_just_before_a_rotation_is_read_from_the_renamed_file(tmp_path: Path):
    engine = Engine(tmp_path)
    reader = LogReader(engine.path)
    engine.write()
    assert texts(reader.read(10)) == ["line 0"]
    engine.write()
    engine.rotate()
    engine.write()
    assert texts(reader.read(10)) == ["line 1", "line 2"]
    reader.close()


def test_half_a_record_is_left_until_it_is_whole(tmp_path: Path):
    engine = Engine(tmp_path)
    reader = LogReader(engine.path)
    whole = line("late\n")
    engine.path.write_bytes(whole[:20])
    assert reader.read(10) == []
    engine.path.write_bytes(whole)
    assert texts(reader.read(10)) == ["late"]
    reader.close()


def test_a_record_that_follows_a_torn_one_is_saved():
    assert parse(line("torn\n")[:25] + line("whole\n").rstrip()) == (
        "whole\n",
        "stdout",
        "2026-01-01T00:00:00.000000000Z",
    )
    assert parse(b"garbage") is None


def test_a_reader_that_comes_too_late_counts_what_it_lost_though_inodes_are_used_again(
    tmp_path: Path,
):
    engine = Engine(tmp_path, files=2)
    engine.write()
    reader = LogReader(engine.path)
    place = reader.read(10)[-1].end
    reader.close()
    for _ in range(3):
        engine.rotate()
        engine.write()
    late = LogReader(engine.path, place)
    assert texts(late.read(10)) == ["line 2", "line 3"]
    assert late.lost_files == 1
    late.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_a_reader_that_is_restarted_anywhere_reads_every_line_under_one_key(seed: int):
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder), files=9)
        keys: dict[tuple[int, int], str] = {}
        acknowledged: Place | None = None
        reader = LogReader(engine.path)
        rotations = 0
        for _ in range(60):
            match rng.randrange(5):
                case 0 | 1:
                    engine.write()
                case 2 if rotations < 7:
                    engine.rotate()
                    rotations += 1
                case 3:
                    reader.close()
                    reader = LogReader(engine.path, acknowledged)
                case _:
                    for record in reader.read(rng.randrange(1, 6)):
                        key = (record.place.generation, record.place.offset)
                        assert keys.setdefault(key, record.text) == record.text
                    if rng.random() < 0.7:
                        acknowledged = reader.place
        for record in reader.read(1000):
            keys[record.place.generation, record.place.offset] = record.text
        reader.close()
        assert [text for _, text in sorted(keys.items())] == expected(engine.written)


def record(text: str, *, whole: bool = True, stream: str = "stdout") -> Record:
    here = Place(0, 1, 0)
    return Record(text, stream, "2026-01-01T00:00:00.123456789Z", whole, here, here)


def test_a_plain_line_is_a_log_row_with_its_stream():
    (row,) = rows([record('say "hi" ü')], "INFO", set())
    assert json.loads(row.value) == 'say "hi" ü'
    assert json.loads(row.record_attributes) == {"log.iostream": "stdout"}
    assert row.timestamp % 1_000_000 == 123456


def test_a_structured_line_speaks_for_itself():
    told = {
        "body": "ready",
        "severity_text": "ERROR",
        "attributes": {"a": 1},
        "scope": {"name": "x"},
        "timestamp": "2025-05-05T05:05:05Z",
        "dropped": True,
    }
    (row,) = rows([record(json.dumps(told))], "INFO", set())
    assert json.loads(row.value) == "ready"
    assert json.loads(row.record) == {"severity_text": "ERROR", "severity_number": 17}
    assert json.loads(row.record_attributes) == {"a": 1, "log.iostream": "stdout"}
    assert json.loads(row.scope) == {"name": "x"}
    assert row.timestamp == 1_746_421_505_000_000


@pytest.mark.parametrize(
    "time", ["1960-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "soon"]
)
def test_a_time_that_the_event_table_would_refuse_is_the_engine_s(time: str):
    (row,) = rows([record(json.dumps({"body": "x", "timestamp": time}))], "INFO", set())
    (plain,) = rows([record("x")], "INFO", set())
    assert row.timestamp == plain.timestamp > 0


def test_log_levels_choose_streams():
    both = [record("out"), record("err", stream="stderr")]
    assert [json.loads(r.value) for r in rows(both, "ERROR", set())] == ["err"]
    assert rows(both, "NONE", set()) == []


def test_a_long_line_makes_rows_of_16_kib_and_no_empty_one():
    broken: set[str] = set()
    first = rows([record("a" * 16384, whole=False)], "INFO", broken)
    assert broken == {"stdout"}
    assert rows([record("")], "INFO", broken) == []
    assert broken == set()
    assert len(first) == 1


def test_the_newest_lines_are_answered_oldest_first(tmp_path: Path):
    engine = Engine(tmp_path)
    for number in range(30):
        engine.write()
        if number % 10 == 9:
            engine.rotate()
    assert read(engine.path, Wish(tail_lines=3)) == b"line 27\nline 28\nline 29\n"
    assert read(engine.path, Wish()).count(b"\n") == 30
    stamped = read(engine.path, Wish(tail_lines=1, timestamps=True))
    assert stamped == b"2026-01-01T00:00:29.000000029Z line 29\n"
    since = Wish(since="2026-01-01T00:00:28Z")
    assert read(engine.path, since) == b"line 28\nline 29\n"


def test_the_pieces_of_a_long_line_are_answered_as_one(tmp_path: Path):
    engine = Engine(tmp_path)
    engine.write("a" * 10)
    engine.write("other\n", "stderr")
    engine.write("b\n")
    engine.write("last\n")
    assert read(engine.path, Wish(tail_lines=1)) == b"last\n"
    assert sorted(read(engine.path, Wish()).splitlines()) == [b"aaaaaaaaaab", b"last", b"other"]


def test_what_a_crash_left_in_a_file_is_passed_over(tmp_path: Path):
    engine = Engine(tmp_path)
    engine.write("before\n")
    with engine.path.open("ab") as file:
        file.write(b"\0" * (2 * WINDOW + 100))
    engine.write("after\n")
    reader = LogReader(engine.path)
    assert texts(reader.read(10)) == ["before", "after"]
    assert reader.unreadable
    reader.close()


def test_a_file_that_is_lost_counts_once_though_its_successor_is_read_again(tmp_path: Path):
    engine = Engine(tmp_path, files=2)
    engine.write()
    reader = LogReader(engine.path)
    (first,) = reader.read(10)
    reader.release(first.end)
    reader.close()
    for _ in range(3):
        engine.rotate()
        engine.write()
    for _ in range(3):
        assert texts(reader.read(10)) == expected(4, 2)
        assert reader.lost_files == 1
        reader.rewind(first.end)
    reader.close()


def test_a_rotation_between_look_and_link_does_not_put_links_out_of_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engine = Engine(tmp_path, files=4)
    reader = LogReader(engine.path, held=tmp_path / "held")
    for _ in range(2):
        engine.write()
        engine.rotate()
    link, left = os.link, [engine.rotate]

    def late(source: Path, target: Path) -> None:
        if left:
            engine.write()
            left.pop()()
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    for _ in range(2):
        reader.hold(1 << 20)
    for _ in range(4):
        engine.write()
        engine.rotate()
    seen = texts(reader.read(100))
    assert seen[:3] == expected(3)
    assert seen == sorted(seen)
    reader.close()


def test_a_rotation_at_the_very_first_look_passes_over_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    engine, seen = Engine(tmp_path), LogFiles.in_order
    left = [engine.rotate]

    def late(self: LogFiles) -> list[Path]:
        found = seen(self)
        if left:
            left.pop()()
            engine.write()
        return found

    engine.write()
    monkeypatch.setattr(LogFiles, "in_order", late)
    reader = LogReader(engine.path)
    assert texts([*reader.read(10), *reader.read(10)]) == expected(2)
    assert reader.lost_files == 0
    reader.close()


def test_a_log_in_the_middle_of_a_rotation_is_not_gone(tmp_path: Path):
    engine = Engine(tmp_path)
    engine.path.rename(engine.path.with_name(f"{engine.path.name}.1"))
    assert not is_gone(engine.path)
    engine.path.with_name(f"{engine.path.name}.1").unlink()
    assert is_gone(engine.path)
