"""What one step writes of a pool: nodes where there is room for them, and words where there is none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from snowcave.model import keys
from snowcave.model.spec import Need
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler.hosts import HostRoom
from snowcave.scheduler.pool_step import PoolView, next_step
from snowcave.scheduler.pools import PoolVm
from snowcave.store.api import Put
from snowcave.v1 import state_pb2 as state

GIB = 1 << 30
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
POOL = 5


def view(least: int = 1, most: int = 3, auto_suspend_secs: int = 0) -> PoolView:
    pool = state.Object(uid=POOL, name="P")
    pool.compute_pool.CopyFrom(
        state.ComputePool(
            instance_family="CPU_X64_S",
            min_nodes=least,
            max_nodes=most,
            auto_suspend_secs=auto_suspend_secs,
        )
    )
    pool.compute_pool.resumed_on.FromDatetime(NOW - timedelta(minutes=7))
    return PoolView(
        uid=POOL,
        pool=pool,
        vms=(),
        seen=(),
        waiting=(),
        bound={},
        homes=frozenset(),
        services=0,
        jobs=0,
        in_use=False,
        before=state.PoolStatus(),
        hosts=[HostRoom("local", 0, Need(4000, 16 * GIB))],
        strict_capacity=False,
        indices=frozenset(),
        plan=AddressPlan(),
        now=NOW,
        idle_after=300.0,
    )


def written(seen: PoolView) -> tuple[list[state.Vm], state.PoolStatus]:
    step = next_step(seen, state.SchedulerLedger())
    puts = [write for write in step.writes if isinstance(write, Put)]
    vms = [state.Vm.FromString(put.value) for put in puts if put.key.startswith(keys.VMS.prefix)]
    (told,) = [put for put in puts if put.key.startswith(keys.POOL_STATUS.prefix)]
    return vms, state.PoolStatus.FromString(told.value)


def test_with_strict_capacity_a_pool_gets_what_there_is_room_for_and_says_what_is_short():
    vms, told = written(replace(view(least=2), strict_capacity=True))
    assert len(vms) == 1  # 4 cores hold one node of 3
    assert told.error_code == "392507"
    assert told.message == (
        "Compute pool is starting for last 7 minutes due to: CAPACITY_ERROR, "
        "no machine has room for a node of CPU_X64_S"
    )


def test_otherwise_nodes_share_what_their_machine_has():
    vms, told = written(view(least=2))
    assert len(vms) == 2
    assert (told.error_code, told.target_nodes) == ("", 2)
    assert told.message == "Compute pool is starting for last 7 minutes"


def test_without_a_machine_a_pool_waits_for_one():
    vms, told = written(replace(view(), hosts=()))
    assert vms == []
    assert told.message == "No machine is there to take a node"


@pytest.mark.parametrize(
    ("idle", "in_use", "limit", "suspends"),
    [
        (599, False, 600, False),
        (600, False, 600, True),
        (9999, True, 600, False),
        (9999, False, 0, False),
    ],
)
def test_a_pool_is_suspended_when_it_has_been_idle_for_its_time(
    idle: int, in_use: bool, limit: int, suspends: bool
):
    before = state.PoolStatus(state="IDLE")
    before.idle_since.FromDatetime(NOW - timedelta(seconds=idle))
    vm = state.Vm(node="n1", host="local", instance_network="10.244.1.0/24")
    seen = PoolVm("n1", up=True, instances=int(in_use))
    step = next_step(
        replace(
            view(auto_suspend_secs=limit), vms=[vm], seen=[seen], in_use=in_use, before=before
        ),
        state.SchedulerLedger(),
    )
    assert step.suspend == suspends
    if limit and not in_use and not suspends:
        assert step.again_in == pytest.approx(limit - idle)
