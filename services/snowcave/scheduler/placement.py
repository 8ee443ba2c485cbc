"""Which node an instance goes to. Pure.

All containers of an instance stand on one node. Best fit: the fullest node that still has room, so that
whole nodes stay free for large instances and can be given back. A pool that wants its instances spread gets
them on the nodes where the fewest of their service are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from snowcave.model.spec import Need

UNSCHEDULABLE = "Unschedulable"
PROVISIONING = "Compute pool node(s) are being provisioned"
ELSEWHERE = (
    f"{UNSCHEDULABLE}: its block volumes are on a machine where the compute pool has no node"
)


@dataclass(frozen=True, slots=True)
class Room:
    """A node that takes instances, and what is left on it."""

    node: str
    free: Need
    size: Need
    # The machine that it is on.
    host: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    node: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """`message` in Snowflake's words."""

    message: str


def fits(need: Need, free: Need) -> bool:
    return (
        need.cpu_milli <= free.cpu_milli
        and need.memory_bytes <= free.memory_bytes
        and need.gpu <= free.gpu
        and need.stage_mounts <= free.stage_mounts
    )


def less(free: Need, need: Need) -> Need:
    return Need(
        free.cpu_milli - need.cpu_milli,
        free.memory_bytes - need.memory_bytes,
        free.gpu - need.gpu,
        free.stage_mounts - need.stage_mounts,
    )


def place(
    need: Need, rooms: Sequence[Room], crowd: Mapping[str, int] | None = None
) -> Placed | Unplaced:
    """Where one instance goes, or why it goes nowhere now. With `crowd` (how many of its service stand on a
    node), spread: the least crowded node before the fullest."""
    candidates = [room for room in rooms if fits(need, room.free)]
    if candidates:
        crowded = crowd or {}
        best = min(
            candidates,
            key=lambda room: (crowded.get(room.node, 0), _left(need, room), room.node),
        )
        return Placed(best.node)
    return Unplaced(_reason(need, rooms) if rooms else PROVISIONING)


def place_all(
    needs: Iterable[Need], rooms: Sequence[Room], crowd: Mapping[str, int] | None = None
) -> list[Placed | Unplaced]:
    """One after the other, each taking its room from those after it."""
    if crowd is None:
        return _packed(list(needs), rooms)
    return _one_by_one([(need, "") for need in needs], rooms, Counter(crowd), spread=True)


def place_at_home(
    need: Need,
    homes: Sequence[str],
    rooms: Sequence[Room],
    crowd: Mapping[str, int] | None = None,
) -> list[Placed | Unplaced]:
    """One for each home: on the machine that has its volumes; where that is none, anywhere."""
    wanted = [(need, home) for home in homes]
    return _one_by_one(wanted, rooms, Counter(crowd or {}), spread=crowd is not None)


def _one_by_one(
    wanted: Iterable[tuple[Need, str]], rooms: Sequence[Room], crowd: Counter[str], *, spread: bool
) -> list[Placed | Unplaced]:
    left = {room.node: room for room in rooms}
    answers: list[Placed | Unplaced] = []
    for need, home in wanted:
        there = [room for room in left.values() if home in ("", room.host)]
        answer = place(need, there, crowd if spread else None)
        if isinstance(answer, Placed):
            room = left[answer.node]
            left[answer.node] = replace(room, free=less(room.free, need))
            crowd[answer.node] += 1
        elif home and left and not there:
            answer = Unplaced(ELSEWHERE)
        answers.append(answer)
    return answers


def _packed(needs: Sequence[Need], rooms: Sequence[Room]) -> list[Placed | Unplaced]:
    """As one by one, without looking at all nodes for each: a node that has got one of several equal
    needs is the fullest, and so the best for the next, until it has no room any more.
    """
    left = {room.node: room for room in rooms}
    answers: list[Placed | Unplaced] = []
    for need, alike in groupby(needs):
        found = [room for room in left.values() if fits(need, room.free)]
        order = sorted(found, key=lambda room: (_left(need, room), room.node), reverse=True)
        for _ in alike:
            while order and not fits(need, left[order[-1].node].free):
                order.pop()
            if not order:
                answers.append(place(need, list(left.values())))
                continue
            room = left[order[-1].node]
            left[room.node] = replace(room, free=less(room.free, need))
            answers.append(Placed(room.node))
    return answers


def nodes_for(needs: Iterable[Need], rooms: Sequence[Room], size: Need, most: int) -> int:
    """How many empty nodes of `size` it takes, beside the rooms there are; at most `most`."""
    left, added = list(rooms), 0
    for need in sorted(needs, key=lambda n: (n.memory_bytes, n.cpu_milli), reverse=True):
        if not fits(need, size):
            continue  # no node will ever do
        answer = place(need, left)
        if isinstance(answer, Unplaced):
            if added == most:
                continue
            added += 1
            answer = Placed(f"new {added}")
            left.append(Room(answer.node, size, size))
        at = next(i for i, room in enumerate(left) if room.node == answer.node)
        left[at] = Room(left[at].node, less(left[at].free, need), left[at].size)
    return added


def _left(need: Need, room: Room) -> float:
    """How empty the node would be: the mean of what is left of each resource, as a share."""
    after = less(room.free, need)
    shares = [
        left / size
        for left, size in (
            (after.cpu_milli, room.size.cpu_milli),
            (after.memory_bytes, room.size.memory_bytes),
            (after.gpu, room.size.gpu),
        )
        if size
    ]
    return sum(shares) / len(shares)


def _reason(need: Need, rooms: Sequence[Room]) -> str:
    short = [
        name
        for name, lacking in (
            ("memory", all(need.memory_bytes > room.free.memory_bytes for room in rooms)),
            ("CPU", all(need.cpu_milli > room.free.cpu_milli for room in rooms)),
            ("GPU", all(need.gpu > room.free.gpu for room in rooms)),
        )
        if lacking
    ]
    resource = f"{short[0]} resources" if short else "resources"
    return f"{UNSCHEDULABLE} due to insufficient {resource}"
