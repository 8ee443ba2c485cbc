"""The steps for one instance, decided from what is wanted and seen."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.agent.engine.api import Container, ContainerId, Phase
from snowcave.agent.instances import plan as planning
from snowcave.agent.instances.plan import (
    Create,
    CreateSandbox,
    ImageState,
    Kill,
    Plan,
    Plug,
    Policy,
    Pull,
    Remove,
    Start,
    StartSandbox,
    Terminate,
    Unplug,
    plan,
)
from snowcave.agent.instances.recipe import CONTAINER_LABEL, RUN_LABEL, STREAK_LABEL, Run
from snowcave.agent.instances.view import View
from tests.kit.agent_node import assignment, spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy()
READY = {"main": ImageState.READY, "side": ImageState.READY}
WANT = assignment("7-0-1", spec("main"), spec("side"))


def container(
    name: str, phase: Phase, *, run: int = 0, streak: int = 0, **more: object
) -> Container:
    lived: dict[str, object] = {}
    if phase is Phase.EXITED:
        lived = {"started_at": NOW - timedelta(seconds=1), "finished_at": NOW}
    labels = {CONTAINER_LABEL: name, RUN_LABEL: str(run), STREAK_LABEL: str(streak)}
    pid = 42 if phase is Phase.RUNNING else 0
    fields = {"pid": pid, **lived, **more}
    made = ContainerId(f"{name}.{run}")
    return Container(made, name, labels, "image", phase, NOW, **fields)  # type: ignore[arg-type]


def view(*containers: Container, plugged: int = 0) -> View:
    seen = View(plugged=plugged)
    seen.replace(containers)
    return seen


def test_nothing_yet_means_images_and_a_sandbox_at_once():
    decided = plan(WANT, view(), {}, POLICY, NOW)
    assert set(decided.actions) == {Pull("main"), Pull("side"), CreateSandbox()}


def test_containers_are_created_while_the_sandbox_starts():
    seen = view(container("sandbox", Phase.CREATED))
    sandbox = ContainerId("sandbox.0")
    assert set(plan(WANT, seen, READY, POLICY, NOW).actions) == {
        StartSandbox(sandbox),
        Create("main", sandbox, Run()),
        Create("side", sandbox, Run()),
    }


def test_no_program_starts_before_the_network_is_there():
    made = [container(name, Phase.CREATED) for name in ("main", "side")]
    sandbox = container("sandbox", Phase.RUNNING)
    assert plan(WANT, view(sandbox, *made), READY, POLICY, NOW).actions == (Plug(42),)
    assert plan(WANT, view(sandbox, *made, plugged=42), READY, POLICY, NOW).actions == (
        Start("main", ContainerId("main.0")),
        Start("side", ContainerId("side.0")),
    )


def test_an_instance_that_runs_needs_nothing():
    running = [container(name, Phase.RUNNING) for name in ("sandbox", "main", "side")]
    assert plan(WANT, view(*running, plugged=42), READY, POLICY, NOW) == Plan()


def test_a_container_without_its_image_waits_and_the_others_go_on():
    seen = view(container("sandbox", Phase.RUNNING), plugged=42)
    images = {"main": ImageState.FAILED, "side": ImageState.READY}
    assert plan(WANT, seen, images, POLICY, NOW).actions == (
        Create("side", ContainerId("sandbox.0"), Run()),
    )


def test_an_exited_container_is_run_again_after_its_pause():
    running = [container(name, Phase.RUNNING) for name in ("sandbox", "side")]
    seen = view(*running, container("main", Phase.EXITED, exit_code=3), plugged=42)
    assert plan(WANT, seen, READY, POLICY, NOW) == Plan((), again_in=1.0)
    later = plan(WANT, seen, READY, POLICY, NOW + timedelta(seconds=1))
    assert later.actions == (Create("main", ContainerId("sandbox.0"), Run(1, 1, 3)),)


def test_short_runs_in_a_row_wait_longer_and_a_long_run_ends_the_row():
    def pause(streak: int, lived: float) -> tuple[Run, float]:
        exited = container(
            "main", Phase.EXITED, run=9, streak=streak, started_at=NOW - timedelta(seconds=lived)
        )
        return planning.restart_due(exited, POLICY)

    assert [pause(streak, 1.0)[1] for streak in (0, 1, 2, 5, 6, 99)] == [1, 2, 4, 32, 60, 60]
    assert pause(6, POLICY.stable_after) == (Run(10, 1, 0), 1.0)


def test_a_clock_set_back_does_not_lengthen_the_pause():
    running = [container(name, Phase.RUNNING) for name in ("sandbox", "side")]
    seen = view(*running, container("main", Phase.EXITED), plugged=42)
    early = plan(WANT, seen, READY, POLICY, NOW - timedelta(days=1))
    assert early == Plan((), again_in=1.0)


def test_the_run_before_the_last_is_removed_on_a_restart():
    running = [container(name, Phase.RUNNING) for name in ("sandbox", "side")]
    runs = [container("main", Phase.EXITED, run=n) for n in (1, 0)]
    decided = plan(
        WANT, view(*running, *runs, plugged=42), READY, POLICY, NOW + timedelta(minutes=1)
    )
    assert decided.actions[0] == Remove(ContainerId("main.0"))
    assert decided.actions[1] == Create("main", ContainerId("sandbox.0"), Run(2, 1, 0))


def test_a_dead_sandbox_takes_everything_with_it_and_is_never_started():
    seen = view(container("sandbox", Phase.EXITED), container("main", Phase.RUNNING))
    assert set(plan(WANT, seen, READY, POLICY, NOW).actions) == {
        Remove(ContainerId("sandbox.0")),
        Remove(ContainerId("main.0")),
    }


def test_a_finished_job_is_left_as_it_is():
    job = assignment("7-0-1", spec("main"), is_job=True)
    for sandbox in (Phase.RUNNING, Phase.EXITED):
        seen = view(container("sandbox", sandbox), container("main", Phase.EXITED), plugged=42)
        assert plan(job, seen, READY, POLICY, NOW) == Plan()


def test_a_job_whose_sandbox_died_is_not_run_twice():
    job = assignment("7-0-1", spec("main"), spec("side"), is_job=True)
    seen = view(
        container("sandbox", Phase.EXITED),
        container("main", Phase.RUNNING),
        container("side", Phase.EXITED),
    )
    assert plan(job, seen, READY, POLICY, NOW).actions == (Kill(ContainerId("main.0")),)
    seen.put(container("main", Phase.EXITED))
    assert plan(job, seen, READY, POLICY, NOW) == Plan()


def test_stopping_is_polite_for_the_grace_and_then_is_not():
    stopping = assignment("7-0-1", spec("main"), stopping=True)
    seen = view(container("sandbox", Phase.RUNNING), container("main", Phase.RUNNING))
    main = ContainerId("main.0")
    assert plan(stopping, seen, READY, POLICY, NOW).actions == (Terminate((main,)),)
    seen.stop_sent = NOW
    assert plan(stopping, seen, READY, POLICY, NOW + timedelta(seconds=29)) == Plan((), 1.0)
    assert plan(stopping, seen, READY, POLICY, NOW + timedelta(seconds=30)).actions == (
        Kill(main),
    )
    seen.put(container("main", Phase.EXITED))
    assert set(plan(stopping, seen, READY, POLICY, NOW).actions) == {
        Unplug(),
        Remove(ContainerId("sandbox.0")),
        Remove(main),
    }


def test_what_nobody_assigned_is_taken_away():
    assert plan(None, view(container("main", Phase.CREATED)), {}, POLICY, NOW).actions == (
        Remove(ContainerId("main.0")),
    )
    assert plan(None, view(), {}, POLICY, NOW) == Plan()


PHASES = st.sampled_from(Phase)


@st.composite
def views(draw: st.DrawFn) -> View:
    found = [
        container(name, draw(PHASES), run=run, streak=draw(st.integers(0, 9)))
        for name in ("sandbox", "main", "side")
        for run in range(draw(st.integers(0, 1 if name == "sandbox" else 3)))
    ]
    seen = view(*found, plugged=draw(st.sampled_from([0, 42])))
    seen.stop_sent = draw(st.sampled_from([None, NOW - timedelta(minutes=5), NOW]))
    return seen


WANTS = st.sampled_from(
    [
        None,
        WANT,
        assignment("7-0-1", spec("main"), spec("side"), stopping=True),
        assignment("7-0-1", spec("main"), spec("side"), is_job=True),
    ]
)
IMAGES = st.fixed_dictionaries({n: st.sampled_from(ImageState) for n in ("main", "side")})


@settings(max_examples=400)
@given(WANTS, views(), IMAGES)
def test_a_plan_never_both_starts_and_stops(want, seen, images):
    actions = plan(want, seen, images, POLICY, NOW).actions
    raising = [
        a for a in actions if isinstance(a, Create | Start | StartSandbox | CreateSandbox | Plug)
    ]
    ending = {a.id for a in actions if isinstance(a, Kill | Remove)}
    if want is None or want.stopping:
        assert not raising
    running = {c.id for c in seen.all() if c.phase is Phase.RUNNING}
    if raising:
        assert not ending & running
    assert not {a.id for a in raising if isinstance(a, Start | StartSandbox)} & ending


@settings(max_examples=300)
@given(WANTS, views(), IMAGES)
def test_plans_converge_when_they_are_carried_out(want, seen, images):
    now, images = NOW, dict.fromkeys(images, ImageState.READY)
    for _ in range(60):
        decided = plan(want, seen, images, POLICY, now)
        if not decided.actions and decided.again_in is None:
            break
        for action in decided.actions:
            _pretend(seen, action, now)
        now += timedelta(seconds=decided.again_in or 0.01)
    assert plan(want, seen, images, POLICY, now).actions == ()
    if want is None or want.stopping:
        assert seen.empty
    elif not want.is_job:
        assert {c.labels[CONTAINER_LABEL] for c in seen.running()} == {"main", "side"}


def _pretend(seen: View, action: object, now: datetime) -> None:
    """What an obliging engine would make of it."""
    match action:
        case CreateSandbox():
            seen.put(container("sandbox", Phase.CREATED))
        case StartSandbox():
            seen.put(container("sandbox", Phase.RUNNING))
        case Plug(pid):
            seen.plugged = pid
        case Create(container=name, run=run):
            seen.put(container(name, Phase.CREATED, run=run.number, streak=run.streak))
        case Start(container=name):
            seen.put(container(name, Phase.RUNNING, run=Run.of(seen.containers[name]).number))
        case Terminate():
            seen.stop_sent = now
        case Kill(id=made):
            for name, found in list(seen.containers.items()):
                if found.id == made:
                    seen.put(container(name, Phase.EXITED, run=Run.of(found).number))
        case Remove(id=made):
            seen.drop(made)
        case _:
            pass


def test_an_instance_with_endpoints_gets_sigterm_only_after_the_routes_have_settled():
    served = assignment("7-0-1", spec("main"), stopping=True)
    served.spec.endpoints.add(name="web", port=8000)
    seen = view(*(container(name, Phase.RUNNING) for name in ("sandbox", "main")), plugged=42)
    seen.stop_asked = NOW
    assert plan(served, seen, READY, POLICY, NOW) == Plan(again_in=POLICY.stop_settle)
    later = NOW + timedelta(seconds=POLICY.stop_settle)
    told = (Terminate((ContainerId("main.0"),)),)
    assert plan(served, seen, READY, POLICY, later).actions == told
    # Nothing is routed to what has no endpoint, or no assignment any more.
    bare = assignment("7-0-1", spec("main"), stopping=True)
    assert plan(bare, seen, READY, POLICY, NOW).actions == told
    assert plan(None, seen, READY, POLICY, NOW).actions == told


def test_a_clock_set_back_does_not_lengthen_the_settling():
    served = assignment("7-0-1", spec("main"), stopping=True)
    served.spec.endpoints.add(name="web", port=8000)
    seen = view(*(container(name, Phase.RUNNING) for name in ("sandbox", "main")), plugged=42)
    seen.stop_asked = NOW + timedelta(days=1)
    assert plan(served, seen, READY, POLICY, NOW) == Plan(again_in=POLICY.stop_settle)
