"""Exactly once: of what comes the rows that are not stored yet, as one frame of the log. Pure.

Senders send a source's rows in the order of their keys (file generation, offset): what is not past the mark
of its source was stored before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from snowcave.events.attributes import attributes
from snowcave.events.intake import Incoming, Ints, Kind
from snowcave.events.rows import KIND_TEXTS, KINDS, LOGGED, RESOURCES, TIME, Frame, Mark, Marks
from snowcave.v1 import events_pb2 as v1

_NO_MARK: Mark = (0, -1)

_Which = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fresh:
    """What of some appends is not stored yet; no frame where there is nothing."""

    frame: Frame | None
    marks: Marks
    doubled: int


def select_new(appends: Sequence[Incoming], marks: Mapping[str, Mark]) -> Fresh:
    """The rows not stored yet, in the order in which they came, and the marks that storing them moves."""
    moved: Marks = {}
    chosen = [(one, _unstored(one, marks, moved)) for one in appends]
    parts = [(one, which) for one, which in chosen if which.any()]
    total = sum(len(one) for one in appends)
    if not parts:
        return Fresh(None, moved, total)
    frame = _frame(parts, moved)
    return Fresh(frame, moved, total - frame.rows.num_rows)


def _unstored(one: Incoming, marks: Mapping[str, Mark], moved: Marks) -> _Which:
    """Which of its rows; `moved` is brought to where they reach."""
    sources = one.sources
    of_kinds = [sources[resource] for resource, _ in one.kinds]
    distinct = list(dict.fromkeys(of_kinds))
    which = np.ones(len(one), np.bool_)
    number = np.array([distinct.index(source) for source in of_kinds], np.int64)[one.kind]
    for at, source in enumerate(distinct):
        mine = np.flatnonzero(number == at) if len(distinct) > 1 else slice(None)
        generation, offset = one.generation[mine], one.offset[mine]
        if not source or not len(offset):
            continue
        past = _past(generation, offset, moved.get(source) or marks.get(source))
        which[mine] = past
        if past.any():
            last = np.flatnonzero(past)[-1]
            moved[source] = (int(generation[last]), int(offset[last]))
    return which


def _past(generation: Ints, offset: Ints, mark: Mark | None) -> _Which:
    """Which keys of one source are past the mark, and past all before them."""
    later = generation[1:] > generation[:-1]
    later |= (generation[1:] == generation[:-1]) & (offset[1:] > offset[:-1])
    if not later.all():
        return _past_one_by_one(generation, offset, mark)
    if mark is None:
        return np.ones(len(offset), np.bool_)
    return (generation > mark[0]) | ((generation == mark[0]) & (offset > mark[1]))


def _past_one_by_one(generation: Ints, offset: Ints, mark: Mark | None) -> _Which:
    found: list[bool] = []
    for key in zip(generation.tolist(), offset.tolist(), strict=True):
        found.append(mark is None or key > mark)
        mark = key if found[-1] else mark
    return np.array(found, np.bool_)


# ---------------------------------------------------------------- the frame


def _frame(parts: Sequence[tuple[Incoming, _Which]], moved: Marks) -> Frame:
    resources: list[v1.Resource] = []
    sources: list[str] = []
    kinds: list[Kind] = []
    kind: list[Ints] = []
    for one, which in parts:
        kind.append(one.kind[which] + len(kinds))
        kinds += [(len(resources) + resource, texts) for resource, texts in one.kinds]
        resources += one.request.resources
        sources += one.sources
    marks = [moved.get(source, _NO_MARK) for source in sources]
    columns: dict[str, pa.Array] = {
        "kind": pa.array(np.concatenate(kind).astype(np.int32)),
        "timestamp": pa.array(np.concatenate([one.timestamp[w] for one, w in parts])).view(TIME),
    }
    length = len(columns["kind"])
    for field in LOGGED:
        if field.name not in columns:
            columns[field.name] = _column(field, parts, length)
    return Frame(
        pa.record_batch(
            [
                sources,
                [mark[0] for mark in marks],
                [mark[1] for mark in marks],
                [one.service for one in resources],
                pa.array([one.instance_id for one in resources], pa.int32()),
                [attributes(one) for one in resources],
            ],
            schema=RESOURCES,
        ),
        _kinds(kinds),
        pa.record_batch([columns[name] for name in LOGGED.names], schema=LOGGED),
    )


def _kinds(kinds: Sequence[Kind]) -> pa.RecordBatch:
    return pa.record_batch(
        [
            pa.array([resource for resource, _ in kinds], pa.int32()),
            *(
                pa.array([texts[at] or None for _, texts in kinds], pa.string())
                for at in range(len(KIND_TEXTS))
            ),
        ],
        schema=KINDS,
    )


def _column(field: pa.Field, parts: Sequence[tuple[Incoming, _Which]], length: int) -> pa.Array:
    if not any(field.name in one.others for one, _ in parts):
        return pa.nulls(length, field.type)
    found: list[pa.Array] = []
    for one, which in parts:
        column = one.others.get(field.name)
        if column is None:
            found.append(pa.nulls(int(which.sum()), field.type))
        else:
            found.append(column if which.all() else column.filter(pa.array(which)))
    return pa.concat_arrays(found)
