"""What the event table promises of its files: acknowledged is kept, once, in order."""

import random
import resource
import signal
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.events import frames, rows
from snowcave.events.segments import Segments
from snowcave.v1 import events_pb2 as v1


def append(run: str, first: int, count: int, hour: int = 0) -> v1.AppendRequest:
    """`count` lines of one container run, from offset `first` on."""
    request = v1.AppendRequest(
        resources=[v1.Resource(service=7, service_name="ECHO", container_run_id=run)]
    )
    for offset in range(first, first + count):
        row = request.rows.add(record_type="LOG", value=f'"{run}-{offset}"', offset=offset)
        row.timestamp.FromSeconds(1_700_000_000 + hour * 3600 + offset)
    return request


def store(segments: Segments, request: v1.AppendRequest, today: int = 0) -> int:
    fresh, moved = rows.select_new(request, segments.marks)
    if fresh:
        segments.append([rows.to_batches(request.resources, fresh, moved)], moved, today)
    return len(fresh)


def roll(segments: Segments, index: int = 0) -> None:
    segment = segments.sealed[index]
    segments.roll(segment)
    segments.finish(segment)


def values(segments: Segments) -> list[str]:
    return [v for batch in segments.snapshot().tail for v in batch["value"].to_pylist()]


def parquet_values(folder: Path) -> list[str]:
    files = sorted((folder / "parquet").glob("*/*.parquet"))
    return [v for file in files for v in pq.read_table(file)["value"].to_pylist()]


def test_what_was_appended_is_there_after_a_restart(tmp_path: Path):
    store(Segments(tmp_path, 0.0), append("a", 0, 5))
    assert values(Segments(tmp_path, 0.0)) == [f'"a-{n}"' for n in range(5)]


def test_rows_sent_again_after_a_restart_are_not_stored_twice(tmp_path: Path):
    store(Segments(tmp_path, 0.0), append("a", 0, 5))
    again = Segments(tmp_path, 0.0)
    assert store(again, append("a", 3, 4)) == 2
    assert values(again) == [f'"a-{n}"' for n in range(7)]


@given(st.data())
def test_a_log_cut_or_zeroed_anywhere_keeps_the_whole_frames_before_it(data: st.DataObject):
    encoded = []
    for run in ("a", "b", "c"):
        request = append(run, 0, 4)
        fresh, moved = rows.select_new(request, {})
        encoded.append(frames.encode(rows.to_batches(request.resources, fresh, moved)))
    whole = b"".join(encoded)
    cut = data.draw(st.integers(0, len(whole)))
    tail = b"\0" * data.draw(st.integers(0, 300))
    path = Path(tempfile.mkdtemp()) / "1.log"
    written = whole[:cut] + tail  # zeros may happen to be what was cut
    path.write_bytes(written)
    kept, end = frames.read(path)
    lengths = [sum(map(len, encoded[: n + 1])) for n in range(3)]
    assert len(kept) == sum(written[:length] == whole[:length] for length in lengths)
    assert end == ([0, *lengths])[len(kept)]
    path.unlink()
    path.parent.rmdir()


def test_rolling_moves_rows_to_the_folders_of_their_hours(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 3))
    store(segments, append("b", 0, 2, hour=2))
    segments.seal(1.0)
    (sealed,) = segments.sealed
    segments.roll(sealed)
    segments.finish(sealed)
    assert [path.name for path in sorted((tmp_path / "parquet").iterdir())] == [
        "2023-11-14T22",
        "2023-11-15T00",
    ]
    assert sorted(parquet_values(tmp_path)) == sorted(
        [f'"a-{n}"' for n in range(3)] + ['"b-0"', '"b-1"']
    )
    assert values(segments) == []


def test_a_roll_interrupted_before_the_log_went_doubles_nothing(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 3))
    segments.seal(1.0)
    (sealed,) = segments.sealed
    kept = sealed.path.read_bytes()
    segments.roll(sealed)
    sealed.path.write_bytes(kept)  # killed between Parquet and unlink
    again = Segments(tmp_path, 0.0)
    assert again.snapshot().files == []  # its rows come from the log, so its file does not count
    assert values(again) == [f'"a-{n}"' for n in range(3)]
    roll(again)
    assert len(parquet_values(tmp_path)) == 3


def test_marks_outlive_the_log(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 3))
    segments.seal(1.0)
    roll(segments)
    assert store(Segments(tmp_path, 0.0), append("a", 0, 3)) == 0


def test_marks_of_runs_that_ended_long_ago_are_forgotten_for_good(tmp_path: Path):
    segments = Segments(tmp_path, 0.0, today=100)
    store(segments, append("old", 0, 3))
    store(segments, append("running", 0, 3), today=100)
    segments.seal(1.0)
    roll(segments)
    store(segments, append("running", 3, 1), today=114)
    segments.seal(2.0)
    roll(segments)
    assert segments.forget_runs(101) == 1
    assert set(segments.marks) == {"running"}
    again = Segments(tmp_path, 0.0, today=115)
    assert again.marks == {"running": (0, 3)}
    assert again.forget_runs(114) == 0
    assert again.forget_runs(115) == 1


def test_rows_of_no_day_are_not_storable():
    row = append("a", 0, 1).rows[0]
    assert rows.is_storable(row)
    row.timestamp.seconds = 10**15
    assert not rows.is_storable(row)
    row.timestamp.seconds = -1
    assert not rows.is_storable(row)


def test_nothing_of_a_refused_write_comes_with_a_later_one(tmp_path: Path):
    """A real full disk: the file may grow to a few bytes more than the first append."""
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 2))
    size = segments.open.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            store(segments, append("a", 2, 50))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    store(segments, append("a", 2, 1))
    assert values(Segments(tmp_path, 0.0)) == ['"a-0"', '"a-1"', '"a-2"']


def test_a_full_disk_keeps_nothing_of_the_failed_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 2))

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            store(segments, append("a", 2, 2))
    store(segments, append("a", 2, 1))
    assert values(Segments(tmp_path, 0.0)) == ['"a-0"', '"a-1"', '"a-2"']


def test_segment_numbers_are_never_used_twice(tmp_path: Path):
    names: list[str] = []
    for _ in range(4):
        segments = Segments(tmp_path, 0.0)
        store(segments, append(f"r{random.random()}", 0, 1))
        names.append(segments.open.name)
        segments.seal(1.0)
        roll(segments, -1)
    assert len(set(names)) == 4


def test_old_hours_are_deleted_and_newer_ones_stay(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 1))
    store(segments, append("b", 0, 1, hour=5))
    segments.seal(1.0)
    roll(segments)
    assert segments.expire("2023-11-15T00") == ["2023-11-14T22"]
    assert len(parquet_values(tmp_path)) == 1


def test_attributes_carry_the_documented_names():
    text = rows.attributes(
        v1.Resource(service=7, service_name="ECHO_SERVICE", container_name="echo")
    )
    assert '"snow.service.name":"ECHO_SERVICE"' in text
    assert '"snow.service.container.name":"echo"' in text
    assert '"snow.executable.type":"SnowparkContainers"' in text


def test_the_schema_is_the_one_that_readers_expect():
    assert rows.STORED.names[0] == "timestamp"
    assert rows.STORED.field("timestamp").type == pa.timestamp("us")
