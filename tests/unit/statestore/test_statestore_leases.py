"""Leases, with time as an argument."""

from snowcave.statestore.leases import Leases


def test_a_lease_is_due_when_its_life_is_over_and_not_before():
    leases = Leases()
    leases.grant(7, 10, now=100.0, owner="")
    assert leases.due(109.9) == []
    assert [lease.id for lease in leases.due(110.0)] == [7]


def test_renewing_gives_a_full_life_and_an_unknown_lease_none():
    leases = Leases()
    leases.grant(7, 10, now=100.0, owner="")
    assert leases.renew(7, now=109.0) == 10
    assert leases.due(118.9) == []
    assert leases.renew(8, now=109.0) == 0


def test_a_key_hangs_on_the_lease_it_was_put_with_last():
    leases = Leases()
    one, two = (leases.grant(n, 10, 0.0, "") for n in (1, 2))
    leases.attach(b"a", 1)
    leases.attach(b"a", 2)
    leases.attach(b"b", 1)
    leases.attach(b"b", 0)
    assert (one.keys, two.keys) == (set(), {b"a"})
    leases.drop(2)
    leases.attach(b"a", 1)
    assert one.keys == {b"a"}


def test_time_in_which_the_store_was_away_counts_against_nobody():
    leases = Leases()
    leases.grant(7, 10, now=100.0, owner="")
    leases.excuse(60.0)
    assert leases.due(169.9) == []
    assert len(leases.due(170.0)) == 1
