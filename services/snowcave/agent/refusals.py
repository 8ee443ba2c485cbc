"""An append that the events daemon will never take: what of it is at fault is found by halves. Pure.

Sent again as it is, it would be refused for ever, and all that comes after it would wait. So it is halved
until the rows at fault stand alone; those are passed over, and the others stored. After so many refusals
of one append the parts that are refused still are passed over whole: it comes to an end whatever it holds.
"""

from collections import deque
from collections.abc import Iterable
from itertools import accumulate

from snowcave.model.errors import Kind, SnowcaveError
from snowcave.v1 import events_pb2 as events

_FOR_GOOD = frozenset({Kind.INVALID, Kind.UNSUPPORTED})


def is_for_good(error: Exception) -> bool:
    """Whether the same append would be refused again, whatever changes at the other side."""
    return isinstance(error, SnowcaveError) and error.kind in _FOR_GOOD


class Parts:
    """One append on its way, in order; `first` is to be sent until there is none."""

    def __init__(self, request: events.AppendRequest, refusals: int) -> None:
        self._parts = deque([request] if rows_of(request) else [])
        self._refusals_left = refusals

    @property
    def first(self) -> events.AppendRequest | None:
        return self._parts[0] if self._parts else None

    def stored(self) -> None:
        """The first is."""
        self._parts.popleft()

    def refused(self) -> events.AppendRequest | None:
        """The first was, for good: what of it is passed over now; None where its halves come in its place."""
        first = self._parts.popleft()
        self._refusals_left -= 1
        if rows_of(first) == 1 or self._refusals_left < 0:
            return first
        middle = rows_of(first) // 2
        self._parts.extendleft(
            [_part(first, middle, rows_of(first)), _part(first, 0, middle)],
        )
        return None


def rows_of(request: events.AppendRequest) -> int:
    return len(request.lines.kind) + len(request.rows)


def _part(whole: events.AppendRequest, start: int, end: int) -> events.AppendRequest:
    """Rows of it, and of all else what these rows name: what is at fault may be there."""
    made = events.AppendRequest(sequence=whole.sequence)
    lines = len(whole.lines.kind)
    _add_lines(made, whole, slice(start, min(end, lines)))
    for row in whole.rows[max(0, start - lines) : max(0, end - lines)]:
        made.rows.add().CopyFrom(row)
    kept = _kept(
        [*(kind.resource for kind in made.lines.kinds), *(row.resource for row in made.rows)],
        len(whole.resources),
    )
    made.resources.extend(whole.resources[number] for number in kept)
    for one in (*made.lines.kinds, *made.rows):
        one.resource = kept.get(one.resource, -1)
    return made


def _add_lines(made: events.AppendRequest, whole: events.AppendRequest, which: slice) -> None:
    lines, into = whole.lines, made.lines
    ends = list(accumulate(lines.value_length[: which.stop], initial=0))
    if which.start >= which.stop:
        return
    kept = _kept(lines.kind[which], len(lines.kinds))
    into.kinds.extend(lines.kinds[number] for number in kept)
    into.kind.extend(kept.get(number, -1) for number in lines.kind[which])
    into.timestamp.extend(lines.timestamp[which])
    into.offset.extend(lines.offset[which])
    into.value_length.extend(lines.value_length[which])
    into.value = lines.value[ends[which.start] : ends[which.stop]]


def _kept(used: Iterable[int], count: int) -> dict[int, int]:
    """Of so many those that are used, in order, each with its number among them."""
    numbers = sorted({number for number in used if 0 <= number < count})
    return {number: at for at, number in enumerate(numbers)}
