"""What a change of `status/service/<uid>` tells: platform events, written in the same transaction. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snowcave.model import keys, platform_events
from snowcave.model.platform_events import PlatformEvent
from snowcave.scheduler import status
from snowcave.scheduler.service_view import ServiceView
from snowcave.store.api import Put, Write
from snowcave.v1 import events_pb2 as events
from snowcave.v1 import state_pb2 as state

# Rows of one key, so that a transaction stays far below what a store takes, and keys of one step.
_ROWS = 400
_MOST_KEYS = 4
MOST_TOLD = _ROWS * _MOST_KEYS


@dataclass(frozen=True, slots=True)
class Told:
    """An event and what it is about: the service, an instance of it, or a container of that."""

    event: PlatformEvent
    instance: state.InstanceStatus | None = None
    container: state.ContainerStatus | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What is told in one step, and how many events are not: a later one tells of these."""

    told: Sequence[Told] = ()
    untold: int = 0
    # Of `untold` those that happened in this step.
    dropped: int = 0


def telling(view: ServiceView, told: state.ServiceStatus) -> Telling:
    """Nothing where nobody wants events of this service."""
    if view.event_level == platform_events.OFF or view.service is None or view.identity is None:
        return Telling()
    is_job = view.service.service.is_job
    told_now = changes(view.before, told, is_job=is_job)
    wanted = [one for one in told_now if one.event.is_wanted(view.event_level)]
    before = view.before.untold_events
    if view.events_are_full:
        return Telling(untold=before + len(wanted), dropped=len(wanted))
    if before:
        wanted.insert(0, Told(platform_events.of_dropped(before)))
    dropped = len(wanted[MOST_TOLD:])
    return Telling(wanted[:MOST_TOLD], dropped, dropped)


def event_writes(
    view: ServiceView, told: Sequence[Told], book: state.SchedulerLedger
) -> list[Write]:
    """`book` is advanced by the keys' numbers."""
    writes: list[Write] = []
    for start in range(0, len(told), _ROWS):
        book.last_event += 1
        key = keys.SCHEDULER_EVENTS.key(book.last_event)
        request = _request(view, told[start : start + _ROWS], start)
        writes.append(Put(key, request.SerializeToString()))
    return writes


def changes(
    before: state.ServiceStatus, told: state.ServiceStatus, *, is_job: bool
) -> Iterator[Told]:
    """From what was told before, in the order in which a reader would want them."""
    for name in _service_changes(before, told):
        if (event := platform_events.of_service(name, is_job=is_job)) is not None:
            yield Told(event)
    rows = {row.instance_id: row for row in before.instances}
    for row in told.instances:
        known = rows.get(row.instance_id)
        yield from _instance_changes(None if _is_another(known, row) else known, row, is_job)


def _service_changes(before: state.ServiceStatus, told: state.ServiceStatus) -> Iterator[str]:
    if told.status != before.status:
        resumed = before.status == status.SUSPENDED and told.status == status.PENDING
        yield "RESUMING" if resumed else told.status
    if told.is_upgrading and not before.is_upgrading:
        yield "UPGRADING"
    if before.is_upgrading and not told.is_upgrading and told.status == status.RUNNING:
        yield "UPGRADED"


def _instance_changes(
    known: state.InstanceStatus | None, row: state.InstanceStatus, is_job: bool
) -> Iterator[Told]:
    if known is None or known.status != row.status:
        event = platform_events.of_instance(row.status, is_job=is_job)
        if event is not None:
            yield Told(event, row)
    before: Mapping[str, state.ContainerStatus] = (
        {one.name: one for one in known.containers} if known else {}
    )
    for container in row.containers:
        seen = before.get(container.name)
        if seen and (seen.status, seen.message) == (container.status, container.message):
            continue
        event = platform_events.of_container(container.status, container.message)
        if event is not None:
            yield Told(event, row, container)


def _is_another(known: state.InstanceStatus | None, row: state.InstanceStatus) -> bool:
    """A new instance has taken the number: all of it is new. One that gets its node stays the same."""
    if known is None or not known.HasField("created_on"):
        return False
    return known.created_on != row.created_on


def _request(view: ServiceView, told: Sequence[Told], first: int) -> events.AppendRequest:
    """`first`: the number of its first event in the transaction."""
    made = events.AppendRequest()
    for number, one in enumerate(told):
        made.resources.append(_resource(view, one))
        row = platform_events.row(one.event, number, view.now)
        row.offset = first + number
        made.rows.append(row)
    return made


def _resource(view: ServiceView, one: Told) -> events.Resource:
    assert view.service is not None
    assert view.identity is not None
    made = platform_events.resource(view.account, view.service, view.identity)
    if one.instance is not None:
        made.has_instance, made.instance_id = True, one.instance.instance_id
        made.node = one.instance.node
        made.instance_family = view.family_of(one.instance.node) if one.instance.node else ""
    if one.container is not None:
        made.container_name = one.container.name
        made.container_run_id = one.container.container_id
    return made
