"""resourceManagement.autoScalingPolicies: when a service's instances become more, fewer or none."""

import math
import re
from itertools import pairwise

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec.fields import Fields, invalid
from snowcave.v1 import state_pb2 as state

# Five minutes: what autoscaling without policies goes by, too.
STABILIZATION = 300
_LONGEST_STABILIZATION = 24 * 3600
_MOST_CONDITIONS = 20
_MOST_STEPS = 20
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_.:/-]{0,254}")
# Compared without case, kept as the documents spell them.
_AGGREGATIONS = ("MIN", "MAX", "AVG")
_ADJUSTMENTS = {
    name.upper(): name
    for name in ("changeInstanceCount", "exactInstanceCount", "percentChangeInstanceCount")
}
_CONDITION = (
    "metricName",
    "containerName",
    "labels",
    "aggregationType",
    "stabilizationPeriodSecs",
    "targetScaling",
    "stepScaling",
)


def auto_scaling(spec: Fields) -> state.AutoScalingPolicies | None:
    """None where the specification has no policies. Raises SpecInvalid."""
    resources = spec.child("resourceManagement", ("autoScalingPolicies",))
    if resources is None:
        return None
    resources.need("autoScalingPolicies")
    fields = resources.child("autoScalingPolicies", ("scaleUp", "scaleDown", "suspend"))
    if fields is None:
        return None
    policies = state.AutoScalingPolicies(
        scale_up=_conditions(fields, "scaleUp", "anyConditions"),
        scale_down=_conditions(fields, "scaleDown", "allConditions"),
        suspend=_conditions(fields, "suspend", "allConditions"),
    )
    if not (policies.scale_up or policies.scale_down or policies.suspend):
        raise SpecInvalid("'autoScalingPolicies' needs one of scaleUp, scaleDown and suspend")
    return policies


def _conditions(fields: Fields, policy: str, key: str) -> list[state.MetricCondition]:
    child = fields.child(policy, (key,))
    if child is None:
        return []
    child.need(key)
    found: list[state.MetricCondition] = []
    for item in child.children(key, ("metricCondition",)):
        item.need("metricCondition")
        condition = item.child("metricCondition", _CONDITION)
        assert condition is not None
        found.append(_condition(condition, policy))
    if not 1 <= len(found) <= _MOST_CONDITIONS:
        raise SpecInvalid(f"'{key}' for '{policy}' must have 1 to {_MOST_CONDITIONS} conditions")
    return found


def _condition(fields: Fields, policy: str) -> state.MetricCondition:
    metric = fields.text("metricName")
    if not _METRIC.fullmatch(metric):
        raise invalid(metric, "metricName", fields.place, "the name of a metric is expected")
    condition = state.MetricCondition(
        metric_name=metric,
        container_name=fields.name("containerName") if "containerName" in fields else "",
        labels=fields.pairs("labels") if "labels" in fields else {},
        aggregation=fields.one_of("aggregationType", _AGGREGATIONS).lower(),
        stabilization_period_secs=fields.integer(
            "stabilizationPeriodSecs", 0, _LONGEST_STABILIZATION, STABILIZATION
        ),
    )
    if ("targetScaling" in fields) == ("stepScaling" in fields):
        raise SpecInvalid(f"exactly one of targetScaling and stepScaling for '{fields.place}'")
    if "stepScaling" in fields:
        if policy == "suspend":
            raise SpecInvalid("'stepScaling' is not allowed for 'suspend'")
        condition.steps.CopyFrom(_steps(fields))
    else:
        condition.target_value = _target(fields, policy)
    return condition


def _target(fields: Fields, policy: str) -> float:
    target = fields.child("targetScaling", ("targetValue",))
    assert target is not None
    value = _number(target, "targetValue")
    # A number of instances is reckoned from it by division, but not to suspend.
    if value < 0 or (value == 0 and policy != "suspend"):
        raise invalid(
            target.text("targetValue"),
            "targetValue",
            target.place,
            "a positive number is expected",
        )
    return value


def _steps(fields: Fields) -> state.StepScaling:
    scaling = fields.child("stepScaling", ("adjustmentType", "scalingSteps"))
    assert scaling is not None
    kind = _ADJUSTMENTS[scaling.one_of("adjustmentType", tuple(_ADJUSTMENTS))]
    scaling.need("scalingSteps")
    known = ("lowerBound", "upperBound", "targetAdjustment")
    steps = [_step(step, kind) for step in scaling.children("scalingSteps", known)]
    if not 1 <= len(steps) <= _MOST_STEPS:
        raise SpecInvalid(f"'scalingSteps' must have 1 to {_MOST_STEPS} steps")
    _check_apart(steps)
    return state.StepScaling(adjustment_type=kind, steps=steps)


def _step(fields: Fields, kind: str) -> state.ScalingStep:
    least = 0 if kind == "exactInstanceCount" else -1_000
    step = state.ScalingStep(target_adjustment=fields.integer("targetAdjustment", least, 1_000))
    if "lowerBound" in fields:
        step.lower_bound = _number(fields, "lowerBound")
    if "upperBound" in fields:
        step.upper_bound = _number(fields, "upperBound")
    low, high = bounds(step)
    if low >= high:
        raise SpecInvalid(f"'lowerBound' must be less than 'upperBound' for '{fields.place}'")
    return step


def bounds(step: state.ScalingStep) -> tuple[float, float]:
    """From the first on, and below the second."""
    return (
        step.lower_bound if step.HasField("lower_bound") else -math.inf,
        step.upper_bound if step.HasField("upper_bound") else math.inf,
    )


def _check_apart(steps: list[state.ScalingStep]) -> None:
    ordered = sorted(bounds(step) for step in steps)
    for (_, high), (low, _) in pairwise(ordered):
        if low < high:
            raise SpecInvalid("the 'scalingSteps' of a condition must not overlap")


def _number(fields: Fields, key: str) -> float:
    text = fields.text(key)
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise invalid(text, key, fields.place, "a number is expected")
    return float(text)


def described(policies: state.AutoScalingPolicies) -> dict[str, object]:
    """As the owner of the service sees them."""
    shown: dict[str, object] = {}
    for policy, key, conditions in (
        ("scaleUp", "anyConditions", policies.scale_up),
        ("scaleDown", "allConditions", policies.scale_down),
        ("suspend", "allConditions", policies.suspend),
    ):
        if conditions:
            shown[policy] = {key: [{"metricCondition": _shown(one)} for one in conditions]}
    return {"autoScalingPolicies": shown}


def _shown(condition: state.MetricCondition) -> dict[str, object]:
    shown: dict[str, object] = {"metricName": condition.metric_name}
    if condition.container_name:
        shown["containerName"] = condition.container_name
    if condition.labels:
        shown["labels"] = dict(sorted(condition.labels.items()))
    shown["aggregationType"] = condition.aggregation
    shown["stabilizationPeriodSecs"] = condition.stabilization_period_secs
    if condition.WhichOneof("scaling") == "target_value":
        shown["targetScaling"] = {"targetValue": condition.target_value}
    else:
        shown["stepScaling"] = {
            "adjustmentType": condition.steps.adjustment_type,
            "scalingSteps": [_shown_step(step) for step in condition.steps.steps],
        }
    return shown


def _shown_step(step: state.ScalingStep) -> dict[str, object]:
    shown: dict[str, object] = {}
    if step.HasField("lower_bound"):
        shown["lowerBound"] = step.lower_bound
    if step.HasField("upper_bound"):
        shown["upperBound"] = step.upper_bound
    return shown | {"targetAdjustment": step.target_adjustment}
