"""Placement as the specification reference tells it, and beyond: GPUs, stage mounts, spreading, machines."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from snowcave.model import spec
from snowcave.model.families import FAMILIES
from snowcave.model.spec import Need, misfit, need_of, node_size, size_of
from snowcave.scheduler import hosts, placement, pools
from snowcave.scheduler.hosts import HostRoom
from snowcave.scheduler.placement import Placed, Room, Unplaced
from snowcave.scheduler.pools import PoolVm, PoolWant
from snowcave.v1 import state_pb2 as state

GIB = 1 << 30
# The reference's node: 27 GB of memory and one GPU.
FAMILY = FAMILIES["GPU_NV_S"]


def two_nodes() -> list[Room]:
    return [Room(name, size_of(FAMILY), size_of(FAMILY)) for name in ("n1", "n2")]


def need(resources: str) -> Need:
    text = f"""
spec:
  containers:
  - name: resource-test
    image: /db/sc/repo/image
{resources}
"""
    return need_of(spec.parse(text), FAMILY)


def placed(wanted: list[Need], rooms: list[Room]) -> list[str]:
    answers = placement.place_all(wanted, rooms)
    return [answer.node if isinstance(answer, Placed) else "" for answer in answers]


# ---- "resources, example 2" of the specification reference: two instances of one service


def test_two_instances_without_requirements_go_wherever_there_is_room():
    assert all(placed([need("")] * 2, two_nodes()))
    # Snowflake decides; we keep whole nodes free.
    assert placed([need("")] * 2, two_nodes()) == ["n1", "n1"]


def test_two_instances_of_15_gb_on_nodes_of_27_gb_go_to_separate_nodes():
    one = need("    resources:\n      requests:\n        memory: 15G")
    assert sorted(placed([one] * 2, two_nodes())) == ["n1", "n2"]
    (_, third) = placed([one] * 2, two_nodes()[:1])
    assert third == ""
    waiting = placement.place_all([one] * 2, two_nodes()[:1])[1]
    assert waiting == Unplaced("Unschedulable due to insufficient memory resources")
    # The pool gets as many nodes as that takes.
    assert placement.nodes_for([one] * 2, [], size_of(FAMILY), 5) == 2


def test_two_instances_of_2_gb_and_one_gpu_each_go_to_separate_nodes():
    one = need(
        "    resources:\n"
        "      requests:\n        memory: 2G\n        nvidia.com/gpu: 1\n"
        "      limits:\n        nvidia.com/gpu: 1"
    )
    assert sorted(placed([one] * 2, two_nodes())) == ["n1", "n2"]
    waiting = placement.place_all([one] * 2, two_nodes()[:1])[1]
    assert waiting == Unplaced("Unschedulable due to insufficient GPU resources")


# ---- stage mounts


def mounting(volumes: int) -> state.ServiceSpec:
    return state.ServiceSpec(
        containers=[state.ContainerSpec(name="main")],
        volumes=[state.VolumeSpec(name=f"v{n}", source="@stage") for n in range(volumes)],
    )


def test_a_node_mounts_eight_stages_at_most():
    family = FAMILIES["CPU_X64_L"]
    room = [Room("n1", size_of(family), size_of(family))]
    three = need_of(mounting(3), family)
    answers = placement.place_all([three] * 3, room)
    assert answers[:2] == [Placed("n1")] * 2
    assert answers[2] == Unplaced("Unschedulable due to insufficient resources")
    assert misfit(mounting(9), family) == "stage mounts"
    assert misfit(mounting(8), family) == ""


def test_what_mounting_requests_counts_beside_the_containers():
    family, spec = FAMILIES["CPU_X64_XS"], mounting(2)
    alone = need_of(mounting(0), family)
    assert need_of(spec, family) == alone + Need(0, GIB, 0, 2)
    asked = spec.volumes[0].stage.requests
    asked.cpu_milli, asked.memory_bytes, asked.has_memory = 250, 2 * GIB, True
    assert need_of(spec, family) == alone + Need(250, 2 * GIB + GIB // 2, 0, 2)


# ---- spreading

needs = st.builds(Need, st.integers(0, 1000), st.integers(0, 4 * GIB))


@given(needs, st.integers(1, 5), st.integers(0, 12))
def test_spread_instances_stand_as_evenly_as_their_nodes_allow(one: Need, nodes: int, count: int):
    size = node_size(20_000, 60 * GIB, 0)
    rooms = [Room(f"n{number}", size, size) for number in range(nodes)]
    answers = placement.place_all([one] * count, rooms, crowd={})
    here = Counter(answer.node for answer in answers if isinstance(answer, Placed))
    each = [here[room.node] for room in rooms]
    assert sum(each) == count
    assert max(each) - min(each) <= 1


def test_spreading_gives_way_to_room():
    size = node_size(1000, 6 * GIB, 0)
    rooms = [Room("free", size, size), Room("full", Need(100, GIB), size)]
    assert placement.place(Need(500, GIB), rooms, {"free": 3}) == Placed("free")


# ---- machines


machines = st.lists(
    st.builds(
        HostRoom,
        name=st.uuids().map(str),
        vms=st.integers(0, 5),
        free=st.builds(Need, st.integers(0, 8000), st.integers(0, 32 * GIB), st.integers(0, 2)),
    ),
    max_size=4,
    unique_by=lambda host: host.name,
)


@given(machines, needs, st.integers(0, 8))
def test_with_strict_capacity_no_machine_takes_more_than_it_has(
    there: list[HostRoom], size: Need, count: int
):
    chosen = Counter(hosts.choose(there, size, count, strict=True))
    assert chosen.total() <= count
    for host in there:
        taken = sum([size] * chosen[host.name], Need())
        assert placement.fits(taken, host.free) or not chosen[host.name]
        # One that could take another is never passed over while somebody waits.
        room = placement.fits(size, placement.less(host.free, taken))
        assert chosen.total() == count or not room


@given(machines, needs, st.integers(0, 8))
def test_otherwise_every_machine_takes_its_share(there: list[HostRoom], size: Need, count: int):
    chosen = Counter(hosts.choose(there, size, count, strict=False))
    assert chosen.total() == (count if there else 0)
    after = [host.vms + chosen[host.name] for host in there if chosen[host.name]]
    assert max(after, default=0) - min(after, default=0) <= 1


def test_what_runs_on_a_machine_is_gone_from_its_room():
    machine = state.Host(name="local", cpu_milli=4000, memory_bytes=16 * GIB)
    vms = [state.Vm(host="local", cpu_milli=1000, memory_bytes=6 * GIB), state.Vm(host="other")]
    assert hosts.rooms([machine], vms) == [HostRoom("local", 1, Need(3000, 10 * GIB))]


# ---- pools that shrink

SIZE = node_size(1000, 6 * GIB, 0)
pool_vms = st.lists(
    st.builds(
        PoolVm,
        node=st.uuids().map(str),
        up=st.booleans(),
        instances=st.integers(0, 3),
        stopping=st.booleans(),
        lost=st.booleans(),
        idle_secs=st.floats(0, 1000),
        free=st.just(SIZE),
        draining=st.booleans(),
        jobs=st.integers(0, 1),
    ),
    max_size=8,
    unique_by=lambda vm: vm.node,
)


@given(pool_vms, st.integers(1, 3), st.integers(0, 4))
def test_what_drains_is_exactly_what_is_too_many_and_cannot_stop_yet(
    vms: list[PoolVm], least: int, more: int
):
    want = PoolWant(least, least + more, released=False, size=SIZE)
    plan = pools.plan(want, vms, idle_after=300)
    staying = {vm.node for vm in vms if not vm.stopping} - {*plan.stop}
    assert set(plan.drain) <= staying
    assert len(plan.drain) == max(0, len(staying) - want.max_nodes)
    assert all(vm.instances for vm in vms if vm.node in plan.drain)


@given(pool_vms, st.integers(1, 3))
def test_a_choice_of_nodes_to_drain_is_kept(vms: list[PoolVm], most: int):
    want = PoolWant(1, most, released=False, size=SIZE)
    plan = pools.plan(want, vms, idle_after=300)
    after = [
        PoolVm(
            vm.node,
            vm.up,
            vm.instances,
            vm.stopping,
            vm.lost,
            vm.idle_secs,
            vm.free,
            vm.node in plan.drain,
            vm.jobs,
        )
        for vm in vms
        if vm.node not in {*plan.stop, *plan.forget}
    ]
    assert set(pools.plan(want, after, idle_after=300).drain) == set(plan.drain)


def test_jobs_are_spared_where_services_can_move_instead():
    job = PoolVm("job", up=True, instances=1, free=SIZE, jobs=1)
    service = PoolVm("service", up=True, instances=3, free=SIZE)
    want = PoolWant(1, 1, released=False, size=SIZE)
    plan = pools.plan(want, [job, service], idle_after=300)
    assert plan.drain == ("service",)
    assert pools.state_of(want, [job, service], plan.target) == "ACTIVE"
    draining = PoolVm("service", up=True, instances=3, free=SIZE, draining=True)
    assert pools.state_of(want, [job, draining], plan.target) == "RESIZING"
    # May it have both after all, none drains.
    assert pools.plan(PoolWant(1, 2, False, SIZE), [job, draining], idle_after=300).drain == ()


def test_the_next_node_to_be_given_back_is_waited_for():
    want = PoolWant(1, 3, released=False, size=SIZE)
    idle = [PoolVm(n, up=True, instances=0, idle_secs=s) for n, s in (("a", 100), ("b", 250))]
    assert pools.next_idle(want, idle, idle_after=300) == 50
    assert pools.next_idle(want, idle[:1], idle_after=300) is None
