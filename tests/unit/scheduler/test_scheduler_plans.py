"""The scheduler's decisions, each over made-up worlds."""

from hypothesis import given
from hypothesis import strategies as st

from snowcave.model.spec import Need
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler import addresses, placement, pools, rollout, status
from snowcave.scheduler.placement import Placed, Room, Unplaced
from snowcave.scheduler.pools import PoolVm, PoolWant
from snowcave.scheduler.rollout import GONE, READY, Have, Want
from snowcave.v1 import state_pb2 as state

GIB = 1 << 30
SIZE = Need(1000, 6 * GIB, 0)

needs = st.builds(Need, st.integers(0, 1500), st.integers(0, 8 * GIB), st.integers(0, 2))
sizes = st.builds(Need, st.integers(500, 4000), st.integers(GIB, 16 * GIB), st.integers(0, 4))


@st.composite
def rooms(draw: st.DrawFn) -> list[Room]:
    made: list[Room] = []
    for number in range(draw(st.integers(0, 5))):
        size = draw(sizes)
        free = Need(
            draw(st.integers(0, size.cpu_milli)),
            draw(st.integers(0, size.memory_bytes)),
            draw(st.integers(0, size.gpu)),
        )
        made.append(Room(f"n{number}", free, size))
    return made


# ---- placement


@given(st.lists(needs, max_size=12), rooms())
def test_no_node_gets_more_than_it_has_room_for(wanted: list[Need], there: list[Room]):
    answers = placement.place_all(wanted, there)
    for room in there:
        here = [
            need
            for need, answer in zip(wanted, answers, strict=True)
            if answer == Placed(room.node)
        ]
        assert placement.fits(sum(here, Need()), room.free)


@given(
    st.lists(st.sampled_from([Need(100, GIB), Need(300, GIB // 2), Need()]), max_size=9), rooms()
)
def test_many_go_where_they_would_have_gone_one_by_one(wanted: list[Need], there: list[Room]):
    left, expected = {room.node: room for room in there}, list[Placed | Unplaced]()
    for need in wanted:
        expected.append(answer := placement.place(need, list(left.values())))
        if isinstance(answer, Placed):
            room = left[answer.node]
            left[room.node] = Room(room.node, placement.less(room.free, need), room.size)
    assert placement.place_all(wanted, there) == expected


@given(needs, rooms())
def test_an_instance_waits_only_where_no_node_has_room(need: Need, there: list[Room]):
    answer = placement.place(need, there)
    assert isinstance(answer, Unplaced) == (not any(placement.fits(need, r.free) for r in there))


def test_small_instances_leave_an_empty_node_empty():
    there = [Room("empty", SIZE, SIZE), Room("half", Need(500, 3 * GIB), SIZE)]
    assert placement.place(Need(500, GIB), there) == Placed("half")
    assert placement.place(Need(1000, GIB), there) == Placed("empty")


def test_the_message_names_what_is_missing():
    there = [Room("n1", Need(500, GIB), SIZE)]
    for need, words in (
        (Need(100, 2 * GIB), "Unschedulable due to insufficient memory resources"),
        (Need(600, 0), "Unschedulable due to insufficient CPU resources"),
        (Need(0, 0, 1), "Unschedulable due to insufficient GPU resources"),
    ):
        assert placement.place(need, there) == Unplaced(words)
    assert placement.place(Need(), []) == Unplaced(placement.PROVISIONING)


def test_where_each_node_lacks_something_else_no_resource_is_named():
    there = [Room("n1", Need(0, GIB), SIZE), Room("n2", Need(500, 0), SIZE)]
    expected = Unplaced("Unschedulable due to insufficient resources")
    assert placement.place(Need(100, 100), there) == expected


@given(st.lists(needs, max_size=10), rooms(), st.integers(0, 5))
def test_added_nodes_are_bounded_and_enough(wanted: list[Need], there: list[Room], most: int):
    added = placement.nodes_for(wanted, there, SIZE, most)
    assert 0 <= added <= min(most, len(wanted))
    if added < most:
        ordered = sorted(wanted, key=lambda n: (n.memory_bytes, n.cpu_milli), reverse=True)
        possible = [need for need in ordered if placement.fits(need, SIZE)]
        wider = [*there, *(Room(f"new {n + 1}", SIZE, SIZE) for n in range(added))]
        if not there:
            answers = placement.place_all(possible, wider)
            assert all(isinstance(answer, Placed) for answer in answers)


# ---- rollout


@st.composite
def instances(draw: st.DrawFn) -> list[Have]:
    return [
        Have(
            instance=f"7-{number}",
            ordinal=draw(st.integers(0, 4)),
            incarnation=number + 1,
            digest=draw(st.sampled_from(["old", "new"])),
            stopping=draw(st.booleans()),
            reported=draw(st.sampled_from(["", "PENDING", READY, "FAILED", GONE])),
            lost=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


wants = st.builds(Want, st.integers(0, 4), st.just("new"), st.booleans())


@given(wants, instances())
def test_a_plan_never_starts_and_stops_the_same_id(want: Want, have: list[Have]):
    plan = rollout.plan(want, have)
    touched = [*plan.stop, *plan.forget]
    assert len(set(touched)) == len(touched)
    ordinals = {one.ordinal for one in have if one.instance in touched}
    assert not ordinals & set(plan.start)


@given(wants, instances())
def test_no_id_is_started_while_an_instance_of_it_is_left(want: Want, have: list[Have]):
    plan = rollout.plan(want, have)
    assert not set(plan.start) & {one.ordinal for one in have}
    assert len(set(plan.start)) == len(plan.start)
    assert all(0 <= ordinal < want.count for ordinal in plan.start)


def applied(want: Want, have: list[Have], plan: rollout.Plan, turn: int) -> list[Have]:
    """The world after the plan, with agents that do what they should."""
    after: list[Have] = []
    for one in have:
        if one.instance in plan.forget:
            continue
        stopping = one.stopping or one.instance in plan.stop
        reported = GONE if stopping else READY
        after.append(
            Have(one.instance, one.ordinal, one.incarnation, one.digest, stopping, reported)
        )
    for ordinal in plan.start:
        number = 1000 * (turn + 1) + ordinal
        after.append(Have(f"7-{number}", ordinal, number, want.digest, reported=READY))
    return after


@given(wants, instances())
def test_plans_lead_to_exactly_what_is_wanted_and_then_to_nothing(want: Want, have: list[Have]):
    for turn in range(40):
        plan = rollout.plan(want, have)
        if not plan and not any(one.stopping for one in have):
            break
        have = applied(want, have, plan, turn)
    assert sorted(one.ordinal for one in have) == list(range(want.count))
    if not want.is_job:
        assert all(one.digest == want.digest for one in have)


@given(st.integers(1, 5), st.data())
def test_an_upgrade_takes_one_instance_at_a_time_from_the_highest_id_down(
    count: int, data: st.DataObject
):
    have = [Have(f"7-{n}", n, n + 1, "old", reported=READY) for n in range(count)]
    stopped: list[int] = []
    for turn in range(10 * count):
        plan = rollout.plan(Want(count, "new"), have)
        by_name = {one.instance: one.ordinal for one in have}
        stopped += [by_name[name] for name in plan.stop]
        have = applied(Want(count, "new"), have, plan, turn)
        away = [one for one in have if one.stopping or one.reported != READY]
        assert len(away) <= 1
    assert stopped == list(reversed(range(count)))


def test_an_upgrade_waits_for_a_new_instance_that_does_not_become_ready():
    have = [
        Have("7-1", 0, 1, "old", reported=READY),
        Have("7-2", 1, 2, "new", reported="PENDING"),
    ]
    assert not rollout.plan(Want(2, "new"), have)
    newer = rollout.plan(Want(2, "newer"), have)
    assert newer.stop == ("7-2",)


def test_a_finished_job_instance_is_not_run_again():
    want = Want(2, "d", is_job=True, finished=(0,))
    assert rollout.plan(want, []).start == (1,)


def test_what_is_left_of_a_job_is_cleared_once_and_not_run_again():
    have = [Have("7-1", 0, 1, "d", reported="SUCCEEDED"), Have("7-2", 1, 2, "d", reported=READY)]
    want = Want(2, "d", is_job=True, finished=(0,), clear=(0,))
    assert rollout.plan(want, have) == rollout.Plan(stop=("7-1",))
    going = [Have("7-1", 0, 1, "d", stopping=True, reported=GONE), have[1]]
    assert rollout.plan(want, going) == rollout.Plan(forget=("7-1",))
    assert not rollout.plan(want, have[1:])


# ---- jobs

instance_statuses = st.sampled_from(["PENDING", "READY", "SUCCEEDED", "FAILED", "TERMINATING"])


def job_goal(statuses: list[str], *, cancelled: bool = False, remaining: int = 1) -> str:
    return status.goal_of(
        dropped=False,
        suspended=False,
        cancelled=cancelled,
        remaining=remaining,
        is_job=True,
        min_ready=1,
        instances=[state.InstanceStatus(status=one) for one in statuses],
    )


@given(st.lists(instance_statuses, min_size=1, max_size=5))
def test_a_jobs_status_is_folded_of_its_instances(statuses: list[str]):
    expected = (
        "FAILED"
        if "FAILED" in statuses
        else "DONE"
        if set(statuses) == {"SUCCEEDED"}
        else "RUNNING"
        if "READY" in statuses
        else "PENDING"
    )
    assert job_goal(statuses) == expected


def test_a_cancelled_job_is_cancelling_while_something_is_left():
    assert job_goal(["READY"], cancelled=True, remaining=2) == "CANCELLING"
    assert job_goal([], cancelled=True, remaining=0) == "CANCELLED"
    for before in ("PENDING", "RUNNING", "FAILED"):
        assert status.step(before, "CANCELLED") == "CANCELLING"
    for before in ("DONE", "CANCELLED"):
        assert status.step(before, "RUNNING") == before


def test_there_is_nothing_to_cancel_of_a_job_that_has_run_to_its_end():
    def told(now: str, *rows: str) -> state.ServiceStatus:
        return state.ServiceStatus(
            status=now, instances=[state.InstanceStatus(status=row) for row in rows]
        )

    assert status.is_over(told("DONE", "SUCCEEDED"))
    assert status.is_over(told("FAILED", "FAILED", "SUCCEEDED"))
    assert not status.is_over(told("FAILED", "FAILED", "READY"))
    assert not status.is_over(told("RUNNING", "READY"))


# ---- pools

pool_vms = st.lists(
    st.builds(
        PoolVm,
        node=st.uuids().map(str),
        up=st.booleans(),
        instances=st.integers(0, 2),
        stopping=st.booleans(),
        lost=st.booleans(),
        idle_secs=st.floats(0, 1000),
        free=st.just(SIZE),
    ),
    max_size=6,
)


@st.composite
def pool_wants(draw: st.DrawFn) -> PoolWant:
    least = draw(st.integers(1, 4))
    return PoolWant(
        min_nodes=least,
        max_nodes=draw(st.integers(least, 6)),
        released=draw(st.booleans()),
        size=SIZE,
        waiting=draw(st.lists(needs, max_size=5)),
    )


@given(pool_wants(), pool_vms)
def test_a_pool_keeps_its_limits_and_never_stops_a_node_with_instances(
    want: PoolWant, vms: list[PoolVm]
):
    plan = pools.plan(want, vms, idle_after=300)
    busy = {vm.node for vm in vms if vm.instances}
    assert not busy & {*plan.stop, *plan.forget}
    assert not (plan.add and plan.stop)
    staying = sum(not vm.stopping for vm in vms)
    assert staying + plan.add <= max(staying, want.max_nodes)
    if want.released:
        assert (plan.add, plan.target) == (0, 0)
    else:
        assert want.min_nodes <= plan.target <= want.max_nodes
        assert staying + plan.add >= want.min_nodes


@given(pool_wants(), pool_vms)
def test_applying_a_pools_plan_leaves_nothing_to_do(want: PoolWant, vms: list[PoolVm]):
    plan = pools.plan(want, vms, idle_after=300)
    after = [vm for vm in vms if vm.node not in {*plan.stop, *plan.forget}]
    # What waits has gone to the new nodes; nothing came up or went meanwhile.
    after += [PoolVm(f"new {n}", up=False, instances=0, free=SIZE) for n in range(plan.add)]
    again = pools.plan(want, after, idle_after=300)
    assert (again.add, again.stop, again.forget) == (0, (), ())


def test_states_of_a_pool():
    want = PoolWant(2, 3, released=False, size=SIZE)
    up, busy = PoolVm("a", up=True, instances=0), PoolVm("b", up=True, instances=1)
    coming = PoolVm("c", up=False, instances=0)
    released = PoolWant(2, 3, released=True, size=SIZE)
    assert pools.state_of(want, [coming, coming], 2) == "STARTING"
    assert pools.state_of(want, [up, coming], 2) == "RESIZING"
    assert pools.state_of(want, [up, up], 2) == "IDLE"
    assert pools.state_of(want, [up, busy], 2) == "ACTIVE"
    assert pools.state_of(released, [up], 0) == "STOPPING"
    assert pools.state_of(released, [], 0) == "SUSPENDED"


# ---- status


@given(st.sampled_from(sorted(status.GRAPH)), st.sampled_from(sorted(status.GRAPH)))
def test_a_status_moves_along_the_graph_only_and_comes_nearer(before: str, goal: str):
    path = [before]
    for _ in range(len(status.GRAPH)):
        step = status.step(path[-1], goal)
        if step == path[-1]:
            break
        assert step in status.GRAPH[path[-1]]
        path.append(step)
    assert len(set(path)) == len(path)
    assert path[-1] == goal or path == [before]


def test_a_suspension_that_has_begun_comes_to_its_end():
    assert status.held("SUSPENDING", "RUNNING", 2) == "SUSPENDING"
    assert status.held("SUSPENDING", "RUNNING", 0) == "RUNNING"
    assert status.step("SUSPENDING", "RUNNING") == "SUSPENDED"
    assert status.held("SUSPENDING", "DELETING", 2) == "DELETING"


# ---- addresses


@given(st.sets(st.integers(10, 254)), st.integers(0, 1 << 40))
def test_an_instance_gets_a_free_address_of_its_nodes_network(used: set[int], incarnation: int):
    network = AddressPlan().node_network(3)
    taken = {f"10.244.3.{number}" for number in used}
    if len(taken) == 245:
        return
    address = addresses.instance_address(network, taken, incarnation)
    assert address not in taken
    assert address.startswith("10.244.3.")
    assert 10 <= int(address.rsplit(".", 1)[1]) <= 254


def test_an_address_just_freed_is_not_the_next_one_given_out():
    network = AddressPlan().node_network(1)
    given_out = [addresses.instance_address(network, (), n) for n in range(1, 246)]
    assert len(set(given_out)) == 245


@given(st.sets(st.integers(256, 300)), st.integers(0, 70_000))
def test_a_service_gets_a_free_number_after_the_last(used: set[int], last: int):
    plan = AddressPlan()
    taken = {plan.service_address(number) for number in used}
    number = addresses.service_number(plan, taken, last)
    assert plan.first_service <= number <= 65_534
    assert plan.service_address(number) not in taken


@given(st.sets(st.integers(1, 254), max_size=253), st.integers(0, 10_000))
def test_a_node_number_is_new_and_its_index_free(used: set[int], last: int):
    number = addresses.node_number(used, last, 254)
    assert number > last
    assert addresses.node_index(number, 254) not in used
