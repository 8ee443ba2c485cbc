"""The next steps for one instance, from what is wanted and what is seen. Pure.

The steps of one plan do not depend on each other and are taken together; after them the plan is
made again. A plan never both starts and stops, and where nothing is missing it is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from snowcave.agent.engine.api import Container, ContainerId, Phase
from snowcave.agent.instances.recipe import Run
from snowcave.agent.instances.view import Problem, View
from snowcave.v1 import state_pb2 as state


class ImageState(StrEnum):
    UNKNOWN = "unknown"
    PULLING = "pulling"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds."""

    # Between SIGTERM and SIGKILL.
    stop_grace: float = 30.0
    # Between the order to stop, which took the instance out of all routes, and SIGTERM: whoever routes
    # has to hear of it first.
    stop_settle: float = 2.0
    # Before the first restart; doubled for each short run in a row, up to the cap.
    restart_base: float = 1.0
    restart_cap: float = 60.0
    # A run of this length ends the streak.
    stable_after: float = 300.0


@dataclass(frozen=True, slots=True)
class Pull:
    container: str


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    pass


@dataclass(frozen=True, slots=True)
class StartSandbox:
    id: ContainerId


@dataclass(frozen=True, slots=True)
class Plug:
    pid: int


@dataclass(frozen=True, slots=True)
class Unplug:
    pass


@dataclass(frozen=True, slots=True)
class Create:
    container: str
    sandbox: ContainerId
    run: Run


@dataclass(frozen=True, slots=True)
class Start:
    container: str
    id: ContainerId


@dataclass(frozen=True, slots=True)
class Terminate:
    ids: tuple[ContainerId, ...]


@dataclass(frozen=True, slots=True)
class Kill:
    id: ContainerId


@dataclass(frozen=True, slots=True)
class Remove:
    id: ContainerId


Action = (
    Pull
    | CreateSandbox
    | StartSandbox
    | Plug
    | Unplug
    | Create
    | Start
    | Terminate
    | Kill
    | Remove
)


@dataclass(frozen=True, slots=True)
class Plan:
    actions: tuple[Action, ...] = ()
    # Seconds after which time alone may change the plan.
    again_in: float | None = None


def plan(
    want: state.Assignment | None,
    seen: View,
    images: Mapping[str, ImageState],
    policy: Policy,
    now: datetime,
) -> Plan:
    """`images` by container name. No assignment is the same as one that is stopping."""
    if want is None or want.stopping:
        return _withdraw(want, seen, policy, now)
    if _sandbox_lost(want, seen):
        return _without_sandbox(want, seen)
    steps = [
        _container_steps(want, spec, seen, images, policy, now) for spec in want.spec.containers
    ]
    steps.append(_sandbox_steps(seen, policy, now))
    waits = [step.again_in for step in steps if step.again_in is not None]
    return Plan(
        tuple(action for step in steps for action in step.actions), min(waits, default=None)
    )


def restart_due(container: Container, policy: Policy) -> tuple[Run, float]:
    """The run after this one, and how many seconds after its end it may begin."""
    run = Run.of(container)
    lived = 0.0
    if container.started_at and container.finished_at:
        lived = (container.finished_at - container.started_at).total_seconds()
    streak = 0 if lived >= policy.stable_after else run.streak
    delay = min(policy.restart_cap, policy.restart_base * 2 ** min(streak, 16))
    return Run(run.number + 1, streak + 1, container.exit_code), delay


def ended(container: Container) -> bool:
    """It has run and does no more, or could not be started at all."""
    return container.phase is Phase.EXITED or (
        container.phase is Phase.CREATED and bool(container.error)
    )


def _sandbox_lost(want: state.Assignment, seen: View) -> bool:
    """Its namespace is gone: whatever still serves in it cannot be reached any more."""
    if seen.empty:
        return False
    if seen.sandbox is not None and seen.sandbox.phase in (Phase.CREATED, Phase.RUNNING):
        return False
    finished = want.is_job and all(
        (c := seen.containers.get(spec.name)) is not None and ended(c)
        for spec in want.spec.containers
    )
    return not finished


def _without_sandbox(want: state.Assignment, seen: View) -> Plan:
    """A service begins anew. A job that has begun is not run twice: it ends here."""
    mine = [seen.containers.get(spec.name) for spec in want.spec.containers]
    begun = [c for c in mine if c is not None and c.phase in (Phase.RUNNING, Phase.EXITED)]
    if want.is_job and len(begun) == len(mine):
        return Plan(tuple(Kill(c.id) for c in begun if c.phase is Phase.RUNNING))
    return Plan(tuple(Remove(c.id) for c in seen.all()))


def _sandbox_steps(seen: View, policy: Policy, now: datetime) -> Plan:
    if (wait := _held_back(seen.problems.get(""), policy, now)) > 0:
        return Plan(again_in=wait)
    sandbox = seen.sandbox
    if sandbox is None:
        return Plan((CreateSandbox(),) if seen.empty else ())
    if sandbox.phase is Phase.CREATED:
        return Plan((StartSandbox(sandbox.id),))
    if sandbox.phase is Phase.RUNNING and seen.plugged != sandbox.pid:
        return Plan((Plug(sandbox.pid),))
    return Plan()


def _container_steps(
    want: state.Assignment,
    spec: state.ContainerSpec,
    seen: View,
    images: Mapping[str, ImageState],
    policy: Policy,
    now: datetime,
) -> Plan:
    if (wait := _held_back(seen.problems.get(spec.name), policy, now)) > 0:
        return Plan(again_in=wait)
    found = seen.containers.get(spec.name)
    if found is None:
        return _create(spec.name, seen, images, seen.lost_runs.get(spec.name, Run()))
    if found.phase is Phase.DEAD:
        return Plan((Remove(found.id),))
    if found.phase is Phase.CREATED and not found.error:
        plugged = seen.sandbox is not None and seen.plugged == seen.sandbox.pid != 0
        return Plan((Start(spec.name, found.id),) if plugged else ())
    if ended(found) and not want.is_job:
        return _restart(spec.name, found, seen, images, policy, now)
    return Plan()


def _create(name: str, seen: View, images: Mapping[str, ImageState], run: Run) -> Plan:
    match images.get(name, ImageState.UNKNOWN):
        case ImageState.UNKNOWN:
            return Plan((Pull(name),))
        case ImageState.READY if seen.sandbox is not None:
            return Plan((Create(name, seen.sandbox.id, run),))
        case _:
            return Plan()


def _restart(
    name: str,
    found: Container,
    seen: View,
    images: Mapping[str, ImageState],
    policy: Policy,
    now: datetime,
) -> Plan:
    run, delay = restart_due(found, policy)
    since = (now - (found.finished_at or found.created_at)).total_seconds()
    # A clock that was set back must not make the wait longer than it should be.
    wait = min(delay, delay - since)
    if wait > 0:
        return Plan(again_in=wait)
    # The run before stays until the next, for those who ask for its logs.
    old = tuple(Remove(c.id) for c in seen.earlier.get(name, ()))
    made = _create(name, seen, images, run)
    return Plan((*old, *made.actions))


def _withdraw(want: state.Assignment | None, seen: View, policy: Policy, now: datetime) -> Plan:
    running = seen.running()
    if not running:
        # Its wire goes with the sandbox; what the node knows of it has to be taken away.
        unplug = (Unplug(),) if seen.sandbox is not None else ()
        return Plan((*unplug, *(Remove(c.id) for c in seen.all())))
    if seen.stop_sent is None:
        if (wait := _unsettled(want, seen, policy, now)) > 0:
            return Plan(again_in=wait)
        return Plan((Terminate(tuple(c.id for c in running)),))
    left = policy.stop_grace - (now - seen.stop_sent).total_seconds()
    if left > 0:
        return Plan(again_in=left)
    return Plan(tuple(Kill(c.id) for c in running))


def _unsettled(want: state.Assignment | None, seen: View, policy: Policy, now: datetime) -> float:
    """Seconds until nobody sends new requests any more."""
    if want is None or not want.spec.endpoints:
        return 0.0
    told = seen.stop_asked or now
    return min(policy.stop_settle, policy.stop_settle - (now - told).total_seconds())


def _held_back(problem: Problem | None, policy: Policy, now: datetime) -> float:
    if problem is None:
        return 0.0
    delay = min(policy.restart_cap, policy.restart_base * 2 ** min(problem.tries - 1, 16))
    return min(delay, delay - (now - problem.at).total_seconds())
