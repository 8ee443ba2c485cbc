"""The next step of one service: from what is seen to the writes of one transaction. Pure."""

from collections import Counter
from collections.abc import Sequence, Set

from snowcave.model import keys
from snowcave.scheduler import addresses, rollout, status
from snowcave.scheduler.endpoints import endpoints
from snowcave.scheduler.placement import PROVISIONING, Placed, place_all, place_at_home
from snowcave.scheduler.service_events import event_writes, telling
from snowcave.scheduler.service_status import status_of
from snowcave.scheduler.service_view import (
    ServiceView,
    count_of,
    have_of,
    restores_of,
    until_clear,
    until_suspended,
    want_of,
)
from snowcave.scheduler.step import Step, soonest
from snowcave.store.api import Delete, Put, Write
from snowcave.v1 import state_pb2 as state

# A transaction of etcd holds 128 writes; an instance takes at most two of them: its assignment and its
# endpoint, which have to change together. Status, events and the ledger take six more.
MOST_AT_ONCE = 60


def next_step(view: ServiceView, book: state.SchedulerLedger) -> Step:
    """`book` is advanced by the numbers that the step gives out."""
    want = want_of(view)
    rolled = rollout.plan(want, [have_of(view, one) for one in view.assignments])
    stop = set(rolled.stop[:MOST_AT_ONCE])
    forget = set(rolled.forget[: MOST_AT_ONCE - len(stop)])
    start = rolled.start[: MOST_AT_ONCE - len(stop) - len(forget)]
    started, waiting = _start(view, start, book)
    stopping = [_stopping(one) for one in view.assignments if one.instance in stop]
    kept = [one for one in view.assignments if one.instance not in stop | forget]
    after = [*kept, *stopping, *started]
    address = view.before.service_address or _new_address(view, book)
    told = status_of(view, want, after, waiting, address)
    writes = [_put_assignment(one) for one in (*stopping, *started)]
    writes += [_delete_assignment(one) for one in view.assignments if one.instance in forget]
    changed = _endpoint_writes(view, after, told.service_address)
    writes += changed[:MOST_AT_ONCE]
    events = telling(view, told)
    told.untold_events = events.untold
    if view.service is None and not after:
        writes += [Delete(keys.SERVICE_STATUS.key(view.uid))] if view.before.status else []
    elif told != view.before:
        writes.append(Put(keys.SERVICE_STATUS.key(view.uid), told.SerializeToString()))
        writes += event_writes(view, events.told, book)
    forgotten = view.service is not None and told.status == status.DELETED
    rest = until_suspended(view, told)
    return Step(
        writes,
        forget=forgotten,
        suspend=rest == 0.0,
        more=bool(writes),
        untold=events.dropped,
        again_in=soonest(until_clear(view) or None, rest or None),
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
    crowd = _crowd(view) if view.spread else None
    if view.homes:
        homes = [view.homes.get(ordinal, "") for ordinal in ordinals]
        answers = place_at_home(view.need, homes, view.rooms(), crowd)
    else:
        answers = place_all([view.need] * len(ordinals), view.rooms(), crowd)
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


def _crowd(view: ServiceView) -> Counter[str]:
    return Counter(one.node for one in view.assignments)


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
        restores=restores_of(service.service, ordinal),
    )
    if one.is_job:
        one.job_index, one.jobs_count = ordinal, count_of(view)
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


def _new_address(view: ServiceView, book: state.SchedulerLedger) -> str:
    if view.service is None:
        return ""
    used, last = view.service_addresses(), book.last_service_address
    book.last_service_address = addresses.service_number(view.plan, used, last)
    return view.plan.service_address(book.last_service_address)


def _endpoint_writes(
    view: ServiceView, after: Sequence[state.Assignment], service_address: str
) -> list[Write]:
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
