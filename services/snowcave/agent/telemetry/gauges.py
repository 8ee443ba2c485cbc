"""What an instance's containers say by being as they are: groups system, system_limits and status. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snowcave.agent.engine.api import Container, Phase
from snowcave.agent.instances.plan import ended
from snowcave.agent.instances.recipe import Run
from snowcave.agent.instances.status import PULL_FAILED
from snowcave.agent.telemetry.catalogue import Point
from snowcave.v1 import state_pb2 as state

DONE, FAILED, FAILED_WITH_OOM, FAILED_TO_START = "Done", "Failed", "FailedWithOOM", "FailedToStart"
CREATING, INITIALIZING = "Creating", "Initializing"
PULL, STARTING = "FailedToPullImage", "FailingToStartContainer"


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What a container without a limit may use."""

    cpu_milli: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one container that are still there, oldest first."""

    spec: state.ContainerSpec
    runs: Sequence[Container]

    @property
    def latest(self) -> Container | None:
        return self.runs[-1] if self.runs else None


def limits(spec: state.ContainerSpec, node: NodeSize) -> Iterator[Point]:
    """As asked for and as granted: no limit of its own means the node's."""

    def point(metric: str, value: float) -> Point:
        return Point(metric, value, spec.name)

    cpu, memory = spec.limits.cpu_milli or node.cpu_milli, spec.limits.memory_bytes
    yield point("container.cpu.limit", min(cpu, node.cpu_milli or cpu) / 1000)
    yield point("container.cpu.requested", spec.requests.cpu_milli / 1000)
    memory = memory or node.memory_bytes
    yield point("container.memory.limit", float(min(memory, node.memory_bytes or memory)))
    yield point("container.memory.requested", float(spec.requests.memory_bytes))
    if spec.requests.gpu or spec.limits.gpu:
        yield point("container.gpu.limit", float(spec.limits.gpu))
        yield point("container.gpu.requested", float(spec.requests.gpu))


def status(of: Runs, told: state.ContainerStatus | None) -> Iterator[Point]:
    """`told`: what the agent reports of it. A state is told by its own metric alone, with the value 1."""
    name, latest = of.spec.name, of.latest
    yield Point("container.restarts", float(Run.of(latest).number if latest else 0), name)
    if latest is not None and latest.phase is Phase.RUNNING:
        yield Point("container.state.running", 1.0, name)
        yield Point("container.state.started", 1.0, name)
    elif latest is not None and ended(latest):
        yield Point("container.state.finished", 1.0, name)
    else:
        yield Point("container.state.pending", 1.0, name)
        reason = {"reason": _pending_reason(latest, told)}
        yield Point("container.state.pending.reason", 1.0, name, attributes=reason)
    yield from _last_end(of)


def _pending_reason(latest: Container | None, told: state.ContainerStatus | None) -> str:
    message = told.message if told is not None else ""
    if message == PULL_FAILED:
        return PULL
    if message.startswith("Encountered fatal error"):
        return STARTING
    return CREATING if latest is None else INITIALIZING


def _last_end(of: Runs) -> Iterator[Point]:
    """Of the newest run that has ended, which may be gone: its successor knows how it ended."""
    name, over = of.spec.name, [one for one in of.runs if ended(one)]
    if over:
        reason, code = _reason(over[-1]), over[-1].exit_code
    elif of.latest is not None and (known := Run.of(of.latest).last_exit) is not None:
        reason, code = (FAILED if known else DONE), known
    else:
        return
    attributes = {"reason": reason}
    yield Point("container.state.last.finished.reason", 1.0, name, attributes=attributes)
    yield Point("container.state.last.finished.exitcode", float(code), name)


def _reason(container: Container) -> str:
    if container.phase is Phase.CREATED:
        return FAILED_TO_START
    if container.oom_killed:
        return FAILED_WITH_OOM
    return FAILED if container.exit_code else DONE


def by_container(
    spec: state.ServiceSpec, found: Mapping[str, Sequence[Container]]
) -> Iterator[Runs]:
    """`found`: runs by the container's name, oldest first."""
    for container in spec.containers:
        yield Runs(container, found.get(container.name, ()))
