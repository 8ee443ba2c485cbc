"""What the policies of one service make of its data points: one number of instances each, or nothing. Pure.

A condition is asked at every evaluation; it holds, and says how many instances there should be, or it does
not. A label that no data point has, and a metric that nobody sends, never make it hold.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from snowcave.model.spec.scaling import STABILIZATION, bounds
from snowcave.v1 import state_pb2 as state

Kind = Literal["up", "down", "suspend"]

CPU_USAGE = "container.cpu.usage"
CONTAINER_LABEL = "snow.service.container.name"
# Of the CPU that is asked for: what autoscaling without policies aims at.
CPU_TARGET = 0.8
# A ratio such as 0.6 / 0.2 must not cost an instance by its rounding.
_SLACK = 1e-9
# Instances, more than any service may have.
_ABSURD = 10**12


@dataclass(frozen=True, slots=True)
class Point:
    """One data point, of one instance."""

    instance: int
    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


# How many instances it recommends; None where it does not hold. `current` is how many there are.
Recommend = Callable[[Sequence[Point], int], int | None]


@dataclass(frozen=True, slots=True)
class Condition:
    # Seconds for which it has to hold at every evaluation.
    window: float
    recommend: Recommend


@dataclass(frozen=True, slots=True)
class Policies:
    """One of `up` is enough; of `down` and of `suspend` all have to hold."""

    up: tuple[Condition, ...] = ()
    down: tuple[Condition, ...] = ()
    suspend: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.up or self.down or self.suspend)

    def conditions(self) -> Iterable[tuple[Kind, int, Condition]]:
        kinds: tuple[tuple[Kind, tuple[Condition, ...]], ...] = (
            ("up", self.up),
            ("down", self.down),
            ("suspend", self.suspend),
        )
        for kind, conditions in kinds:
            for number, condition in enumerate(conditions):
                yield kind, number, condition


def policies_of(service: state.Service) -> Policies:
    """Those of the specification; else CPU where it asks for CPU and may have more instances; else none."""
    if service.is_job:
        return Policies()
    if service.spec.HasField("auto_scaling"):
        written = service.spec.auto_scaling
        return Policies(
            tuple(_condition("up", one) for one in written.scale_up),
            tuple(_condition("down", one) for one in written.scale_down),
            tuple(_condition("suspend", one) for one in written.suspend),
        )
    asked = {
        container.name: container.requests.cpu_milli / 1000
        for container in service.spec.containers
        if container.requests.has_cpu and container.requests.cpu_milli
    }
    if not asked or service.max_instances <= max(1, service.min_instances):
        return Policies()
    return Policies(
        up=(Condition(STABILIZATION, lambda points, now: _more_cpu(asked, points, now)),),
        down=(Condition(STABILIZATION, lambda points, now: _less_cpu(asked, points, now)),),
    )


def _condition(kind: Kind, written: state.MetricCondition) -> Condition:
    def recommend(points: Sequence[Point], current: int) -> int | None:
        observed = _aggregate(written, points)
        return None if observed is None else _recommended(kind, written, observed, current)

    return Condition(float(written.stabilization_period_secs), recommend)


def _aggregate(written: state.MetricCondition, points: Sequence[Point]) -> float | None:
    labels = dict(written.labels)
    if written.container_name:
        labels[CONTAINER_LABEL] = written.container_name
    values = [
        point.value
        for point in points
        if point.metric == written.metric_name
        and labels.items() <= point.labels.items()
        and math.isfinite(point.value)
    ]
    if not values:
        return None
    match written.aggregation:
        case "min":
            return min(values)
        case "max":
            return max(values)
        case _:
            return sum(values) / len(values)


def _recommended(
    kind: Kind, written: state.MetricCondition, observed: float, current: int
) -> int | None:
    if written.WhichOneof("scaling") == "steps":
        return _stepped(written.steps, observed, current)
    target = written.target_value
    if observed < target if kind == "up" else observed > target:
        return None
    if kind == "suspend":
        return 0
    wanted = current * observed / target
    # What a container sends may be as large as numbers get.
    return math.ceil(min(max(wanted, 0.0), float(_ABSURD)) - _SLACK)


def _stepped(scaling: state.StepScaling, observed: float, current: int) -> int | None:
    """What the step says in which the observed value lies."""
    for step in scaling.steps:
        low, high = bounds(step)
        if low <= observed < high:
            by = step.target_adjustment
            match scaling.adjustment_type:
                case "exactInstanceCount":
                    return by
                case "percentChangeInstanceCount":
                    return max(0, current + _away_from_zero(current * by / 100))
                case _:
                    return max(0, current + by)
    return None


def _away_from_zero(change: float) -> int:
    """Ten per cent of three instances are one, not none."""
    return math.ceil(change - _SLACK) if change > 0 else math.floor(change + _SLACK)


def _more_cpu(asked: Mapping[str, float], points: Sequence[Point], current: int) -> int | None:
    measured = _cpu(asked, points)
    if measured is None:
        return None
    used, held = measured
    return current + 1 if used >= CPU_TARGET * held else None


def _less_cpu(asked: Mapping[str, float], points: Sequence[Point], current: int) -> int | None:
    """One fewer, if the others could take over its work without asking for more at once."""
    measured = _cpu(asked, points)
    if measured is None or current <= 1:
        return None
    used, held = measured
    return current - 1 if used < CPU_TARGET * held * (current - 1) / current else None


def _cpu(asked: Mapping[str, float], points: Sequence[Point]) -> tuple[float, float] | None:
    """Cores used, and asked for, by the containers that were measured."""
    found = [
        (point.value, asked[name])
        for point in points
        if point.metric == CPU_USAGE and (name := point.labels.get(CONTAINER_LABEL, "")) in asked
    ]
    if not found:
        return None
    return sum(used for used, _ in found), sum(held for _, held in found)
