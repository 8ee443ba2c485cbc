"""From evaluation to evaluation: whether the policies agree for long enough, and on what. Pure.

Nothing happens unless every evaluation of a condition's window says the same, the service has as many
instances as it should, and its last scaling is some time ago. Scaling up goes before suspending, and that
before scaling down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowcave.scheduler.autoscaling.policy import Condition, Kind, Point, Policies


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds."""

    # Between two evaluations.
    period: float = 30.0
    # After a scaling nothing is scaled for this long.
    cooldown: float = 120.0


@dataclass(frozen=True, slots=True)
class Situation:
    # Instances that are there, and that should be.
    current: int
    target: int
    least: int
    most: int
    # Seconds since the last scaling; None: there was none.
    since_scaled: float | None = None

    def within(self, instances: int) -> int:
        return min(max(instances, self.least), self.most)


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    # Instances recommended; None: the condition did not hold.
    wish: int | None


@dataclass(frozen=True, slots=True)
class History:
    """The samples of each condition, oldest first."""

    samples: Mapping[tuple[Kind, int], tuple[Sample, ...]] = field(
        default_factory=dict[tuple[Kind, int], tuple[Sample, ...]]
    )

    def of(self, kind: Kind, number: int) -> tuple[Sample, ...]:
        return self.samples.get((kind, number), ())


@dataclass(frozen=True, slots=True)
class Scale:
    """To so many instances; 0: suspend."""

    instances: int
    because: Kind


def observe(
    history: History,
    policies: Policies,
    points: Sequence[Point],
    current: int,
    now: float,
    pace: Pace,
) -> History:
    """The history with one evaluation more, and without what no window reaches any longer."""
    samples: dict[tuple[Kind, int], tuple[Sample, ...]] = {}
    for kind, number, condition in policies.conditions():
        wish = condition.recommend(points, current)
        needed = _evaluations(condition, pace)
        # An evaluation that comes late is one; a pause of the scheduler is none.
        since = now - (needed + 0.5) * pace.period
        kept = [one for one in history.of(kind, number) if one.at > since]
        samples[kind, number] = (*kept[-(needed - 1) :], Sample(now, wish))[-needed:]
    return History(samples)


def decide(history: History, policies: Policies, situation: Situation, pace: Pace) -> Scale | None:
    """What to do now; None: nothing."""
    if situation.current != situation.target or situation.current < 1:
        return None
    if situation.since_scaled is not None and situation.since_scaled < pace.cooldown:
        return None
    ups = [
        agreed
        for number, condition in enumerate(policies.up)
        if (agreed := _agreed(history.of("up", number), condition, pace)) is not None
    ]
    more = situation.within(max(ups, default=0))
    if more > situation.current:
        return Scale(more, "up")
    if _all(history, "suspend", policies.suspend, pace) is not None:
        return Scale(0, "suspend")
    fewer = _all(history, "down", policies.down, pace)
    if fewer is not None and situation.within(fewer) < situation.current:
        return Scale(situation.within(fewer), "down")
    return None


def _all(history: History, kind: Kind, conditions: Sequence[Condition], pace: Pace) -> int | None:
    """The greatest number that the conditions agree on; None unless all of them hold."""
    agreed: list[int] = []
    for number, condition in enumerate(conditions):
        wish = _agreed(history.of(kind, number), condition, pace)
        if wish is None:
            return None
        agreed.append(wish)
    return max(agreed, default=None)


def _agreed(samples: Sequence[Sample], condition: Condition, pace: Pace) -> int | None:
    """The greatest number of the window; None unless the condition held all the time."""
    wishes = [one.wish for one in samples]
    if len(wishes) < _evaluations(condition, pace):
        return None
    held = [wish for wish in wishes if wish is not None]
    return max(held) if len(held) == len(wishes) else None


def _evaluations(condition: Condition, pace: Pace) -> int:
    """300 seconds are ten evaluations; no window is shorter than one."""
    return max(1, int(condition.window // pace.period))
