"""What one append brings: looked at once, columns from then on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from snowcave.events.attributes import attributes
from snowcave.events.rows import KIND_TEXTS, MORE_TIMES, ROW_TEXTS, TIME
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import events_pb2 as v1

_LAST_MICRO = 253_402_300_800_000_000  # the year 10000

Ints = npt.NDArray[np.int64]
Kind = tuple[int, tuple[str, ...]]
"""What rows have in common: the index of their resource, and the texts of KIND_TEXTS."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Rows that can be stored: those of the append's lines, then its others. Made by `read`."""

    request: v1.AppendRequest
    kinds: Sequence[Kind]
    # Each row's index into `kinds`.
    kind: Ints
    # Where it stands in its source.
    generation: Ints
    offset: Ints
    # Microseconds.
    timestamp: Ints
    # By name, of the other columns of a log's frame; one that is not here is NULL throughout.
    others: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def sources(self) -> list[str]:
        """Of each resource whose generations and offsets its rows' are. Empty: its rows have no key."""
        return [one.source or one.container_run_id for one in self.request.resources]


def read(request: v1.AppendRequest) -> Incoming:
    """Raises ValueInvalid. A moment of no calendar has no hour folder: it would stop the log for ever."""
    found = _of_lines(request)
    _check(found)
    if request.rows:
        others = _of_rows(request)
        _check(others)
        found = _joined(found, others)
    try:
        for resource in request.resources:
            attributes(resource)
    except ValueError as error:
        raise _unreadable(error) from error
    return found


def size(request: v1.AppendRequest) -> int:
    """About how much memory its rows take, in bytes."""
    lines = request.lines
    return len(lines.value) + 32 * len(lines.kind) + (request.ByteSize() if request.rows else 0)


# ---------------------------------------------------------------- columns


def _of_lines(request: v1.AppendRequest) -> Incoming:
    lines = request.lines
    length = len(lines.kind)
    if not (length == len(lines.timestamp) == len(lines.offset) == len(lines.value_length)):
        raise ValueInvalid("The columns of an append are not of one length.")
    kind = _ints(lines.kind)
    if length and not (kind.min() >= 0 and kind.max() < len(lines.kinds)):
        raise ValueInvalid("A line names a kind that the append does not hold.")
    kinds = [
        (one.resource, (one.record_type, one.record, one.record_attributes, one.scope, ""))
        for one in lines.kinds
    ]
    return Incoming(
        request,
        kinds,
        kind,
        _ints([one.file_generation for one in lines.kinds])[kind],
        _ints(lines.offset),
        _ints(lines.timestamp),
        {"value": _values(lines)},
    )


def _values(lines: v1.LogLines) -> pa.Array:
    """As they came, not one by one."""
    ends = np.zeros(len(lines.value_length) + 1, np.int32)
    _ints(lines.value_length).cumsum(out=ends[1:])
    texts = pa.py_buffer(lines.value)
    try:
        values = pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), texts)
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _unreadable(error) from error
    return values


def _of_rows(request: v1.AppendRequest) -> Incoming:
    rows, known = request.rows, dict[Kind, int]()
    kinds = [(row.resource, tuple(str(getattr(row, name)) for name in KIND_TEXTS)) for row in rows]
    others: dict[str, pa.Array] = {}
    for name in MORE_TIMES:
        times = [_micros(getattr(row, name)) if row.HasField(name) else None for row in rows]
        _check_calendar([time for time in times if time is not None])
        others[name] = pa.array(times, TIME)
    for name in ROW_TEXTS:
        others[name] = pa.array([getattr(row, name) or None for row in rows], pa.string())
    times = [_micros(row.timestamp) for row in rows]
    _check_calendar(times)
    return Incoming(
        request,
        list(dict.fromkeys(kinds)),
        _ints([known.setdefault(kind, len(known)) for kind in kinds]),
        _ints([row.file_generation for row in rows]),
        _ints([row.offset for row in rows]),
        _ints(times),
        others,
    )


def _joined(first: Incoming, then: Incoming) -> Incoming:
    missing = {
        name: pa.nulls(len(first), column.type)
        for name, column in then.others.items()
        if name not in first.others
    }
    before = {**missing, **first.others}
    return replace(
        first,
        kinds=[*first.kinds, *then.kinds],
        kind=np.concatenate((first.kind, then.kind + len(first.kinds))),
        generation=np.concatenate((first.generation, then.generation)),
        offset=np.concatenate((first.offset, then.offset)),
        timestamp=np.concatenate((first.timestamp, then.timestamp)),
        others={
            name: pa.concat_arrays([before[name], column]) for name, column in then.others.items()
        },
    )


def _ints(values: Sequence[int]) -> Ints:
    return np.fromiter(values, np.int64, len(values))


def _micros(moment: Any) -> int:
    return moment.seconds * 1_000_000 + moment.nanos // 1000


# ---------------------------------------------------------------- what cannot be stored


def _check(found: Incoming) -> None:
    named = [resource for resource, _ in found.kinds]
    if named and not (min(named) >= 0 and max(named) < len(found.request.resources)):
        raise ValueInvalid("A row names a resource that the append does not hold.")
    if len(found):
        _check_calendar([int(found.timestamp.min()), int(found.timestamp.max())])


def _check_calendar(times: Sequence[int]) -> None:
    if times and not (min(times) >= 0 and max(times) < _LAST_MICRO):
        raise ValueInvalid("A row has a timestamp that no calendar has.")


def _unreadable(error: Exception) -> ValueInvalid:
    return ValueInvalid(f"A text of an append cannot be read: {error}")
