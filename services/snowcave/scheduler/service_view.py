"""Everything about one service that its next step goes by, and the first questions to it. Pure."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from snowcave.model.spec import Need
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler import rollout, status
from snowcave.scheduler.placement import UNSCHEDULABLE, Room
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True, slots=True)
class ServiceView:
    """Everything about one service. The callables are asked only when something starts."""

    uid: int
    # None: the catalog knows it no longer.
    service: state.Object | None
    # The pool is suspended, dropped or gone.
    pool_released: bool
    # More nodes of the pool are on their way, or may come.
    pool_may_grow: bool
    assignments: Sequence[state.Assignment]
    reports: Mapping[str, state.InstanceReport]
    lost_nodes: Set[str]
    # Nodes that are to be emptied.
    draining_nodes: Set[str]
    before: state.ServiceStatus
    endpoints: Mapping[int, state.Endpoint]
    identity: state.ServiceIdentity | None
    need: Need
    rooms: Callable[[], Sequence[Room]]
    network_of: Callable[[str], str]
    addresses_on: Callable[[str], Set[str]]
    service_addresses: Callable[[], Set[str]]
    plan: AddressPlan
    now: datetime
    # Seconds that a job's containers stay after its end.
    job_linger: float
    # Instances of one service go to different nodes where they can.
    spread: bool
    # How many instances autoscaling has just decided on; None: it changes nothing.
    scale_to: int | None
    # When one of its functions was called last; None: never.
    called_on: datetime | None
    # By instance id: the machine that has its block volumes.
    homes: Mapping[int, str]
    # Which platform events are wanted: INFO, ERROR or OFF.
    event_level: str
    # So many events wait for the event table that no others are written.
    events_are_full: bool
    account: str
    # A node's instance family.
    family_of: Callable[[str], str]


def want_of(view: ServiceView) -> rollout.Want:
    if view.service is None:
        return rollout.Want(0, "")
    service = view.service.service
    finished = [row.instance_id for row in view.before.instances if row.status in rollout.FINISHED]
    return rollout.Want(
        count=0 if is_resting(view) else count_of(view),
        digest=service.spec_digest,
        is_job=service.is_job,
        finished=finished if service.is_job else (),
        clear=finished if until_clear(view) == 0.0 else (),
        stuck=[
            row.instance_id
            for row in view.before.instances
            if not row.node and row.message.startswith(UNSCHEDULABLE)
        ],
    )


def is_resting(view: ServiceView) -> bool:
    """Nothing of it is to run. A suspension that has begun comes to its end, even if it is taken back."""
    return (
        is_dropped(view)
        or is_suspended(view)
        or is_cancelled(view)
        or view.before.status == status.SUSPENDING
    )


def count_of(view: ServiceView) -> int:
    """How many instances, while it does not rest."""
    assert view.service is not None
    service = view.service.service
    if service.is_job:
        return max(1, service.replicas)
    least = max(1, service.min_instances)
    if not autoscales(service):
        return least
    scaled = view.scale_to or view.before.scaled_instances or least
    return min(max(scaled, least), service.max_instances)


def autoscales(service: state.Service) -> bool:
    return not service.is_job and service.max_instances > max(1, service.min_instances)


def is_dropped(view: ServiceView) -> bool:
    return view.service is None or view.service.HasField("dropped_on")


def is_suspended(view: ServiceView) -> bool:
    if view.service is None:
        return False
    # A job goes on to its end; its pool waits for it.
    released = view.pool_released and not view.service.service.is_job
    return view.service.service.suspended or released


def is_cancelled(view: ServiceView) -> bool:
    if view.service is None or not view.service.service.HasField("cancelled_on"):
        return False
    return not status.is_over(view.before)


def until_clear(view: ServiceView) -> float | None:
    """Seconds until the containers of a job that has ended may go; None for all that has not ended."""
    if not view.before.HasField("ended_on") or not view.assignments:
        return None
    ended = view.now - view.before.ended_on.ToDatetime(view.now.tzinfo)
    return max(0.0, view.job_linger - ended.total_seconds())


def until_suspended(view: ServiceView, told: state.ServiceStatus) -> float | None:
    """Seconds without a call of its functions until AUTO_SUSPEND_SECS takes it, 0 where it is time.

    None where it never does: calls are all that counts, so a service with a public endpoint goes on.
    """
    if view.service is None or not told.HasField("running_since"):
        return None
    service = view.service.service
    public = any(endpoint.public for endpoint in service.spec.endpoints)
    if not service.auto_suspend_secs or service.is_job or public or is_resting(view):
        return None
    used = told.running_since.ToDatetime(view.now.tzinfo)
    idle = view.now - max(used, view.called_on or used)
    return max(0.0, service.auto_suspend_secs - idle.total_seconds())


def restores_of(service: state.Service, ordinal: int) -> list[state.VolumeRestore]:
    """What was restored into the block volumes of this instance id."""
    return [one for one in service.restores if one.instance_id == ordinal]


def has_restores(view: ServiceView, one: state.Assignment) -> bool:
    """Whether it came up with all that was restored; if not, it gives way as an older specification does."""
    if view.service is None:
        return True
    return list(one.restores) == restores_of(view.service.service, one.instance_id)


def have_of(view: ServiceView, one: state.Assignment) -> rollout.Have:
    report = view.reports.get(one.instance)
    return rollout.Have(
        instance=one.instance,
        ordinal=one.instance_id,
        incarnation=int(one.instance.rsplit("-", 1)[1]),
        digest=one.spec_digest if has_restores(view, one) else "",
        stopping=one.stopping,
        reported=report.status if report else "",
        lost=one.node in view.lost_nodes,
        leaving=one.node in view.draining_nodes,
    )
