"""A service that was suspended or resumed shows it before the scheduler has said anything."""

from snowcave.api.statements.service_status import brought_up
from snowcave.v1 import state_pb2 as state


def told(
    service: state.Service, status: str, target: int = 0, *, pool_rests: bool = False
) -> tuple[str, int]:
    known = state.ServiceStatus(status=status, target_instances=target, current_instances=1)
    said = brought_up(service, known, pool_rests=lambda: pool_rests)
    assert said.current_instances == 1
    assert (known.status, known.target_instances) == (status, target), "it is the mirror's"
    return said.status, said.target_instances


def test_what_was_just_suspended_does_not_run_any_more():
    assert told(state.Service(suspended=True), "RUNNING", 2) == ("SUSPENDING", 0)
    assert told(state.Service(suspended=True), "FAILED", 2) == ("SUSPENDING", 0)


def test_the_scheduler_is_believed_once_it_has_seen_the_suspension():
    for status in ("SUSPENDING", "SUSPENDED", "DELETING"):
        assert told(state.Service(suspended=True), status) == (status, 0)


def test_what_was_just_resumed_is_pending():
    assert told(state.Service(min_instances=3), "SUSPENDED") == ("PENDING", 3)


def test_what_is_resumed_while_it_stops_goes_on_stopping():
    assert told(state.Service(min_instances=3), "SUSPENDING") == ("SUSPENDING", 0)


def test_a_service_of_a_pool_that_rests_stays_suspended():
    assert told(state.Service(min_instances=3), "SUSPENDED", pool_rests=True) == ("SUSPENDED", 0)


def test_a_job_is_as_the_scheduler_says():
    assert told(state.Service(is_job=True, suspended=True), "RUNNING", 1) == ("RUNNING", 1)


def test_before_the_scheduler_has_said_anything_the_service_says_it():
    for known in (None, state.ServiceStatus()):
        said = brought_up(state.Service(min_instances=2), known, pool_rests=lambda: False)
        assert (said.status, said.target_instances) == ("PENDING", 2)
        said = brought_up(state.Service(suspended=True), known, pool_rests=lambda: False)
        assert (said.status, said.target_instances) == ("SUSPENDED", 0)
