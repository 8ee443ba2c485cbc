"""A compute pool that was suspended or resumed shows it before the scheduler has said anything."""

import pytest

from snowcave.api.statements.pool_status import brought_up
from snowcave.v1 import state_pb2 as state


def told(*, suspended: bool, known: state.PoolStatus | None) -> tuple[str, int]:
    said = brought_up(state.ComputePool(suspended=suspended, min_nodes=2), known)
    return said.state, said.target_nodes


@pytest.mark.parametrize("now", ["STARTING", "RESIZING", "ACTIVE", "IDLE"])
def test_what_was_just_suspended_stops(now: str) -> None:
    known = state.PoolStatus(state=now, target_nodes=2, active_nodes=1, error_code="1")
    assert told(suspended=True, known=known) == ("STOPPING", 0)
    said = brought_up(state.ComputePool(suspended=True), known)
    assert (said.active_nodes, said.message, said.error_code) == (1, "", "")
    assert (known.state, known.target_nodes) == (now, 2), "it is the mirror's"


@pytest.mark.parametrize("now", ["STOPPING", "SUSPENDED"])
def test_what_was_just_resumed_starts(now: str) -> None:
    known = state.PoolStatus(state=now)
    assert told(suspended=False, known=known) == ("STARTING", 2)
    assert "starting" in brought_up(state.ComputePool(), known).message


@pytest.mark.parametrize(
    ("suspended", "now"),
    [(True, "STOPPING"), (True, "SUSPENDED"), (False, "ACTIVE"), (False, "RESIZING")],
)
def test_the_scheduler_is_believed_once_it_has_seen_it(suspended: bool, now: str) -> None:
    known = state.PoolStatus(state=now, target_nodes=7, message="why")
    assert brought_up(state.ComputePool(suspended=suspended), known) is known


def test_before_the_scheduler_has_said_anything_the_pool_says_it() -> None:
    for known in (None, state.PoolStatus()):
        assert told(suspended=True, known=known) == ("SUSPENDED", 0)
        assert told(suspended=False, known=known) == ("STARTING", 2)
