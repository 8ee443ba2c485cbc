"""Which networks a mesh may have on a machine that has routes of its own."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.hypervisor.plan import choose_plan, conflicts
from snowcave.runtime.mesh import AddressPlan


def test_a_machine_without_routes_of_ours_gets_the_usual_plan():
    assert choose_plan(["192.0.2.0/24", "172.17.0.0/16"]) == AddressPlan()


def test_another_instance_or_flannel_in_the_way_means_another_plan():
    plan = choose_plan(["10.244.0.0/16"])
    assert plan != AddressPlan()
    assert conflicts(plan, [("10.244.0.0/16", "flannel")]) == []


def test_a_conflict_names_the_network_the_route_and_its_device():
    assert conflicts(AddressPlan(), [("10.245.3.0/24", "wg0"), ("192.0.2.0/24", "eth0")]) == [
        "services 10.245.0.0/16 overlaps the route to 10.245.3.0/24 by wg0"
    ]


def test_a_route_over_all_of_the_tens_leaves_other_private_space():
    plan = choose_plan(["10.0.0.0/8"])
    assert plan.instances.startswith("100.")


def test_a_machine_that_routes_everything_private_has_no_plan():
    with pytest.raises(ValueError, match="no three free"):
        choose_plan(["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12"])


_ROUTES = st.lists(
    st.tuples(st.integers(0, 255), st.integers(8, 24)).map(
        lambda at: str(ipaddress.IPv4Network((f"10.{at[0]}.0.0", at[1]), strict=False))
    ),
    max_size=12,
)


@given(_ROUTES)
def test_a_chosen_plan_never_collides_with_a_route_or_itself(taken: list[str]):
    plan = choose_plan(taken)
    assert conflicts(plan, [(route, "x") for route in taken]) == []
    networks = [ipaddress.ip_network(n) for n in (plan.underlay, plan.instances, plan.services)]
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_instances_made_while_the_other_was_down_rarely_share_networks(one: int, other: int):
    plans = [choose_plan([], usual=False, seed=seed) for seed in (one, other)]
    networks = [{plan.underlay, plan.instances, plan.services} for plan in plans]
    assert (networks[0] == networks[1]) or not networks[0] & networks[1]
    assert AddressPlan() not in plans
