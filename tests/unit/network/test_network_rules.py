"""What endpoints mean for a node's rules: decided without a kernel."""

import ipaddress
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from snowcave.agent.network.egress import Opening, WayOut
from snowcave.agent.network.rules import (
    NOTHING,
    Access,
    ServiceRules,
    difference,
    merged,
    service_rules,
)
from snowcave.v1 import state_pb2 as state

HERE = ipaddress.IPv4Network("10.244.1.0/24")
LOCAL, ALSO_LOCAL, REMOTE = "10.244.1.10", "10.244.1.11", "10.244.2.10"
VIP = "10.245.1.0"
OWNER, OTHER = 7, 8


def endpoint(
    address: str = LOCAL,
    *,
    number: int = 0,
    ready: bool = True,
    owner: int = OWNER,
    ports: Sequence[tuple[int, int]] = ((8000, 0),),
    service_address: str = VIP,
) -> state.Endpoint:
    return state.Endpoint(
        service=1,
        instance_id=number,
        address=address,
        ready=ready,
        owner_role=owner,
        service_address=service_address,
        ports=[
            state.EndpointSpec(name=f"e{first}", port=first, port_last=last)
            for first, last in ports
        ],
    )


def rules_of(*endpoints: state.Endpoint) -> ServiceRules:
    return service_rules(endpoints, HERE)


def test_every_instance_has_an_owner_but_only_local_ones_are_opened():
    rules = rules_of(endpoint(LOCAL), endpoint(REMOTE, number=1))
    assert rules.owners == {LOCAL: OWNER, REMOTE: OWNER}
    assert rules.local == {LOCAL}
    assert rules.allowed == {(OWNER, LOCAL, 8000)}


def test_the_service_address_leads_to_ready_instances_wherever_they_are():
    rules = rules_of(
        endpoint(REMOTE, number=2), endpoint(LOCAL), endpoint(ALSO_LOCAL, number=1, ready=False)
    )
    assert rules.translated == {(VIP, 8000): (LOCAL, REMOTE)}
    assert (OWNER, ALSO_LOCAL, 8000) in rules.allowed


def test_a_service_without_a_ready_instance_has_no_translation():
    assert rules_of(endpoint(ready=False)).translated == {}


def test_an_instance_without_an_address_means_nothing_yet():
    assert rules_of(endpoint("")) == NOTHING
    assert rules_of(endpoint("10.244.1.1; flush ruleset")) == NOTHING


def test_a_bad_service_address_never_reaches_the_ruleset():
    assert rules_of(endpoint(service_address="")).translated == {}
    assert rules_of(endpoint(service_address="} flush")).translated == {}


def test_a_port_range_exists_on_instance_addresses_only():
    rules = rules_of(endpoint(ports=((7000, 7010),)))
    assert rules.ranges == {(OWNER, LOCAL, 7000, 7010)}
    assert (rules.translated, rules.allowed) == ({}, frozenset())


def test_during_an_upgrade_each_port_leads_to_the_instances_that_declare_it():
    rules = rules_of(
        endpoint(LOCAL, ports=((8000, 0),)),
        endpoint(REMOTE, number=1, ports=((8000, 0), (9000, 0))),
    )
    assert rules.translated == {(VIP, 8000): (LOCAL, REMOTE), (VIP, 9000): (REMOTE,)}


def test_a_new_owner_takes_the_address_from_the_old_one():
    delta = difference(rules_of(endpoint()), rules_of(endpoint(owner=OTHER)))
    assert (delta.removed.owners, delta.added.owners) == ({LOCAL: OWNER}, {LOCAL: OTHER})
    assert delta.removed.allowed == {(OWNER, LOCAL, 8000)}
    assert delta.added.allowed == {(OTHER, LOCAL, 8000)}
    assert delta.added.translated == {}


def test_who_holds_a_service_role_is_let_in_at_its_endpoint_and_who_inherits_from_the_owner_at_all():
    access = Access(1, owners=frozenset({OWNER, 9}), callers={"e7000": frozenset({OTHER})})
    told = [endpoint(ports=((8000, 0), (7000, 7010))), endpoint(REMOTE, number=1)]
    rules = service_rules(told, HERE, access)
    assert rules.allowed == {(OWNER, LOCAL, 8000), (9, LOCAL, 8000)}
    assert rules.ranges == {(role, LOCAL, 7000, 7010) for role in (OWNER, 9, OTHER)}


def test_an_older_instance_with_an_endpoint_of_its_own_is_open_to_those_who_may_call_all():
    access = Access(1, callers={"e8000": frozenset({OTHER}), "": frozenset({9})})
    rules = service_rules([endpoint(ports=((8000, 0), (9000, 0)))], HERE, access)
    assert rules.allowed == {
        (OWNER, LOCAL, 8000),
        (OTHER, LOCAL, 8000),
        (OWNER, LOCAL, 9000),
        (9, LOCAL, 9000),
    }


def test_local_instances_have_the_ways_out_of_their_service_and_others_theirs_elsewhere():
    one, two = WayOut("one.example", 443), WayOut("two.example", 443)
    shared = [Opening("192.0.2.1", 443, way.number(1)) for way in (one, two)]
    access = Access(1, ways_out=frozenset({one, two}), openings=frozenset(shared))
    rules = service_rules([endpoint(), endpoint(REMOTE, number=1)], HERE, access)
    assert rules.leavers == {LOCAL: 1}
    assert rules.held == {(1, one.number(1)), (1, two.number(1))}
    assert rules.openings == {(1, "192.0.2.1", 443): min(one.number(1), two.number(1))}
    elsewhere = service_rules([endpoint(REMOTE)], HERE, access)
    assert (elsewhere.leavers, elsewhere.held, elsewhere.openings) == ({}, frozenset(), {})


def test_no_answer_of_a_resolver_gets_text_into_the_ruleset():
    ways = frozenset({WayOut("one.example", 443)})
    hostile = frozenset({Opening("1.1.1.1 } flush ruleset", 443, 5), Opening("::1", 443, 5)})
    assert (
        service_rules([endpoint()], HERE, Access(1, ways_out=ways, openings=hostile)).openings
        == {}
    )


_ENDPOINTS = st.lists(
    st.builds(
        endpoint,
        st.sampled_from([LOCAL, ALSO_LOCAL, REMOTE, ""]),
        number=st.integers(0, 3),
        ready=st.booleans(),
        owner=st.sampled_from([OWNER, OTHER]),
        ports=st.lists(st.sampled_from([(8000, 0), (9000, 0), (7000, 7010)]), max_size=3),
    ),
    max_size=4,
)


@given(_ENDPOINTS, _ENDPOINTS)
def test_a_difference_leads_from_one_to_the_other(
    old: list[state.Endpoint], new: list[state.Endpoint]
):
    before, after = rules_of(*old), rules_of(*new)
    delta = difference(before, after)
    owners = {a: r for a, r in before.owners.items() if a not in delta.removed.owners}
    assert owners | dict(delta.added.owners) == after.owners
    assert (before.allowed - delta.removed.allowed) | delta.added.allowed == after.allowed
    assert (before.ranges - delta.removed.ranges) | delta.added.ranges == after.ranges
    kept = {k: v for k, v in before.translated.items() if k not in delta.removed.translated}
    assert kept | dict(delta.added.translated) == after.translated
    assert bool(delta) == (before != after)


@given(_ENDPOINTS)
def test_nothing_is_translated_to_an_instance_that_is_not_ready(listed: list[state.Endpoint]):
    rules = rules_of(*listed)
    ready = {one.address for one in listed if one.ready}
    for backends in rules.translated.values():
        assert backends
        assert set(backends) <= ready


def test_merging_keeps_what_each_service_says():
    one = rules_of(endpoint(LOCAL))
    other = rules_of(endpoint(REMOTE, service_address="10.245.1.1", owner=OTHER))
    both = merged([one, other])
    assert both.owners == {LOCAL: OWNER, REMOTE: OTHER}
    assert set(both.translated) == {(VIP, 8000), ("10.245.1.1", 8000)}
