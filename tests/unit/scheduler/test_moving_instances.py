"""Instances that have to leave their node: who goes when."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from snowcave.scheduler import rollout
from snowcave.scheduler.rollout import FAILED, GONE, READY, Have, Want


def running(count: int, leaving: int, digest: str = "v1") -> list[Have]:
    return [
        Have(f"7-{n}-{n}", n, n, digest, reported=READY, leaving=n < leaving) for n in range(count)
    ]


@given(st.integers(1, 8), st.integers(0, 8), st.data())
def test_at_least_half_of_a_service_goes_on_and_all_of_it_moves(
    count: int, leaving: int, data: st.DataObject
):
    want, have, turn = Want(count, "v1"), running(count, leaving), 100
    for _ in range(100):
        plan = rollout.plan(want, have)
        ready = [one for one in have if one.reported == READY and one.instance not in plan.stop]
        assert len(ready) >= count // 2
        have = [
            replace(one, stopping=one.stopping or one.instance in plan.stop)
            for one in have
            if one.instance not in plan.forget
        ]
        for ordinal in plan.start:
            turn += 1
            have.append(Have(f"7-{ordinal}-{turn}", ordinal, turn, "v1"))
        if not plan and all(one.reported == READY and not one.stopping for one in have):
            break
        # One of those under way comes a step further.
        moving = [one for one in have if one.stopping or one.reported != READY]
        if moving:
            one = data.draw(st.sampled_from(moving))
            after = replace(one, reported=GONE if one.stopping else READY)
            have = [after if other is one else other for other in have]
    assert not any(one.leaving for one in have)
    assert {one.ordinal for one in have} == set(range(count))


def test_what_serves_nobody_goes_at_once():
    have = [replace(one, reported="PENDING") for one in running(4, 4)]
    assert len(rollout.plan(Want(4, "v1"), have).stop) == 4


def test_a_jobs_instance_goes_at_once_unless_it_has_ended():
    have = [*running(2, 3), Have("7-2-2", 2, 2, "v1", reported=FAILED, leaving=True)]
    plan = rollout.plan(Want(3, "v1", is_job=True, finished=[2]), have)
    assert set(plan.stop) == {"7-0-0", "7-1-1"}


def test_one_that_finds_no_room_does_not_hold_the_others_back():
    have = running(2, 2)[:1]
    assert rollout.plan(Want(2, "v1"), have).stop == ()
    assert rollout.plan(Want(2, "v1", stuck=[1]), have).stop == ("7-0-0",)


def test_a_broken_upgrade_stops_at_the_first_instance_and_can_be_upgraded_again():
    have = running(3, 0)
    broken = [*have[:2], Have("7-2-9", 2, 9, "broken", reported="PENDING")]
    assert not rollout.plan(Want(3, "broken"), broken)
    failed = [*have[:2], Have("7-2-9", 2, 9, "broken", reported=FAILED)]
    assert not rollout.plan(Want(3, "broken"), failed)
    # The repair begins where the harm was done.
    assert rollout.plan(Want(3, "mended"), failed).stop == ("7-2-9",)
