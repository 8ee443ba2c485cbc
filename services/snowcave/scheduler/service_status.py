"""What `status/service/<uid>` says after a step, and its rows for every instance. Pure."""

from collections.abc import Mapping, Sequence

from snowcave.scheduler import rollout, status
from snowcave.scheduler.service_view import (
    ServiceView,
    autoscales,
    have_of,
    is_cancelled,
    is_dropped,
    is_suspended,
)
from snowcave.v1 import state_pb2 as state

_NODE_LOST = "Compute pool node was lost"


def status_of(
    view: ServiceView,
    want: rollout.Want,
    after: Sequence[state.Assignment],
    waiting: Mapping[int, str],
    service_address: str,
) -> state.ServiceStatus:
    rows = _rows(view, want, after, waiting)
    wanted = [row for row in rows if row.instance_id < want.count]
    have = [have_of(view, one) for one in after]
    upgrading = not want.is_job and _is_upgrading(view, want, have, wanted)
    goal = status.goal_of(
        dropped=is_dropped(view),
        suspended=is_suspended(view),
        cancelled=is_cancelled(view),
        remaining=len(after),
        is_job=want.is_job,
        min_ready=_min_ready(view, want.count, upgrading=upgrading),
        instances=wanted,
    )
    before = view.before.status
    told = state.ServiceStatus(
        status=status.step(before, status.held(before, goal, len(after))),
        service_address=service_address,
        current_instances=sum(not one.stopping for one in after),
        target_instances=want.count,
        ready_instances=sum(row.status == "READY" for row in rows),
        is_upgrading=upgrading,
        instances=rows,
    )
    if view.before.HasField("ended_on"):
        told.ended_on.CopyFrom(view.before.ended_on)
    elif want.is_job and (status.is_over(told) or told.status == status.CANCELLED):
        told.ended_on.FromDatetime(view.now)
    _stamp_running(view, told)
    _keep_scale(view, told, want)
    return told


def _stamp_running(view: ServiceView, told: state.ServiceStatus) -> None:
    if told.status != status.RUNNING:
        return
    if view.before.HasField("running_since"):
        told.running_since.CopyFrom(view.before.running_since)
    else:
        told.running_since.FromDatetime(view.now)


def _keep_scale(view: ServiceView, told: state.ServiceStatus, want: rollout.Want) -> None:
    """A service that rests begins anew with MIN_INSTANCES."""
    if view.service is None or not want.count or not autoscales(view.service.service):
        return
    decided = view.scale_to is not None and want.count != view.before.target_instances
    if decided or view.before.scaled_instances:
        told.scaled_instances = want.count
    if decided:
        told.scaled_on.FromDatetime(view.now)
    elif view.before.HasField("scaled_on"):
        told.scaled_on.CopyFrom(view.before.scaled_on)


def _is_upgrading(
    view: ServiceView,
    want: rollout.Want,
    have: Sequence[rollout.Have],
    wanted: Sequence[state.InstanceStatus],
) -> bool:
    """Until the last of the new instances is ready."""
    if rollout.is_upgrading(want, have):
        return True
    return view.before.is_upgrading and any(row.status != "READY" for row in wanted)


def _min_ready(view: ServiceView, count: int, *, upgrading: bool) -> int:
    """An upgrade has one instance away all the time, on purpose: that alone must not stop the traffic."""
    service = view.service.service if view.service else state.Service()
    least = min(service.min_ready_instances or service.min_instances, count)
    return max(1, min(least, count - 1) if upgrading else least)


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
