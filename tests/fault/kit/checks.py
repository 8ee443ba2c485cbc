"""Judges histories and what was found afterwards. Every check gives its violations; none means it holds.

They know nothing of how the mesh works: an acknowledged call happened, an unknown one may have.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.fault.kit.history import Call

Violations = list[str]


def wrong_answers(calls: Iterable[Call], expected: Callable[[Any], Any]) -> Violations:
    """An answer that came must be the right one, whatever was being broken at the time."""
    return [
        f"{call.client}: asked {call.request!r}, got {call.answer!r}"
        for call in calls
        if call.outcome == "ok" and call.answer != expected(call.request)
    ]


def lost_or_doubled(calls: Sequence[Call], found: Iterable[Any]) -> Violations:
    """Each acknowledged write is there once; an unknown one at most once; nothing else is."""
    counts = Counter(found)
    acknowledged = {call.request for call in calls if call.outcome == "ok"}
    possible = acknowledged | {call.request for call in calls if call.outcome == "unknown"}
    return (
        [f"lost: {one!r}" for one in sorted(acknowledged - set(counts))]
        + [f"there {count} times: {one!r}" for one, count in counts.items() if count > 1]
        + [f"never written: {one!r}" for one in counts if one not in possible]
    )


def changed_objects(calls: Sequence[Call], found: Collection[str]) -> Violations:
    """`request` is ["create" | "drop", name], in the order of one client.

    The last acknowledged statement about a name decides, unless unknown ones came after it.
    """
    possible: dict[str, set[bool]] = {}
    for call in calls:
        verb, name = call.request
        if call.outcome == "ok":
            possible[name] = {verb == "create"}
        elif call.outcome == "unknown":
            possible.setdefault(name, {False}).add(verb == "create")
    wrong = [
        f"{name} is {'there' if name in found else 'gone'}, against what was acknowledged"
        for name, states in possible.items()
        if (name in found) not in states
    ]
    return wrong + [f"never created: {name}" for name in found if name not in possible]


def numbered_lines(numbers: Sequence[int], *, upto: int, missing: int = 0) -> Violations:
    """1…upto, each once and in order; at most so many may be missing."""
    counts = Counter(numbers)
    absent = [number for number in range(1, upto + 1) if number not in counts]
    violations = [f"{number} came {count} times" for number, count in counts.items() if count > 1]
    violations += [
        f"{later} came after {earlier}"
        for earlier, later in itertools.pairwise(numbers)
        if later < earlier
    ]
    if len(absent) > missing:
        violations.append(f"{len(absent)} lines are missing, the first of them {absent[0]}")
    return violations


def restarted(before: Mapping[str, str], after: Mapping[str, str]) -> Violations:
    """Containers by id with their start times: the same ones run on."""
    gone = [f"container {one[:12]} is gone" for one in before if one not in after]
    again = [
        f"container {one[:12]} was started again"
        for one, started in before.items()
        if one in after and after[one] != started
    ]
    return gone + again + [f"container {one[:12]} is new" for one in after if one not in before]


def silent(calls: Sequence[Call], since: float, until: float) -> Violations:
    """The client got at least one answer in that time: a run in which nobody called proves nothing."""
    answered = [c for c in calls if c.outcome == "ok" and c.start >= since and c.end <= until]
    return [] if answered else [f"no call was answered between {since:.1f} and {until:.1f}"]


def longest_gap(calls: Sequence[Call], since: float, until: float) -> float:
    """Seconds between two answers, within that time, in which the client got none."""
    ends = sorted(c.end for c in calls if c.outcome == "ok" and since <= c.end <= until)
    marks = [since, *ends, until]
    return max(later - earlier for earlier, later in itertools.pairwise(marks))
