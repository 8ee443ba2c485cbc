"""What a statement says of a service's status: the scheduler's word, or what it is about to say.

The scheduler answers a suspension or a resumption a moment after it was written. Who suspends a service and
looks at it with the next statement must not find it running as if nothing had been said.
"""

from collections.abc import Callable

from snowcave.api.statements.work import Work
from snowcave.v1 import state_pb2 as state

_STOPPED = ("SUSPENDING", "SUSPENDED", "CANCELLING", "CANCELLED", "DELETING", "DELETED")


def status_of(found: state.Object, work: Work) -> state.ServiceStatus:
    """As the scheduler says; before it has said anything, what will come of it. Not to be changed."""
    known = work.catalog.mirrors.services.get(found.uid)
    return brought_up(found.service, known, pool_rests=lambda: _pool_rests(found.service, work))


def brought_up(
    service: state.Service, known: state.ServiceStatus | None, *, pool_rests: Callable[[], bool]
) -> state.ServiceStatus:
    """`known` with what the scheduler will make of the service's own flag. Pure."""
    if known is None or not known.status:
        return state.ServiceStatus(
            status="SUSPENDED" if service.suspended else "PENDING",
            target_instances=0 if service.suspended else service.min_instances,
        )
    if service.is_job:
        return known
    if service.suspended and known.status not in _STOPPED:
        return _but(known, "SUSPENDING", 0)
    # What is resumed while it stops goes on stopping first, and stays stopped with its pool.
    if not service.suspended and known.status == "SUSPENDED" and not pool_rests():
        return _but(known, "PENDING", max(1, service.min_instances))
    return known


def _but(known: state.ServiceStatus, status: str, target: int) -> state.ServiceStatus:
    told = state.ServiceStatus()
    told.CopyFrom(known)
    told.status, told.target_instances = status, target
    return told


def _pool_rests(service: state.Service, work: Work) -> bool:
    pool = work.catalog.get("compute_pool", service.compute_pool)
    return pool is None or pool.compute_pool.suspended
