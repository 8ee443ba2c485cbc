"""What an instance and its containers are called, in Snowflake's words. Pure.

Sources of the texts: the event catalogue of Snowflake's documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.agent.engine.api import Container, Phase
from snowcave.agent.instances.plan import ImageState, ended
from snowcave.agent.instances.recipe import Run
from snowcave.agent.instances.view import View
from snowcave.v1 import state_pb2 as state

PENDING, READY, FAILED, DONE = "PENDING", "READY", "FAILED", "DONE"
TERMINATING, SUCCEEDED, GONE = "TERMINATING", "SUCCEEDED", "GONE"

WAITING = "Waiting to start"
PULL_FAILED = "Failed to pull image"
RUNNING = "Running"
OOM = "Container was OOMKilled due to resource usage"
USER_ERROR = "User application error, check container logs"
COMPLETED = "Completed successfully"
START_FAILED = "Encountered fatal error while starting container"
RETRYING = "Encountered fatal error, retrying"
# At the end of what runc says, as Docker passes it on.
_OWN_FAULT = re.compile(
    r"\b((?:exec:|exec /|chdir to cwd|unable to find user|unable to find group)[^\n]{1,500}?)"
    r"(?:: unknown)?\s*\Z"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the readiness probe passes; None while nobody has an answer yet."""

    passing: bool | None = None


def report(
    want: state.Assignment,
    seen: View,
    images: Mapping[str, ImageState],
    probes: Mapping[str, Probe],
) -> state.InstanceReport:
    """`images` and `probes` by container name."""
    containers = [
        _container(want, spec, seen, images, probes.get(spec.name, Probe()))
        for spec in want.spec.containers
    ]
    status = _instance_status(want, seen, [c.status for c in containers])
    made = state.InstanceReport(
        instance=want.instance,
        node=want.node,
        service=want.service,
        instance_id=want.instance_id,
        status=status,
        message=next((c.message for c in containers if c.status != READY), RUNNING),
        address=want.address,
        spec_digest=want.spec_digest,
        containers=containers,
    )
    if seen.sandbox is not None and seen.sandbox.started_at is not None:
        made.started_on.CopyFrom(stamp(seen.sandbox.started_at))
    return made


def is_unknown(want: state.Assignment, seen: View, probes: Mapping[str, Probe]) -> bool:
    """Its containers ran before this agent did, and a probe has yet to say how they are.

    Whoever is told nothing goes on with what the agent before this one told; PENDING would take an instance
    that serves out of all routes.
    """
    return not want.stopping and any(
        spec.HasField("readiness_probe")
        and (found := seen.containers.get(spec.name)) is not None
        and found.phase is Phase.RUNNING
        and found.id in (seen.taken_up or ())
        and probes.get(spec.name, Probe()).passing is None
        for spec in want.spec.containers
    )


def stamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


def _instance_status(want: state.Assignment, seen: View, statuses: list[str]) -> str:
    if want.stopping:
        return GONE if seen.empty else TERMINATING
    if want.is_job:
        return _job_status(want, seen, statuses)
    if all(status == READY for status in statuses):
        return READY
    return FAILED if FAILED in statuses else PENDING


def _job_status(want: state.Assignment, seen: View, statuses: list[str]) -> str:
    """It has ended when all its containers have; a failure before then shows in the container alone."""
    found = [seen.containers.get(spec.name) for spec in want.spec.containers]
    over = [container is not None and ended(container) for container in found]
    if all(over):
        return FAILED if FAILED in statuses else SUCCEEDED
    going = [status for status, is_over in zip(statuses, over, strict=True) if not is_over]
    return READY if all(status == READY for status in going) else PENDING


def _container(
    want: state.Assignment,
    spec: state.ContainerSpec,
    seen: View,
    images: Mapping[str, ImageState],
    probe: Probe,
) -> state.ContainerStatus:
    found = seen.containers.get(spec.name)
    status, message = _state(want, spec, found, seen, images, probe)
    made = state.ContainerStatus(
        name=spec.name,
        status=status,
        message=message,
        image=spec.image,
        image_digest=spec.resolved.digest,
    )
    if found is None:
        return made
    run = Run.of(found)
    made.container_id = found.id
    made.restart_count = run.number
    if found.started_at is not None:
        made.started_on.CopyFrom(stamp(found.started_at))
        if run.number:
            made.last_restart_on.CopyFrom(stamp(found.started_at))
    exit_code = found.exit_code if ended(found) else run.last_exit
    if exit_code is not None:
        made.has_exit_code, made.last_exit_code = True, exit_code
    return made


def _state(
    want: state.Assignment,
    spec: state.ContainerSpec,
    found: Container | None,
    seen: View,
    images: Mapping[str, ImageState],
    probe: Probe,
) -> tuple[str, str]:
    if found is not None and ended(found) and (want.is_job or not want.stopping):
        return _ended(want, found)
    if want.stopping:
        return TERMINATING, ""
    if found is None or found.phase is not Phase.RUNNING:
        if images.get(spec.name) is ImageState.FAILED:
            return PENDING, PULL_FAILED
        problem = seen.problems.get("") or seen.problems.get(spec.name)
        if problem is not None and not problem.waiting:
            return FAILED, RETRYING
        return PENDING, WAITING
    if not spec.HasField("readiness_probe") or probe.passing:
        return READY, RUNNING
    if probe.passing is None:
        return PENDING, WAITING
    path, port = spec.readiness_probe.path, spec.readiness_probe.port
    return PENDING, f"Readiness probe is failing at path: {path}, port: {port}"


def _with_reason(message: str, error: str) -> str:
    """What the engine says of the container's own program or user; the rest is about the node."""
    told = _OWN_FAULT.search(error)
    return f"{message}: {told[1]}" if told else message


def _ended(want: state.Assignment, found: Container) -> tuple[str, str]:
    if found.phase is Phase.CREATED:
        return FAILED, _with_reason(START_FAILED if want.is_job else RETRYING, found.error)
    if found.oom_killed:
        return FAILED, OOM
    if found.exit_code:
        return FAILED, USER_ERROR
    # A service's program is not meant to end: it is started again, well or not.
    return (DONE, COMPLETED) if want.is_job else (PENDING, WAITING)
