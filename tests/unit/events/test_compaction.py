"""Which files are merged, and which of those that are there hold the rows."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from snowcave.events import intake, once
from snowcave.events.compaction import Found, Policy, merged, plan
from snowcave.events.segments import Segments
from snowcave.model import event_files
from snowcave.model.event_files import Span
from snowcave.v1 import events_pb2 as v1

POLICY = Policy(largest=100, files=4)
HOUR = "2023-11-14T22"


def found(*sizes: int) -> list[Found]:
    return [Found(Span(n, n), size) for n, size in enumerate(sizes, 1)]


def test_an_open_hour_waits_for_enough_files_and_a_closed_one_does_not():
    assert plan(found(1, 1, 1), POLICY, is_over=False) == []
    assert plan(found(1, 1, 1, 1), POLICY, is_over=False) == [[Span(n, n) for n in range(1, 5)]]
    assert plan(found(1, 1), POLICY, is_over=True) == [[Span(1, 1), Span(2, 2)]]
    assert plan(found(1), POLICY, is_over=True) == []


@given(st.lists(st.integers(1, 120), max_size=30))
def test_merging_keeps_order_and_ends_with_nothing_left_to_merge(sizes: list[int]):
    files = found(*sizes)
    for _ in range(3):
        groups = plan(files, POLICY, is_over=True)
        grouped = {span for group in groups for span in group}
        size = {file.span: file.size for file in files}
        assert all(sum(size[span] for span in group) <= 100 for group in groups)
        made = [Found(merged(group), sum(size[s] for s in group)) for group in groups]
        files = [file for file in files if file.span not in grouped] + made
        files.sort(key=lambda file: file.span)
    assert plan(files, POLICY, is_over=True) == []
    covered = [n for file in files for n in range(file.span.first, file.span.last + 1)]
    assert covered == list(range(1, len(sizes) + 1))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_of_files_that_replace_each_other_the_widest_count(widths: list[int]):
    """Spans of any merge of merges, all of them still there."""
    spans: list[Span] = []
    first = 1
    for width in widths:
        whole = Span(first, first + width - 1)
        spans += [whole, *(Span(n, n) for n in range(whole.first, whole.last + 1))]
        first += width
    names = {event_files.name_of(span) for span in spans}
    current = event_files.current([*names, "x.tmp", "7.parquet"])
    assert [n for span in current for n in range(span.first, span.last + 1)] == list(
        range(1, first)
    )
    gone = event_files.replaced(names)
    assert set(gone) | set(current) == set(spans)
    assert set(gone).isdisjoint(current)


def test_merged_files_hold_the_same_rows_sorted_and_the_old_ones_go_later(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    for number in range(4):
        request = v1.AppendRequest(
            resources=[v1.Resource(service=9 - number, service_name=f"S{number}", source="s")]
        )
        for offset in range(number * 3, number * 3 + 3):
            row = request.rows.add(record_type="LOG", value=f'"{offset}"', offset=offset)
            row.timestamp.FromSeconds(1_700_000_000 + offset)
        fresh = once.select_new([intake.read(request)], segments.marks)
        assert fresh.frame is not None
        segments.append(fresh.frame, fresh.marks)
        segments.seal(1.0)
        (sealed,) = segments.sealed
        segments.roll(sealed)
        segments.finish(sealed)
    ((hour, group),) = segments.to_compact(Policy(1 << 20, 3), HOUR)
    assert (hour, len(group)) == (HOUR, 4)
    assert segments.parquet.merge(hour, group) == 12
    assert len(segments.tail({}).files) == 4, "until they are counted anew"
    segments.parquet.count(hour)
    (name,) = segments.tail({}).files
    table = pq.read_table(tmp_path / "parquet" / name)
    assert table["service"].to_pylist() == sorted(table["service"].to_pylist())
    assert sorted(table["value"].to_pylist()) == sorted(f'"{n}"' for n in range(12))
    meaning = event_files.unpack_resources(table.schema.metadata)
    assert all('"snow.service.name":"S' in meaning[n] for n in table["resource"].to_pylist())
    # A restart sees the same; the replaced files are deleted when nobody reads them any more.
    again = Segments(tmp_path, 0.0)
    assert again.tail({}).files == [name]
    assert again.parquet.sweep(0.0) == 0
    assert again.parquet.sweep(datetime.now(UTC).timestamp() + 60) == 4
    assert [path.name for path in (tmp_path / "parquet" / HOUR).iterdir()] == [Path(name).name]


def test_files_of_a_segment_that_is_still_in_the_log_are_left_alone(tmp_path: Path):
    segments = Segments(tmp_path, 0.0)
    assert segments.to_compact(Policy(1 << 20, 2), "9999") == []
    request = v1.AppendRequest(resources=[v1.Resource(source="s")])
    row = request.rows.add(record_type="LOG", value="1", offset=1)
    row.timestamp.FromSeconds(1_700_000_000)
    fresh = once.select_new([intake.read(request)], {})
    assert fresh.frame is not None
    segments.append(fresh.frame, fresh.marks)
    segments.seal(1.0)
    segments.roll(segments.sealed[0])
    segments.parquet.count(HOUR)
    assert segments.parquet.found(HOUR, below=segments.sealed[0].number) == []
