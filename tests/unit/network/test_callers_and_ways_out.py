"""Who may call which endpoint, and where containers may go: what grants and the catalog mean."""

from hypothesis import given
from hypothesis import strategies as st

from snowcave.agent.network.callers import ANYBODY, OTHER_ENDPOINT, Callers, matters
from snowcave.agent.network.egress import (
    ANY_HOST,
    Catalog,
    Opening,
    WayOut,
    openings,
    way_out,
    ways_out,
)
from snowcave.model import keys
from snowcave.model.grants import AccessView
from snowcave.v1 import state_pb2 as state

OWNER, CLIENT, ABOVE, PUBLIC, OTHER = 1, 2, 3, 4, 5
SERVICE = 100
ROLES = (
    state.ServiceRoleSpec(name="reader", endpoints=["read"]),
    state.ServiceRoleSpec(name="both", endpoints=["read", "write"]),
)


def role_to(grantee: int, role: int) -> state.Grant:
    return state.Grant(grantee_kind="role", grantee=grantee, domain="role", securable=role)


def service_role_to(grantee: int, name: str, kind: str = "role") -> state.Grant:
    return state.Grant(
        grantee_kind=kind,
        grantee=grantee,
        domain="service_role",
        securable=SERVICE,
        service_role=name,
    )


def who(*grants: state.Grant) -> dict[str, frozenset[int]]:
    found = dict(Callers(grants, PUBLIC).by_endpoint(SERVICE, ROLES, ["read", "write", "plain"]))
    # Of an older version of the service, perhaps: roles of the newer one say nothing about it.
    found.pop(OTHER_ENDPOINT)
    return found


NOBODY = frozenset[int]()


def test_without_a_grant_nobody_but_the_owner_calls():
    assert who() == {"read": NOBODY, "write": NOBODY, "plain": NOBODY}


def test_a_service_role_opens_its_endpoints_and_no_others():
    assert who(service_role_to(CLIENT, "READER")) == {
        "read": {CLIENT},
        "write": NOBODY,
        "plain": NOBODY,
    }
    assert who(service_role_to(CLIENT, "BOTH"))["write"] == {CLIENT}


def test_the_role_of_all_endpoints_opens_those_that_no_role_names_too():
    opened = who(service_role_to(CLIENT, "ALL_ENDPOINTS_USAGE"))
    assert set(opened.values()) == {frozenset({CLIENT})}
    by_endpoint = Callers([service_role_to(CLIENT, "ALL_ENDPOINTS_USAGE")], PUBLIC).by_endpoint
    assert by_endpoint(SERVICE, ROLES, ["read"])[OTHER_ENDPOINT] == {CLIENT}


def test_whoever_inherits_from_a_grantee_may_call_and_not_the_other_way_round():
    opened = who(service_role_to(CLIENT, "READER"), role_to(ABOVE, CLIENT), role_to(CLIENT, OTHER))
    assert opened["read"] == {CLIENT, ABOVE}


def test_what_public_holds_everybody_holds_directly_or_by_a_role():
    assert who(service_role_to(PUBLIC, "READER"))["read"] == {ANYBODY}
    inherited = who(service_role_to(CLIENT, "READER"), role_to(PUBLIC, CLIENT))
    assert inherited["read"] == {ANYBODY}


def test_grants_to_users_and_of_the_future_open_nothing():
    later = service_role_to(CLIENT, "READER")
    later.future_in = "schema"
    assert who(service_role_to(CLIENT, "READER", "user"), later)["read"] == NOBODY


def test_the_owners_heirs_call_as_the_owner_does():
    callers = Callers([role_to(ABOVE, OWNER), role_to(OWNER, OTHER)], PUBLIC)
    assert callers.above(OWNER) == {OWNER, ABOVE}


def test_grants_that_decide_about_no_connection_are_told_by_their_keys():
    def key(domain: str) -> tuple[str, ...]:
        return keys.GRANTS.split(keys.GRANTS.key("role", 1, domain, 2, "USAGE"))

    assert [matters(key(d)) for d in ("role", "service_role", "integration", "table")] == [
        True,
        True,
        True,
        False,
    ]


_GRANTS = st.lists(
    st.one_of(
        st.builds(role_to, st.integers(1, 6), st.integers(1, 6)),
        st.builds(service_role_to, st.integers(1, 6), st.sampled_from(["READER", "BOTH", "GONE"])),
    ),
    max_size=12,
)


@given(_GRANTS)
def test_a_role_is_let_in_exactly_where_the_view_of_grants_gives_it_a_service_role(
    grants: list[state.Grant],
):
    """The same rule as at the ingress, asked from the other side; circles of roles do no harm."""
    view = AccessView(grants, lambda _domain, _uid: None)
    opened = who(*grants)
    for role in range(1, 7):
        held = view.service_roles(view.closure(role) | view.closure(PUBLIC), SERVICE)
        for endpoint, names in (("read", {"READER", "BOTH"}), ("write", {"BOTH"})):
            assert bool(opened[endpoint] & {role, ANYBODY}) == bool(held & names)


@given(_GRANTS, st.integers(1, 6), st.integers(1, 6))
def test_an_owners_callers_are_the_roles_that_have_the_owners_rights(
    grants: list[state.Grant], owner: int, role: int
):
    view = AccessView(grants, lambda _domain, _uid: None)
    may = bool(Callers(grants, PUBLIC).above(owner) & {role, ANYBODY})
    assert may == (owner in view.closure(role) | view.closure(PUBLIC))


def integration(name: str, uid: int, rules: list[int], *, enabled: bool = True) -> state.Object:
    body = state.Integration(category="EXTERNAL_ACCESS", enabled=enabled, network_rules=rules)
    return state.Object(uid=uid, name=name, integration=body)


def network_rule(uid: int, *values: str, mode: str = "EGRESS", kind: str = "HOST_PORT"):
    body = state.NetworkRule(mode=mode, type=kind, values=values)
    return state.Object(uid=uid, network_rule=body)


def leaving(*integrations: state.Object, rules: tuple[state.Object, ...], usable=None):
    service = state.Object(
        uid=SERVICE,
        service=state.Service(external_access_integrations=[one.name for one in integrations]),
    )
    catalog = Catalog({one.name: one for one in integrations}, {one.uid: one for one in rules})
    allowed = frozenset(one.uid for one in integrations) if usable is None else usable
    return ways_out(service, catalog, allowed)


def test_a_value_is_a_host_with_a_port_or_https():
    assert way_out("Example.COM.") == WayOut("example.com", 443)
    assert way_out("example.com:8080") == WayOut("example.com", 8080)
    assert way_out(ANY_HOST) == WayOut(ANY_HOST, 443)
    for bad in (
        "",
        ".",
        "a..b",
        f"{'a' * 64}.example",
        ":80",
        "example.com:",
        "example.com:x",
        "example.com:70000",
    ):
        assert way_out(bad) is None


def test_the_ways_out_are_those_of_all_enabled_integrations_that_the_owner_may_use():
    rules = (network_rule(11, "one.example"), network_rule(12, "two.example:22"))
    one, two = integration("ONE", 21, [11]), integration("TWO", 22, [12])
    both = {WayOut("one.example", 443), WayOut("two.example", 22)}
    assert leaving(one, two, rules=rules) == both
    assert leaving(one, two, rules=rules, usable=frozenset({21})) == {WayOut("one.example", 443)}
    off = integration("TWO", 22, [12], enabled=False)
    assert leaving(one, off, rules=rules) == {WayOut("one.example", 443)}


def test_what_is_gone_dropped_or_of_another_kind_lets_nobody_out():
    ingress = network_rule(11, "one.example", mode="INGRESS")
    addresses = network_rule(12, "10.0.0.0/8", kind="IPV4")
    dropped = network_rule(13, "two.example")
    dropped.dropped_on.GetCurrentTime()
    every = integration("ONE", 21, [11, 12, 13, 14])
    assert leaving(every, rules=(ingress, addresses, dropped)) == frozenset()
    every.dropped_on.GetCurrentTime()
    assert leaving(every, rules=(network_rule(11, "one.example"),)) == frozenset()


def test_a_host_opens_the_addresses_that_it_is_resolved_to_and_a_literal_itself():
    ways = {WayOut("one.example", 443), WayOut("192.0.2.9", 8080), WayOut(ANY_HOST, 80)}
    numbers = {way.host: way.number(SERVICE) for way in ways}
    assert openings(SERVICE, ways, {"one.example": ["192.0.2.1", "192.0.2.2"], "x": ["9"]}) == {
        Opening("192.0.2.1", 443, numbers["one.example"]),
        Opening("192.0.2.2", 443, numbers["one.example"]),
        Opening("192.0.2.9", 8080, numbers["192.0.2.9"]),
        Opening(ANY_HOST, 80, numbers[ANY_HOST]),
    }


def test_a_host_that_is_resolved_to_no_address_does_not_open_every_host():
    blocked = {WayOut("one.example", 443)}
    assert openings(SERVICE, blocked, {"one.example": [ANY_HOST]}) == frozenset()


@given(st.integers(0, 1 << 60), st.text(max_size=20), st.integers(0, 65535))
def test_a_ways_number_fits_a_mark_and_is_never_that_of_no_way(service: int, host: str, port: int):
    number = WayOut(host, port).number(service)
    assert 0 < number < 1 << 32
    assert number == WayOut(host, port).number(service)
