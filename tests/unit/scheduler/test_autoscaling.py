"""When a service's instances become more, fewer or none: decisions over made-up data points and time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.model import spec
from snowcave.scheduler.autoscaling.evaluate import (
    History,
    Pace,
    Scale,
    Situation,
    decide,
    observe,
)
from snowcave.scheduler.autoscaling.policy import (
    CONTAINER_LABEL,
    CPU_USAGE,
    Condition,
    Point,
    Policies,
    policies_of,
)
from snowcave.v1 import state_pb2 as state

PACE = Pace()
QUEUE = "queue_depth"


def at(value: float, metric: str = QUEUE, instance: int = 0, **labels: str) -> Point:
    return Point(instance, metric, value, labels)


def service(least: int = 1, most: int = 5, cpu: int = 1000) -> state.Service:
    made = state.Service(min_instances=least, max_instances=most)
    container = made.spec.containers.add(name="main")
    if cpu:
        container.requests.cpu_milli, container.requests.has_cpu = cpu, True
    return made


def written(policies: str) -> Policies:
    """Of the text below `autoScalingPolicies`."""
    head = "spec:\n  containers:\n  - {name: main, image: /db/sc/repo/image}\n"
    text = f"{head}  resourceManagement:\n    autoScalingPolicies: {policies}\n"
    made = service()
    made.spec.CopyFrom(spec.parse(text))
    return policies_of(made)


def condition(scaling: str, aggregation: str = "avg", window: int = 0, more: str = "") -> str:
    return (
        f"{{metricCondition: {{metricName: {QUEUE}, aggregationType: {aggregation}, "
        f"stabilizationPeriodSecs: {window}, {scaling}{more}}}}}"
    )


def target(value: float) -> str:
    return f"targetScaling: {{targetValue: {value}}}"


def after(
    policies: Policies, evaluations: list[list[Point]], current: int = 2, pace: Pace = PACE
) -> History:
    history = History()
    for number, points in enumerate(evaluations):
        history = observe(history, policies, points, current, number * pace.period, pace)
    return history


def decided(
    policies: Policies, evaluations: list[list[Point]], current: int = 2, **changed: float
) -> Scale | None:
    situation = Situation(
        current=current,
        target=int(changed.pop("target", current)),
        least=int(changed.pop("least", 1)),
        most=int(changed.pop("most", 10)),
        since_scaled=changed.pop("since_scaled", None),
    )
    return decide(after(policies, evaluations, current), policies, situation, PACE)


# ---- one condition


@pytest.mark.parametrize(
    ("aggregation", "wish"), [("min", None), ("max", Scale(8, "up")), ("avg", Scale(4, "up"))]
)
def test_data_points_of_all_instances_are_aggregated(aggregation: str, wish: Scale | None):
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(10), aggregation)}]}}}}")
    assert decided(policies, [[at(0.0, instance=0), at(40.0, instance=1)]]) == wish


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6), st.integers(1, 50))
def test_a_target_asks_for_as_many_as_bring_the_metric_to_it(
    observed: float, aim: float, current: int
):
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(aim))}]}}}}")
    wish = policies.up[0].recommend([at(observed)], current)
    assert (wish is not None) == (observed >= aim)
    if wish is not None:
        assert wish * aim >= current * observed * (1 - 1e-6)
        assert (wish - 1) * aim < current * observed


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4),
    st.sampled_from(["min", "max", "avg"]),
    st.sampled_from(["up", "down", "suspend"]),
)
def test_nothing_that_a_container_may_send_breaks_the_evaluation(
    values: list[float], aggregation: str, kind: str
):
    policy = {"up": "scaleUp", "down": "scaleDown", "suspend": "suspend"}[kind]
    which = "anyConditions" if kind == "up" else "allConditions"
    policies = written(f"{{{policy}: {{{which}: [{condition(target(1e-9), aggregation)}]}}}}")
    made = decided(policies, [[at(value) for value in values]])
    assert made is None or 0 <= made.instances <= 10


def test_rounding_costs_no_instance():
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(0.2))}]}}}}")
    assert policies.up[0].recommend([at(0.6)], 1) == 3


STEPS = (
    "stepScaling: {{adjustmentType: {kind}, scalingSteps: ["
    "{{upperBound: 10, targetAdjustment: {low}}}, "
    "{{lowerBound: 20, upperBound: 30, targetAdjustment: {high}}}]}}"
)


@pytest.mark.parametrize(
    ("kind", "low", "high", "wishes"),
    [
        ("changeInstanceCount", -1, 2, (2, None, 5, None)),
        ("exactInstanceCount", 1, 7, (1, None, 7, None)),
        # A part of an instance is a whole one, away from what is there.
        ("percentChangeInstanceCount", -10, 50, (2, None, 5, None)),
    ],
)
def test_steps_change_by_the_interval_in_which_the_metric_lies(
    kind: str, low: int, high: int, wishes: tuple[int | None, ...]
):
    scaling = STEPS.format(kind=kind, low=low, high=high)
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(scaling)}]}}}}")
    (up,) = policies.up
    found = tuple(up.recommend([at(value)], 3) for value in (9.9, 15.0, 20.0, 30.0))
    assert found == wishes


def test_labels_and_containers_choose_among_the_data_points():
    more = ", containerName: main, labels: {snow.endpoint.name: web}"
    policies = written(
        f"{{scaleUp: {{anyConditions: [{condition(target(10), 'max', 0, more)}]}}}}"
    )
    (up,) = policies.up
    mine = {CONTAINER_LABEL: "main", "snow.endpoint.name": "web", "other": "x"}
    assert up.recommend([Point(0, QUEUE, 20.0, mine)], 1) == 2
    for label in (CONTAINER_LABEL, "snow.endpoint.name"):
        assert up.recommend([Point(0, QUEUE, 20.0, mine | {label: "else"})], 1) is None
    assert up.recommend([Point(0, "else", 20.0, mine)], 1) is None


# ---- windows


@given(st.lists(st.floats(0, 30), min_size=1, max_size=25), st.integers(1, 10))
def test_every_evaluation_of_the_window_has_to_agree(values: list[float], evaluations: int):
    window = int(evaluations * PACE.period)
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(10), 'avg', window)}]}}}}")
    scale = decided(policies, [[at(value)] for value in values], current=2)
    last = values[-evaluations:]
    holds = len(last) == evaluations and min(last) >= 10
    greatest = max((policies.up[0].recommend([at(value)], 2) or 0 for value in last), default=0)
    assert scale == (Scale(greatest, "up") if holds and greatest > 2 else None)


def test_an_evaluation_without_data_breaks_the_window():
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(1), 'avg', 90)}]}}}}")
    busy = [at(5.0)]
    assert decided(policies, [busy, busy, busy]) == Scale(10, "up")
    assert decided(policies, [busy, [], busy]) is None
    assert decided(policies, [busy, busy]) is None


def test_a_pause_of_the_scheduler_is_no_agreement():
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(1), 'avg', 90)}]}}}}")
    history = after(policies, [[at(5.0)]] * 2)
    late = observe(history, policies, [at(5.0)], 2, 1000.0, PACE)
    assert decide(late, policies, Situation(2, 2, 1, 10), PACE) is None


def test_what_no_window_reaches_is_not_kept():
    policies = written(f"{{scaleUp: {{anyConditions: [{condition(target(1), 'avg', 300)}]}}}}")
    history = after(policies, [[at(5.0)]] * 500)
    assert len(history.of("up", 0)) == 10


# ---- several conditions

UP = f"scaleUp: {{anyConditions: [{condition(target(100), 'max')}, {condition(target(10), 'min')}]}}"
DOWN = f"scaleDown: {{allConditions: [{condition(target(50), 'max')}, {condition(target(5), 'min')}]}}"
REST = f"suspend: {{allConditions: [{condition(target(1), 'max')}]}}"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        # One of scaleUp is enough, and the one that wants the most counts.
        ((200.0, 0.0), Scale(4, "up")),
        ((200.0, 30.0), Scale(6, "up")),
        # All of scaleDown have to hold, and the one that wants the most counts.
        ((25.0, 2.0), Scale(1, "down")),
        ((60.0, 2.0), None),
        ((45.0, 2.0), None),
        # To suspend goes before to scale down.
        ((0.5, 0.5), Scale(0, "suspend")),
    ],
)
def test_any_scales_up_and_all_scale_down_or_suspend(
    values: tuple[float, float], scale: Scale | None
):
    policies = written(f"{{{UP}, {DOWN}, {REST}}}")
    points = [at(value, instance=number) for number, value in enumerate(values)]
    assert decided(policies, [points]) == scale


def always(kind: str, wish: int) -> Policies:
    return Policies(**{kind: (Condition(0.0, lambda _points, _current: wish),)})


def test_scaling_up_goes_before_suspending_and_that_before_scaling_down():
    up, down, rest = (
        always(kind, wish) for kind, wish in (("up", 5), ("down", 1), ("suspend", 0))
    )
    assert decided(Policies(up.up, down.down, rest.suspend), [[]]) == Scale(5, "up")
    assert decided(Policies((), down.down, rest.suspend), [[]]) == Scale(0, "suspend")
    assert decided(Policies(up.up, down.down), [[]], most=2) == Scale(1, "down")


# ---- limits and pauses


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(0, 6),
)
def test_a_scaling_stays_between_the_limits_and_always_changes_something(
    up: int, down: int, current: int, least: int, more: int
):
    policies = Policies(always("up", up).up, always("down", down).down)
    most = least + more
    scale = decided(policies, [[]], current, least=least, most=most)
    if scale is not None:
        assert least <= scale.instances <= most
        assert scale.instances != current
        assert (scale.because == "up") == (scale.instances > current)


def test_nothing_scales_while_instances_come_or_go():
    assert decided(always("up", 5), [[]], current=2, target=3) is None
    assert decided(always("suspend", 0), [[]], current=0, target=0) is None


@given(st.floats(0, 1000))
def test_nothing_scales_shortly_after_a_scaling(since: float):
    scale = decided(always("up", 5), [[]], since_scaled=since)
    assert (scale is None) == (since < PACE.cooldown)


# ---- CPU, where nothing else is said


def cpu(*used: float) -> list[Point]:
    labels = {CONTAINER_LABEL: "main"}
    return [Point(number, CPU_USAGE, value, labels) for number, value in enumerate(used)]


@pytest.mark.parametrize(
    ("used", "scale"),
    [
        ((0.9, 0.7), Scale(3, "up")),
        ((0.8, 0.79), None),
        ((0.5, 0.5), None),  # one alone would be beyond 80 %
        ((0.3, 0.4), Scale(1, "down")),
    ],
)
def test_without_policies_80_per_cent_of_the_cpu_asked_for_over_five_minutes_decide(
    used: tuple[float, float], scale: Scale | None
):
    policies = policies_of(service())
    assert decided(policies, [cpu(*used)] * 10) == scale
    assert decided(policies, [cpu(*used)] * 9) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_what_cpu_takes_away_it_does_not_want_back_at_once(used: list[float]):
    policies = policies_of(service())
    current = len(used)
    if policies.down[0].recommend(cpu(*used), current) is not None:
        share = sum(used) / (current - 1)
        assert policies.up[0].recommend(cpu(*[share] * (current - 1)), current - 1) is None


def test_cpu_decides_only_where_it_was_asked_for_and_there_is_something_to_decide():
    assert not policies_of(service(cpu=0))
    assert not policies_of(service(least=3, most=3))
    job = service()
    job.is_job = True
    assert not policies_of(job)
    assert policies_of(service())


def test_policies_of_the_specification_go_before_cpu():
    policies = written(f"{{{REST}}}")
    assert (policies.up, policies.down, len(policies.suspend)) == ((), (), 1)
