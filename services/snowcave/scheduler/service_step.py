"""The next step of one service: from what is seen to the writes of one transaction. Pure."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from snowcave.model import keys
from snowcave.model.spec import Need
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler import addresses, rollout, status
from snowcave.scheduler.endpoints import endpoints
from snowcave.scheduler.placement import PROVISIONING, Placed, Room, place_all
from snowcave.store.api import Delete, Put, Write
from snowcave.v1 import state_pb2 as state

# A transaction of etcd holds 128 writes; an instance takes at most two of them: its assignment and its
# endpoint, which have to change together.
MOST_AT_ONCE = 60
_NODE_LOST = "Compute pool node was lost"


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


@dataclass(frozen=True, slots=True)
class Step:
    writes: list[Write] = field(default_factory=list[Write])
    # Nothing is left of a dropped object: its catalog key may go.
    forget: bool = False
    # There is more to do as soon as these writes are done.
    more: bool = False
    # Seconds after which time alone may change the decision.
    again_in: float | None = None


def next_step(view: ServiceView, book: state.SchedulerLedger) -> Step:
    """`book` is advanced by the numbers that the step gives out."""
    want = _want(view)
    rolled = rollout.plan(want, [_have(view, one) for one in view.assignments])
    stop = set(rolled.stop[:MOST_AT_ONCE])
    forget = set(rolled.forget[: MOST_AT_ONCE - len(stop)])
    start = rolled.start[: MOST_AT_ONCE - len(stop) - len(forget)]
    started, waiting = _start(view, start, book)
    stopping = [_stopping(one) for one in view.assignments if one.instance in stop]
    kept = [one for one in view.assignments if one.instance not in stop | forget]
    after = [*kept, *stopping, *started]
    told = _status(view, want, after, waiting, book)
    writes = [_put_assignment(one) for one in (*stopping, *started)]
    writes += [_delete_assignment(one) for one in view.assignments if one.instance in forget]
    changed = _endpoint_writes(view, after, told.service_address)
    writes += changed[:MOST_AT_ONCE]
    if view.service is None and not after:
        writes += [Delete(keys.SERVICE_STATUS.key(view.uid))] if view.before.status else []
    elif told != view.before:
        writes.append(Put(keys.SERVICE_STATUS.key(view.uid), told.SerializeToString()))
    forgotten = view.service is not None and told.status == status.DELETED
    return Step(writes, forget=forgotten, more=bool(writes), again_in=_until_clear(view) or None)


def _want(view: ServiceView) -> rollout.Want:
    if view.service is None:
        return rollout.Want(0, "")
    service = view.service.service
    finished = [row.instance_id for row in view.before.instances if row.status in rollout.FINISHED]
    # A suspension that has begun comes to its end, even if it is taken back meanwhile.
    resting = (
        _is_dropped(view)
        or _is_suspended(view)
        or _is_cancelled(view)
        or view.before.status == status.SUSPENDING
    )
    return rollout.Want(
        count=0 if resting else _count(service),
        digest=service.spec_digest,
        is_job=service.is_job,
        finished=finished if service.is_job else (),
        clear=finished if _until_clear(view) == 0.0 else (),
    )


def _count(service: state.Service) -> int:
    return max(1, service.replicas if service.is_job else service.min_instances)


def _is_dropped(view: ServiceView) -> bool:
    return view.service is None or view.service.HasField("dropped_on")


def _is_suspended(view: ServiceView) -> bool:
    if view.service is None:
        return False
    # A job goes on to its end; its pool waits for it.
    released = view.pool_released and not view.service.service.is_job
    return view.service.service.suspended or released


def _is_cancelled(view: ServiceView) -> bool:
    if view.service is None or not view.service.service.HasField("cancelled_on"):
        return False
    return not status.is_over(view.before)


def _until_clear(view: ServiceView) -> float | None:
    """Seconds until the containers of a job that has ended may go; None for all that has not ended."""
    if not view.before.HasField("ended_on") or not view.assignments:
        return None
    ended = view.now - view.before.ended_on.ToDatetime(view.now.tzinfo)
    return max(0.0, view.job_linger - ended.total_seconds())


def _have(view: ServiceView, one: state.Assignment) -> rollout.Have:
    report = view.reports.get(one.instance)
    return rollout.Have(
        instance=one.instance,
        ordinal=one.instance_id,
        incarnation=int(one.instance.rsplit("-", 1)[1]),
        digest=one.spec_digest,
        stopping=one.stopping,
        reported=report.status if report else "",
        lost=one.node in view.lost_nodes,
    )


def _start(
    view: ServiceView, ordinals: Sequence[int], book: state.SchedulerLedger
) -> tuple[list[state.Assignment], dict[int, str]]:
    """The new assignments, and why the others wait."""
    if not ordinals or view.service is None:
        return [], {}
    if view.identity is None:
        return [], dict.fromkeys(ordinals, "Waiting to start")
    started: list[state.Assignment] = []
    waiting: dict[int, str] = {}
    answers = place_all([view.need] * len(ordinals), view.rooms())
    taken: dict[str, set[str]] = {}
    for ordinal, answer in zip(ordinals, answers, strict=True):
        if isinstance(answer, Placed):
            used = taken.setdefault(answer.node, set(view.addresses_on(answer.node)))
            book.last_incarnation += 1
            one = _assignment(
                view, view.service, ordinal, answer.node, used, book.last_incarnation
            )
            used.add(one.address)
            started.append(one)
        else:
            waiting[ordinal] = PROVISIONING if view.pool_may_grow else answer.message
    return started, waiting


def _assignment(
    view: ServiceView,
    service: state.Object,
    ordinal: int,
    node: str,
    used: Set[str],
    incarnation: int,
) -> state.Assignment:
    one = state.Assignment(
        instance=f"{view.uid}-{ordinal}-{incarnation}",
        node=node,
        service=view.uid,
        instance_id=ordinal,
        address=addresses.instance_address(view.network_of(node), used, incarnation),
        spec=service.service.spec,
        spec_digest=service.service.spec_digest,
        identity=view.identity,
        is_job=service.service.is_job,
    )
    if one.is_job:
        one.job_index, one.jobs_count = ordinal, _count(service.service)
    one.created_on.FromDatetime(view.now)
    return one


def _stopping(one: state.Assignment) -> state.Assignment:
    changed = state.Assignment()
    changed.CopyFrom(one)
    changed.stopping = True
    return changed


def _put_assignment(one: state.Assignment) -> Write:
    return Put(keys.ASSIGNMENTS.key(one.node, one.instance), one.SerializeToString())


def _delete_assignment(one: state.Assignment) -> Write:
    return Delete(keys.ASSIGNMENTS.key(one.node, one.instance))


def _status(
    view: ServiceView,
    want: rollout.Want,
    after: Sequence[state.Assignment],
    waiting: Mapping[int, str],
    book: state.SchedulerLedger,
) -> state.ServiceStatus:
    rows = _rows(view, want, after, waiting)
    wanted = [row for row in rows if row.instance_id < want.count]
    goal = status.goal_of(
        dropped=_is_dropped(view),
        suspended=_is_suspended(view),
        cancelled=_is_cancelled(view),
        remaining=len(after),
        is_job=want.is_job,
        min_ready=_min_ready(view, want.count),
        instances=wanted,
    )
    before = view.before.status
    have = [_have(view, one) for one in after]
    told = state.ServiceStatus(
        status=status.step(before, status.held(before, goal, len(after))),
        service_address=view.before.service_address or _new_address(view, book),
        current_instances=sum(not one.stopping for one in after),
        target_instances=want.count,
        ready_instances=sum(row.status == "READY" for row in rows),
        is_upgrading=not want.is_job and rollout.is_upgrading(want, have),
        instances=rows,
    )
    if view.before.HasField("ended_on"):
        told.ended_on.CopyFrom(view.before.ended_on)
    elif want.is_job and (status.is_over(told) or told.status == status.CANCELLED):
        told.ended_on.FromDatetime(view.now)
    return told


def _min_ready(view: ServiceView, count: int) -> int:
    service = view.service.service if view.service else state.Service()
    return max(1, min(service.min_ready_instances or service.min_instances, count))


def _new_address(view: ServiceView, book: state.SchedulerLedger) -> str:
    if view.service is None:
        return ""
    used, last = view.service_addresses(), book.last_service_address
    book.last_service_address = addresses.service_number(view.plan, used, last)
    return view.plan.service_address(book.last_service_address)


def _rows(
    view: ServiceView,
    want: rollout.Want,
    after: Sequence[state.Assignment],
    waiting: Mapping[int, str],
) -> list[state.InstanceStatus]:
    before = {row.instance_id: row for row in view.before.instances}
    rows = {
        one.instance_id: _row_on_node(
            one, view.reports.get(one.instance), before.get(one.instance_id)
        )
        for one in after
    }
    for ordinal in range(want.count):
        if ordinal not in rows:
            rows[ordinal] = _row_without_node(view, want, ordinal, before, waiting)
    return [rows[ordinal] for ordinal in sorted(rows)]


def _row_on_node(
    one: state.Assignment,
    report: state.InstanceReport | None,
    before: state.InstanceStatus | None,
) -> state.InstanceStatus:
    if one.is_job and before is not None and before.status in rollout.FINISHED:
        return before  # whatever becomes of its containers
    return status.instance_row(one, report, before)


def _row_without_node(
    view: ServiceView,
    want: rollout.Want,
    ordinal: int,
    before: Mapping[int, state.InstanceStatus],
    waiting: Mapping[int, str],
) -> state.InstanceStatus:
    assert view.service is not None
    old = before.get(ordinal)
    if want.is_job and old is not None and old.node:
        # A job's instance is not run twice: it has ended, or its node took it along.
        row = state.InstanceStatus()
        row.CopyFrom(old)
        if row.status not in rollout.FINISHED:
            row.status, row.message = "FAILED", _NODE_LOST
        return row
    why = waiting.get(ordinal, "Waiting to start")
    return status.waiting_row(ordinal, view.service.service.spec, want.digest, why)


def _endpoint_writes(
    view: ServiceView, after: Sequence[state.Assignment], service_address: str
) -> list[Write]:
    reachable = [one for one in after if one.node not in view.lost_nodes]
    """First what takes traffic away: an instance hears that it has to stop in the same transaction."""
    reachable = [one for one in after if one.node not in view.lost_nodes]
    wanted = endpoints(reachable, view.reports, view.endpoints, service_address)
    changed = {o: found for o, found in wanted.items() if found != view.endpoints.get(o)}
    first = sorted(changed, key=lambda ordinal: not changed[ordinal].stopping)
    puts: list[Write] = [
        Put(keys.ENDPOINTS.key(view.uid, ordinal), changed[ordinal].SerializeToString())
        for ordinal in first
    ]
    withdrawn = sum(found.stopping for found in changed.values())
    gone = [ordinal for ordinal in view.endpoints if ordinal not in wanted]
    deleted = [Delete(keys.ENDPOINTS.key(view.uid, ordinal)) for ordinal in gone]
    return [*puts[:withdrawn], *deleted, *puts[withdrawn:]]
