"""Which instances of one service start, stop and are forgotten next. Pure.

At most one instance an ordinal (instance id): a new one starts only when the one before it is gone. An
upgrade goes one at a time from the highest id down, and waits for each to become ready. What has to leave its
node moves half of a service's instances at most at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

READY, GONE, SUCCEEDED, FAILED = "READY", "GONE", "SUCCEEDED", "FAILED"
FINISHED = frozenset({SUCCEEDED, FAILED})


@dataclass(frozen=True, slots=True)
class Have:
    """One assignment and what is known of it."""

    instance: str
    ordinal: int
    incarnation: int
    digest: str
    stopping: bool = False
    # As its agent reports it; empty before the first report.
    reported: str = ""
    # Its node is gone for longer than the grace, or for good.
    lost: bool = False
    # Its node is to be emptied.
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    # Ids 0…count-1 should run; 0 for what is suspended or dropped.
    count: int
    digest: str
    is_job: bool = False
    # Ids of a job that have come to their end, or were lost with their node: never run again.
    finished: Collection[int] = ()
    # Those of them whose containers nobody needs any more.
    clear: Collection[int] = ()
    # Ids for which there was no room, and will be none until something else goes.
    stuck: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordinals to start; instances to stop; instances whose assignment can go."""

    start: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.start or self.stop or self.forget)


def plan(want: Want, have: Sequence[Have]) -> Plan:
    gone = [one for one in have if one.lost or (one.stopping and one.reported == GONE)]
    left = [one for one in have if one not in gone]
    live = [one for one in left if not one.stopping]
    unwanted = [one for one in live if one.ordinal >= want.count or one.ordinal in want.clear]
    surplus = unwanted + _doubles(live, want.count)
    taken = {one.ordinal for one in left}
    missing = [
        ordinal
        for ordinal in range(want.count)
        if ordinal not in taken and ordinal not in want.finished
    ]
    # A lost one's ordinal waits for the next step: first its assignment has to be gone.
    lost = {one.ordinal for one in gone}
    start = tuple(ordinal for ordinal in missing if ordinal not in lost)
    # What is stopping may make room for them.
    stuck = () if any(one.stopping for one in left) else want.stuck
    coming = sum(ordinal not in stuck for ordinal in missing)
    stop = surplus or _move(want, left, coming) or ([] if missing else _upgrade(want, left))
    return Plan(
        start=start,
        stop=tuple(one.instance for one in stop),
        forget=tuple(one.instance for one in gone),
    )


def is_upgrading(want: Want, have: Sequence[Have]) -> bool:
    return want.count > 0 and any(one.digest != want.digest for one in have if not one.lost)


def _doubles(live: Sequence[Have], count: int) -> list[Have]:
    """All but the youngest of an ordinal."""
    youngest: dict[int, int] = {}
    for one in live:
        youngest[one.ordinal] = max(youngest.get(one.ordinal, 0), one.incarnation)
    return [one for one in live if one.ordinal < count and one.incarnation < youngest[one.ordinal]]


def _move(want: Want, left: Sequence[Have], coming: int) -> list[Have]:
    """Those that give up their place on a node that is to be emptied.

    What serves nobody goes at once, and so do jobs, which end. What is ready waits while half of the
    service is under way, so that the others go on answering; `coming` are those that have no place yet.
    """
    leaving = [one for one in left if one.leaving and not one.stopping]
    if want.is_job:
        return [one for one in leaving if one.reported not in FINISHED]
    idle = [one for one in leaving if one.reported != READY]
    under_way = coming + sum(
        one.stopping or (one.reported not in (READY, FAILED) and not one.leaving) for one in left
    )
    most = max(0, max(1, want.count // 2) - under_way - len(idle))
    ready = sorted((one for one in leaving if one.reported == READY), key=lambda one: -one.ordinal)
    return idle + ready[:most]


def _upgrade(want: Want, left: Sequence[Have]) -> list[Have]:
    """The next instance to give way to the new specification, if it is time."""
    old = [one for one in left if one.digest != want.digest]
    new = [one for one in left if one.digest == want.digest]
    settled = not any(one.stopping for one in left) and all(one.reported == READY for one in new)
    if want.is_job or not old or not settled:
        return []
    return [max(old, key=lambda one: one.ordinal)]
