"""resourceManagement.autoScalingPolicies: what is taken, what is refused, what is shown."""

import pytest

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec import described, digest, parse
from snowcave.v1 import state_pb2 as state

HEAD = """
spec:
  containers:
  - name: main
    image: /db/sc/repo/image
  resourceManagement:
    autoScalingPolicies:
"""
WHOLE = """
      scaleUp:
        anyConditions:
        - metricCondition:
            metricName: container.cpu.usage
            containerName: main
            aggregationType: AVG
            stabilizationPeriodSecs: 60
            targetScaling:
              targetValue: 0.5
        - metricCondition:
            metricName: queue_depth
            labels:
              snow.endpoint.name: web
            aggregationType: max
            stepScaling:
              adjustmentType: changeInstanceCount
              scalingSteps:
              - upperBound: 100
                targetAdjustment: 1
              - lowerBound: 100
                targetAdjustment: 3
      scaleDown:
        allConditions:
        - metricCondition:
            metricName: queue_depth
            aggregationType: max
            stabilizationPeriodSecs: 600
            targetScaling:
              targetValue: 5
      suspend:
        allConditions:
        - metricCondition:
            metricName: network.ingress.cps
            aggregationType: max
            targetScaling:
              targetValue: 0
"""


def one(policy: str = "scaleUp", **changed: str) -> str:
    """A specification with one condition; a field that is None is left out."""
    quantor = "anyConditions" if policy == "scaleUp" else "allConditions"
    fields = {
        "metricName": "cpu",
        "aggregationType": "avg",
        "targetScaling": "{targetValue: 1}",
    } | changed
    lines = [f"            {key}: {value}" for key, value in fields.items() if value]
    return f"{HEAD}      {policy}:\n        {quantor}:\n        - metricCondition:\n" + "\n".join(
        lines
    )


def steps(*bounds: str, kind: str = "changeInstanceCount") -> dict[str, str]:
    scaling = f"{{adjustmentType: {kind}, scalingSteps: [{', '.join(bounds)}]}}"
    return {"targetScaling": "", "stepScaling": scaling}


def test_every_documented_field_is_kept():
    policies = parse(HEAD + WHOLE).auto_scaling
    up, queue = policies.scale_up
    assert (up.metric_name, up.container_name, up.aggregation) == (
        "container.cpu.usage",
        "main",
        "avg",
    )
    assert (up.stabilization_period_secs, up.target_value) == (60, 0.5)
    assert dict(queue.labels) == {"snow.endpoint.name": "web"}
    assert queue.stabilization_period_secs == 300
    assert queue.steps == state.StepScaling(
        adjustment_type="changeInstanceCount",
        steps=[
            state.ScalingStep(upper_bound=100, target_adjustment=1),
            state.ScalingStep(lower_bound=100, target_adjustment=3),
        ],
    )
    assert [one.target_value for one in (*policies.scale_down, *policies.suspend)] == [5, 0]


def test_what_its_owner_is_shown_means_the_same():
    parsed = parse(HEAD + WHOLE)
    assert parse(described(parsed)) == parsed
    assert digest(parse(described(parsed))) == digest(parsed)


def test_a_specification_without_policies_has_none():
    assert not parse(HEAD.partition("  resource")[0]).HasField("auto_scaling")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (one(aggregationType="median"), "invalid value 'median' for 'aggregationType'"),
        (one(aggregationType=""), "missing 'aggregationType'"),
        (one(metricName="''"), "invalid value '' for 'metricName'"),
        (one(stabilizationPeriodSecs="-1"), "invalid value '-1' for 'stabilizationPeriodSecs'"),
        (one(targetScaling=""), "exactly one of targetScaling and stepScaling"),
        (
            one(stepScaling=steps("{targetAdjustment: 1}")["stepScaling"]),
            "exactly one of targetScaling and stepScaling",
        ),
        (one(targetScaling="{targetValue: 0}"), "invalid value '0' for 'targetValue'"),
        (one(targetScaling="{targetValue: .nan}"), "invalid value '.nan' for 'targetValue'"),
        (one(targetScaling=f"{{targetValue: {'9' * 400}}}"), "for 'targetValue'"),
        (one("suspend", targetScaling="{targetValue: -1}"), "invalid value '-1'"),
        (one("suspend", **steps("{targetAdjustment: 1}")), "'stepScaling' is not allowed"),
        (one(**steps()), "'scalingSteps' must have 1 to 20 steps"),
        (one(**steps("{targetAdjustment: 1}", kind="double")), "for 'adjustmentType'"),
        (
            one(**steps("{lowerBound: 2, upperBound: 2, targetAdjustment: 1}")),
            "'lowerBound' must be less than 'upperBound'",
        ),
        (
            one(**steps("{upperBound: 3, targetAdjustment: 1}", "{lowerBound: 2, targetAdjustment: 2}")),
            "must not overlap",
        ),
        (
            one(**steps("{targetAdjustment: -1}", kind="exactInstanceCount")),
            "invalid value '-1' for 'targetAdjustment'",
        ),
        (one(color="red"), "unknown option 'color' for 'metricCondition'"),
        (one().replace("anyConditions", "allConditions"), "unknown option 'allConditions'"),
        (HEAD + "      scaleUp: {}", "missing 'anyConditions' for 'scaleUp'"),
        (HEAD + "      scaleUp: {anyConditions: []}", "'anyConditions' for 'scaleUp' must have"),
        (HEAD + "      {}", "needs one of scaleUp, scaleDown and suspend"),
    ],
)  # fmt: skip
def test_a_policy_that_means_nothing_is_refused_with_the_place(text: str, words: str):
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    assert words in refused.value.message
