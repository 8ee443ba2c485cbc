"""What the event table promises of its files: acknowledged is kept, once, in order."""

import json
import random
import resource
import signal
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.events import frames, intake, once, rows
from snowcave.events.attributes import attributes
from snowcave.events.segments import Segments
from snowcave.model.errors import ValueInvalid
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
    incoming = intake.read(request)
    fresh = once.select_new([incoming], segments.marks)
    if fresh.frame:
        segments.append(fresh.frame, fresh.marks, today)
    return len(incoming) - fresh.doubled


def roll(segments: Segments, index: int = 0) -> None:
    segment = segments.sealed[index]
    segments.roll(segment)
    segments.finish(segment)


def values(segments: Segments) -> list[str]:
    pieces = segments.tail({}).pieces.values()
    return [v for piece in pieces for batch in piece for v in batch["value"].to_pylist()]


def lines(run: str, first: int, count: int) -> v1.AppendRequest:
    """What `append` makes, as columns."""
    made = v1.AppendRequest(
        resources=[v1.Resource(service=7, service_name="ECHO", container_run_id=run)],
        lines=v1.LogLines(kinds=[v1.LineKind(record_type="LOG")], kind=[0] * count),
    )
    offsets = range(first, first + count)
    made.lines.offset.extend(offsets)
    made.lines.timestamp.extend((1_700_000_000 + offset) * 10**6 for offset in offsets)
    values = [f'"{run}-{offset}"'.encode() for offset in offsets]
    made.lines.value_length.extend(map(len, values))
    made.lines.value = b"".join(values)
    return made


def stored(segments: Segments) -> list[dict[str, Any]]:
    pieces = segments.tail({}).pieces.values()
    return [row for piece in pieces for batch in piece for row in batch.to_pylist()]


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
        frame = once.select_new([intake.read(request)], {}).frame
        assert frame is not None
        encoded.append(frames.encode(frame))
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
    assert again.tail({}).files == []  # its rows come from the log, so its file does not count
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
    assert segments.forget_sources(101) == 1
    assert set(segments.marks) == {"running"}
    again = Segments(tmp_path, 0.0, today=115)
    assert again.marks == {"running": (0, 3)}
    assert again.forget_sources(114) == 0
    assert again.forget_sources(115) == 1


@pytest.mark.parametrize("second", [10**12, -1])
def test_rows_of_no_day_are_refused(second: int):
    request = append("a", 0, 1)
    intake.read(request)
    request.rows[0].timestamp.seconds = second
    with pytest.raises(ValueInvalid, match="calendar"):
        intake.read(request)
    request = lines("a", 0, 1)
    intake.read(request)
    request.lines.timestamp[0] = second * 10**6
    with pytest.raises(ValueInvalid, match="calendar"):
        intake.read(request)


def test_columns_that_do_not_fit_together_are_refused():
    request = lines("a", 0, 2)
    request.lines.offset.append(5)
    with pytest.raises(ValueInvalid, match="one length"):
        intake.read(request)
    request = lines("a", 0, 2)
    request.lines.kind[1] = 1
    with pytest.raises(ValueInvalid, match="kind"):
        intake.read(request)
    request = lines("a", 0, 2)
    request.lines.kinds[0].resource = 1
    with pytest.raises(ValueInvalid, match="resource"):
        intake.read(request)


def test_texts_that_are_none_are_refused():
    request = lines("a", 0, 2)
    request.lines.value = b"\xff" * len(request.lines.value)
    with pytest.raises(ValueInvalid, match="cannot be read"):
        intake.read(request)
    request = lines("a", 0, 2)
    request.lines.value_length[1] += 1
    with pytest.raises(ValueInvalid, match="cannot be read"):
        intake.read(request)
    request = lines("a", 0, 2)
    request.lines.value_length[0] = -5
    with pytest.raises(ValueInvalid, match="cannot be read"):
        intake.read(request)
    request = append("a", 0, 1)
    request.resources[0].attributes = "{"
    with pytest.raises(ValueInvalid, match="cannot be read"):
        intake.read(request)


def test_columns_and_rows_become_the_same(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 3))
    assert store(segments, lines("a", 2, 3)) == 2
    found = stored(segments)
    assert [row["value"] for row in found] == [f'"a-{n}"' for n in range(5)]
    shared = [{k: v for k, v in row.items() if k not in ("value", "timestamp")} for row in found]
    assert all(one == shared[0] for one in shared)


def test_every_stored_column_comes_back(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    request = append("a", 0, 2)
    told = {"record": '{"a":1}', "record_attributes": '{"b":2}', "scope": '{"name":"s"}'}
    told |= {"trace": '{"t":1}', "exemplars": "[]", "scope_attributes": '{"c":3}'}
    for name, text in told.items():
        setattr(request.rows[1], name, text)
    request.rows[1].start_timestamp.FromSeconds(5)
    request.rows[1].observed_timestamp.FromSeconds(6)
    store(segments, request)
    segments.seal(1.0)
    roll(segments)
    (file,) = segments.tail({}).files
    first, second = pq.read_table(tmp_path / "parquet" / file).to_pylist()
    assert {name: first[name] for name in told} == dict.fromkeys(told)
    assert {name: second[name] for name in told} == told
    assert (first["start_timestamp"], second["start_timestamp"].second) == (None, 5)
    assert (second["observed_timestamp"].second, second["service"]) == (6, 7)


def test_rows_without_a_key_are_stored_as_often_as_they_come(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    assert [store(segments, append("", 0, 2)) for _ in range(2)] == [2, 2]


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
    names: list[int] = []
    for _ in range(4):
        segments = Segments(tmp_path, 0.0)
        store(segments, append(f"r{random.random()}", 0, 1))
        names.append(segments.open.number)
        segments.seal(1.0)
        roll(segments, -1)
    assert len(set(names)) == 4


def test_old_hours_are_deleted_and_newer_ones_stay(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    store(segments, append("a", 0, 1))
    store(segments, append("b", 0, 1, hour=5))
    segments.seal(1.0)
    roll(segments)
    assert segments.parquet.expire("2023-11-15T00") == ["2023-11-14T22"]
    assert len(parquet_values(tmp_path)) == 1


def test_attributes_carry_the_names_of_all_generations():
    resource = v1.Resource(service=7, service_name="ECHO_SERVICE", container_name="echo")
    resource.container_run_id = "cd0cf2ab"
    found = json.loads(attributes(resource))
    assert found["snow.service.name"] == found["snow.executable.name"] == "ECHO_SERVICE"
    assert found["snow.service.container.name"] == found["snow.containers.container.name"]
    assert found["snow.executable.type"] == "SnowparkContainers"
    instances = ("service.instance", "service.container.instance", "container.instance")
    assert {found[f"snow.{name}"] for name in instances} == {"0"}
    assert found["snow.containers.instance.name"] == "0"
    assert found["snow.containers.restart.id"] == "cd0cf2"
    assert "snow.query.id" not in found


def test_attributes_of_senders_do_not_take_the_platforms_names():
    resource = v1.Resource(
        service_name="S", attributes='{"snow.service.name":"T","host.name":"h"}'
    )
    found = json.loads(attributes(resource))
    assert (found["snow.service.name"], found["host.name"]) == ("S", "h")
    assert "snow.service.instance" not in found


def test_the_schema_is_the_one_that_readers_expect():
    assert rows.STORED.names[0] == "timestamp"
    assert rows.STORED.field("timestamp").type == pa.timestamp("us")
