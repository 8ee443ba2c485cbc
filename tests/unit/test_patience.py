"""When a call is given up whose replicas go away."""

from snowcave.runtime.patience import Patience


def test_it_ends_where_nobody_takes_the_call_up_for_too_long():
    patience = Patience(20.0, losses=5)
    found = [patience.is_over(now) for now in (100.0, 110.0, 119.9, 120.0)]
    assert found == [False, False, False, True]


def test_it_begins_anew_when_a_replica_takes_the_call_up_however_long_that_lives():
    patience = Patience(20.0, losses=5)
    assert not patience.is_over(100.0)
    patience.taken_up()
    assert not patience.is_over(500.0)
    assert not patience.is_over(519.0)
    assert patience.is_over(520.0)


def test_it_ends_with_a_call_that_ends_one_replica_after_the_other():
    patience = Patience(20.0, losses=2)
    given_up: list[bool] = []
    for now in range(3):
        patience.taken_up()
        given_up.append(patience.is_over(float(now)))
    assert given_up == [False, False, True]


def test_an_answer_counts_for_more_than_all_that_were_lost_before():
    patience = Patience(20.0, losses=1)
    for now in range(10):
        patience.taken_up()
        patience.answered()
        assert not patience.is_over(float(now))
