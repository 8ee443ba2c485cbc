"""Rows as they are stored: Arrow schemas for the log, the Parquet files and Scan. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import lt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from snowcave.events.attributes import attributes
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import events_pb2 as v1

# Its functions are made at run time, so type checkers do not know them.
compute: Any = pyarrow.compute

_HOUR_MICROS = 3_600_000_000
_LAST_MICRO = 253_402_300_800_000_000  # the year 10000

_TIME = pa.timestamp("us")
_SHARED = pa.dictionary(pa.int32(), pa.string())

# Stored columns of the event table; the warehouse makes the documented ones of them. Texts that many rows
# have in common are kept once.
STORED = pa.schema(
    [
        ("timestamp", _TIME),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("record_type", _SHARED),
        ("record", _SHARED),
        ("record_attributes", _SHARED),
        ("scope", _SHARED),
        ("value", pa.string()),
        ("trace", pa.string()),
        ("resource_attributes", _SHARED),
        ("start_timestamp", _TIME),
        ("observed_timestamp", _TIME),
        ("scope_attributes", _SHARED),
        ("exemplars", pa.string()),
    ]
)

# A frame of the log holds its few resources, what many of its rows have in common, and the rows.
RESOURCES = pa.schema(
    [
        ("source", pa.string()),
        # The mark that the frame's rows reach; offset -1: none.
        ("generation", pa.int64()),
        ("offset", pa.int64()),
        ("service", pa.int64()),
        ("instance_id", pa.int32()),
        ("attributes", pa.string()),
    ]
)
_KIND_TEXTS = ("record_type", "record", "record_attributes", "scope", "scope_attributes")
KINDS = pa.schema([("resource", pa.int32()), *((name, pa.string()) for name in _KIND_TEXTS)])
_ROW_TEXTS = ("value", "trace", "exemplars")
LOGGED = pa.schema(
    [
        ("kind", pa.int32()),
        ("timestamp", _TIME),
        ("start_timestamp", _TIME),
        ("observed_timestamp", _TIME),
        *((name, pa.string()) for name in _ROW_TEXTS),
    ]
)

# How far one source is stored: (file generation, offset of its last row).
Mark = tuple[int, int]
Marks = dict[str, Mark]
_NO_MARK: Mark = (0, -1)

# What rows have in common: index of the resource, and the texts of _KIND_TEXTS.
_Kind = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """One append, as it goes into the log."""

    resources: pa.RecordBatch
    kinds: pa.RecordBatch
    rows: pa.RecordBatch


@dataclass(slots=True)
class _Columns:
    """An append's rows, column by column."""

    kinds: list[_Kind]
    kind: list[int]
    times: dict[str, list[int | None]]
    texts: dict[str, list[str]]
    # The values of lines, where there are no rows beside.
    values: pa.Array | None


@dataclass(frozen=True, slots=True)
class Fresh:
    """What of an append is not stored yet; no frame where there is nothing."""

    frame: Frame | None
    marks: Marks
    doubled: int


def source_of(resource: v1.Resource) -> str:
    """Whose generations and offsets the rows' are. Empty: its rows have no key."""
    return resource.source or resource.container_run_id


def check(request: v1.AppendRequest) -> None:
    """Raises ValueInvalid. A moment of no calendar has no hour folder: it would stop the log for ever."""
    resources, lines = len(request.resources), request.lines
    named = [row.resource for row in request.rows] + [kind.resource for kind in lines.kinds]
    if named and not (min(named) >= 0 and max(named) < resources):
        raise ValueInvalid("A row names a resource that the append does not hold.")
    length = len(lines.kind)
    if not (length == len(lines.timestamp) == len(lines.offset) == len(lines.value_length)):
        raise ValueInvalid("The columns of an append are not of one length.")
    if length and not (min(lines.kind) >= 0 and max(lines.kind) < len(lines.kinds)):
        raise ValueInvalid("A line names a kind that the append does not hold.")
    times = [_micros(row.timestamp) for row in request.rows] + list(lines.timestamp)
    if times and not (min(times) >= 0 and max(times) < _LAST_MICRO):
        raise ValueInvalid("A row has a timestamp that no calendar has.")
    _check_texts(request)


def _check_texts(request: v1.AppendRequest) -> None:
    try:
        _values(request.lines).validate(full=True)
        for resource in request.resources:
            attributes(resource)
    except (pa.ArrowInvalid, ValueError) as error:
        raise ValueInvalid(f"A text of an append cannot be read: {error}") from error


def _values(lines: v1.LogLines) -> pa.Array:
    """As they came, not one by one."""
    ends = np.zeros(len(lines.value_length) + 1, np.int32)
    np.cumsum(lines.value_length[:], out=ends[1:])
    return pa.StringArray.from_buffers(
        len(lines.value_length), pa.py_buffer(ends), pa.py_buffer(lines.value)
    )


def count(request: v1.AppendRequest) -> int:
    return len(request.rows) + len(request.lines.kind)


def select_new(request: v1.AppendRequest, marks: Marks) -> Fresh:
    """The rows not stored yet, and the marks that storing them moves.

    Senders send a source's rows in order: what is not past the mark was stored before.
    """
    columns = _columns(request)
    if (reached := _all_new(request, marks)) is not None:
        return Fresh(_frame(request.resources, columns, reached, None), reached, 0)
    sources = [source_of(one) for one in request.resources]
    moved: Marks = {}
    fresh: list[int] = []
    for index, (kind, key) in enumerate(zip(columns.kind, _keys(request), strict=True)):
        source = sources[columns.kinds[kind][0]]
        if source:
            mark = moved.get(source) or marks.get(source)
            if mark is not None and key <= mark:
                continue
            moved[source] = key
        fresh.append(index)
    frame = _frame(request.resources, columns, moved, fresh) if fresh else None
    return Fresh(frame, moved, len(columns.kind) - len(fresh))


def _all_new(request: v1.AppendRequest, marks: Marks) -> Marks | None:
    """The marks after it, where all of the request is new and of one file; None: look at it closely.

    That is what nearly all appends are, and the close look takes longer than all the rest.
    """
    lines = request.lines
    generations = {one.file_generation for one in lines.kinds}
    if request.rows or len(request.resources) != 1 or len(generations) != 1 or not lines.offset:
        return None
    source, offsets, (generation,) = (
        source_of(request.resources[0]),
        list(lines.offset),
        generations,
    )
    mark = marks.get(source)
    is_past = mark is None or (generation, offsets[0]) > mark
    if not (source and is_past and all(map(lt, offsets, offsets[1:]))):
        return None
    return {source: (generation, offsets[-1])}


def _keys(request: v1.AppendRequest) -> list[Mark]:
    lines = request.lines
    generations = [one.file_generation for one in lines.kinds]
    keys = [(generations[k], offset) for k, offset in zip(lines.kind, lines.offset, strict=True)]
    return keys + [(row.file_generation, row.offset) for row in request.rows]


def _columns(request: v1.AppendRequest) -> _Columns:
    """Of the lines where there are only lines, as agents send them: that path has to be quick."""
    lines = request.lines
    kinds: list[_Kind] = [
        (one.resource, (one.record_type, one.record, one.record_attributes, one.scope, ""))
        for one in lines.kinds
    ]
    columns = _Columns(
        kinds,
        list(lines.kind),
        {"timestamp": list(lines.timestamp)},
        {},
        _values(lines),
    )
    if request.rows:
        _add_rows(columns, request.rows)
    return columns


def _add_rows(columns: _Columns, rows: Sequence[v1.EventRow]) -> None:
    before = len(columns.kind)
    assert columns.values is not None
    columns.texts["value"] = columns.values.to_pylist()
    columns.values = None
    known: dict[_Kind, int] = {}
    times, texts = columns.times, columns.texts
    for name in ("start_timestamp", "observed_timestamp"):
        times[name] = [None] * before
    for name in ("trace", "exemplars"):
        texts[name] = [""] * before
    for row in rows:
        kind = (row.resource, tuple(str(getattr(row, name)) for name in _KIND_TEXTS))
        if kind not in known:
            known[kind] = len(columns.kinds)
            columns.kinds.append(kind)
        columns.kind.append(known[kind])
        times["timestamp"].append(_micros(row.timestamp))
        for name in ("start_timestamp", "observed_timestamp"):
            times[name].append(_micros(getattr(row, name)) if row.HasField(name) else None)
        for name in _ROW_TEXTS:
            texts[name].append(getattr(row, name))


def _frame(
    resources: Sequence[v1.Resource], columns: _Columns, moved: Marks, fresh: list[int] | None
) -> Frame:
    """Of the rows at these places; None: of all."""
    logged = _logged(columns)
    if fresh is not None and len(fresh) < logged.num_rows:
        logged = logged.take(pa.array(fresh, pa.int32()))
    marks = [moved.get(source_of(one), _NO_MARK) for one in resources]
    return Frame(
        pa.record_batch(
            [
                [source_of(one) for one in resources],
                [mark[0] for mark in marks],
                [mark[1] for mark in marks],
                [one.service for one in resources],
                pa.array([one.instance_id for one in resources], pa.int32()),
                [attributes(one) for one in resources],
            ],
            schema=RESOURCES,
        ),
        _kinds(tuple(columns.kinds)),
        logged,
    )


@lru_cache(1024)
def _kinds(kinds: tuple[_Kind, ...]) -> pa.RecordBatch:
    """An agent's appends have the same few over and over."""
    return pa.record_batch(
        [
            pa.array([resource for resource, _ in kinds], pa.int32()),
            *(
                pa.array([texts[at] or None for _, texts in kinds], pa.string())
                for at in range(len(_KIND_TEXTS))
            ),
        ],
        schema=KINDS,
    )


def _logged(columns: _Columns) -> pa.RecordBatch:
    length = len(columns.kind)
    arrays: list[pa.Array] = []
    for field in LOGGED:
        if field.name == "kind":
            arrays.append(pa.array(columns.kind, pa.int32()))
        elif field.type == _TIME:
            found = columns.times.get(field.name)
            arrays.append(pa.array(found, _TIME) if found else pa.nulls(length, _TIME))
        elif field.name == "value" and columns.values is not None:
            arrays.append(columns.values)
        else:
            texts = columns.texts.get(field.name)
            whole = texts is not None and "" not in texts
            given = texts if whole else [text or None for text in texts or ()]
            arrays.append(pa.array(given, pa.string()) if given else pa.nulls(length, pa.string()))
    return pa.record_batch(arrays, schema=LOGGED)


def stored(frame: Frame) -> pa.RecordBatch:
    """A frame's rows, sharing one copy of what they have in common."""
    kind, kinds, resources = frame.rows.column("kind"), frame.kinds, frame.resources
    resource = kinds.column("resource").take(kind)
    made: dict[str, pa.Array] = {
        "service": resources.column("service").take(resource),
        "instance_id": resources.column("instance_id").take(resource),
        "resource_attributes": pa.DictionaryArray.from_arrays(
            resource, resources.column("attributes")
        ),
    }
    for name in _KIND_TEXTS:
        made[name] = _shared(kind, kinds.column(name))
    for name in LOGGED.names[1:]:
        made[name] = frame.rows.column(name)
    return pa.record_batch([made[name] for name in STORED.names], schema=STORED)


_NO_TEXTS = pa.array([], pa.string())


def _shared(index: pa.Array, texts: pa.Array) -> pa.Array:
    """NULL is an index that is NULL, never an entry of the dictionary: Parquet has none there."""
    if texts.null_count == 0:
        return pa.DictionaryArray.from_arrays(index, texts)
    if texts.null_count == len(texts):
        return pa.DictionaryArray.from_arrays(pa.nulls(len(index), pa.int32()), _NO_TEXTS)
    return texts.take(index).dictionary_encode()


def marks_of(resources: pa.RecordBatch) -> Marks:
    """How far a frame's rows reach."""
    found = resources.to_pydict()
    return {
        source: (generation, offset)
        for source, generation, offset in zip(
            found["source"], found["generation"], found["offset"], strict=True
        )
        if source and offset >= 0
    }


def concat(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """All of a segment, sorted as its file will be: by service, then time."""
    return in_order(pa.Table.from_batches(list(batches), schema=STORED))


def in_order(table: pa.Table) -> pa.Table:
    """As files are sorted. Rows of one moment keep their order."""
    table = table.unify_dictionaries().combine_chunks()
    order = compute.sort_indices(
        table.select(["service", "timestamp"]),
        sort_keys=[("service", "ascending"), ("timestamp", "ascending")],
    )
    return table.take(order)


def by_hour(table: pa.Table) -> dict[str, pa.Table]:
    """Hour folder (UTC, `2026-11-22T13`) → its rows."""
    hours = compute.divide(table.column("timestamp").cast(pa.int64()), _HOUR_MICROS)
    distinct = sorted(hours.unique().to_pylist())
    if len(distinct) == 1:
        return {_folder(distinct[0]): table}
    return {_folder(hour): table.filter(compute.equal(hours, hour)) for hour in distinct}


def _folder(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")


def _micros(moment: Any) -> int:
    return moment.seconds * 1_000_000 + moment.nanos // 1000
