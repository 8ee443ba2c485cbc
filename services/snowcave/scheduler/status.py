"""What a service's status says: its own, and that of each instance. Pure.

The status moves along the documented graph, one step a write.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from snowcave.scheduler.rollout import FINISHED
from snowcave.v1 import state_pb2 as state

PENDING, RUNNING, FAILED, DONE = "PENDING", "RUNNING", "FAILED", "DONE"
SUSPENDING, SUSPENDED = "SUSPENDING", "SUSPENDED"
CANCELLING, CANCELLED = "CANCELLING", "CANCELLED"
DELETING, DELETED, INTERNAL_ERROR = "DELETING", "DELETED", "INTERNAL_ERROR"

GRAPH: Mapping[str, tuple[str, ...]] = {
    "": (PENDING,),
    PENDING: (RUNNING, FAILED, DONE, SUSPENDING, CANCELLING, DELETING),
    RUNNING: (PENDING, FAILED, DONE, SUSPENDING, CANCELLING, DELETING),
    FAILED: (PENDING, RUNNING, SUSPENDING, CANCELLING, DELETING),
    SUSPENDING: (SUSPENDED, DELETING),
    SUSPENDED: (PENDING, DELETING),
    CANCELLING: (CANCELLED, DELETING),
    DONE: (DELETING,),
    CANCELLED: (DELETING,),
    INTERNAL_ERROR: (DELETING,),
    DELETING: (DELETED,),
    DELETED: (),
}


def step(before: str, goal: str) -> str:
    """The next status on the shortest way to the goal; `before` where there is no way."""
    first_steps = deque((next_one, next_one) for next_one in GRAPH[before])
    seen = {before}
    while first_steps and before != goal:
        at, first = first_steps.popleft()
        if at == goal:
            return first
        if at not in seen:
            seen.add(at)
            first_steps.extend((next_one, first) for next_one in GRAPH[at])
    return before


def goal_of(
    *,
    dropped: bool,
    suspended: bool,
    cancelled: bool,
    remaining: int,
    is_job: bool,
    min_ready: int,
    instances: Iterable[state.InstanceStatus],
) -> str:
    """Where the status should come to, as things stand. `remaining` counts assignments."""
    statuses = [row.status for row in instances]
    if dropped:
        return DELETING if remaining else DELETED
    if suspended:
        return SUSPENDING if remaining else SUSPENDED
    if cancelled:
        return CANCELLING if remaining else CANCELLED
    if is_job:
        return _job_goal(statuses)
    if statuses and statuses.count("READY") >= min_ready:
        return RUNNING
    return FAILED if "FAILED" in statuses else PENDING


def _job_goal(statuses: Sequence[str]) -> str:
    if "FAILED" in statuses:
        return FAILED
    if statuses and all(status == "SUCCEEDED" for status in statuses):
        return DONE
    return RUNNING if "READY" in statuses else PENDING


def is_over(job: state.ServiceStatus) -> bool:
    """Whether all that the job should do has been done, well or not: there is nothing to cancel."""
    if job.status == FAILED:
        return all(row.status in FINISHED for row in job.instances)
    return job.status == DONE


def held(before: str, goal: str, remaining: int) -> str:
    """A service that is resumed while its instances stop goes on stopping until none is left."""
    if before == SUSPENDING and remaining and goal not in (DELETING, DELETED):
        return SUSPENDING
    return goal


def instance_row(
    assignment: state.Assignment,
    report: state.InstanceReport | None,
    before: state.InstanceStatus | None,
) -> state.InstanceStatus:
    """An instance that has a node. Without a report (its agent restarts) it stays as it was."""
    row = state.InstanceStatus(
        instance_id=assignment.instance_id,
        node=assignment.node,
        address=assignment.address,
        status=PENDING,
        spec_digest=assignment.spec_digest,
        created_on=assignment.created_on,
    )
    if report is not None:
        row.status = "TERMINATING" if report.status == "GONE" else report.status or PENDING
        row.message = report.message
        row.containers.extend(report.containers)
        if report.HasField("started_on"):
            row.started_on.CopyFrom(report.started_on)
    elif before is not None and before.address == row.address and before.node == row.node:
        row.CopyFrom(before)
    if not row.containers:
        row.containers.extend(waiting_containers(assignment.spec, "Waiting to start"))
    if assignment.stopping and row.status not in ("SUCCEEDED", "FAILED"):
        row.status = "TERMINATING"
    return row


def waiting_row(
    ordinal: int, spec: state.ServiceSpec, digest: str, why: str
) -> state.InstanceStatus:
    """An instance that has no node yet."""
    return state.InstanceStatus(
        instance_id=ordinal,
        status=PENDING,
        spec_digest=digest,
        message=why,
        containers=waiting_containers(spec, why),
    )


def waiting_containers(spec: state.ServiceSpec, why: str) -> list[state.ContainerStatus]:
    return [
        state.ContainerStatus(
            name=container.name,
            status=PENDING,
            message=why,
            image=container.image,
            image_digest=container.resolved.digest,
        )
        for container in spec.containers
    ]
