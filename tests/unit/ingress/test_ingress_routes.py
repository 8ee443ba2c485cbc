"""Host → endpoint → ready instance, as the mirrors change."""

from typing import Any

from snowcave.ingress.routes import ALL_ENDPOINTS, Routes, routes_of
from snowcave.model import keys
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import state_pb2 as state
from tests.kit.fed_mirrors import mirror, put

HOST = "abc-local-snowcave.localhost"
SERVICES = keys.catalog("service")
INTEGRATIONS = keys.catalog("integration")
RULES = keys.catalog("network_rule")


def a_service(**changes: Any) -> state.Object:
    spec = state.ServiceSpec(
        endpoints=[
            state.EndpointSpec(name="web", port=8080, public=True),
            state.EndpointSpec(name="inner", port=9090),
        ],
        service_roles=[state.ServiceRoleSpec(name="viewer", endpoints=["web"])],
    )
    labels = {"web": "abc", "inner": "xyz"}
    body = state.Service(spec=spec, ingress_labels=labels, **changes)
    return state.Object(uid=3, name="ECHO", owner_role=1, service=body)


class Followed:
    """Routes over three mirrors that a test feeds."""

    def __init__(self) -> None:
        self.services = mirror(SERVICES)
        self.endpoints = mirror(keys.ENDPOINTS)
        self.statuses = mirror(keys.SERVICE_STATUS)
        self.integrations = mirror(INTEGRATIONS)
        self.rules = mirror(RULES)
        self.routes = Routes(
            Mesh(), self.services, self.statuses, self.endpoints, self.integrations, self.rules
        )

    def service(self, service: state.Object | None) -> None:
        put(self.services, SERVICES, service, 3)

    def status(self, status: str) -> None:
        put(self.statuses, keys.SERVICE_STATUS, state.ServiceStatus(status=status), 3)

    def instance(self, name: int, address: str, *, ready: bool) -> None:
        endpoint = state.Endpoint(address=address, ready=ready)
        put(self.endpoints, keys.ENDPOINTS, endpoint, 3, name)


def test_only_public_endpoints_of_a_service_that_is_there_have_a_host():
    service = a_service()
    assert set(routes_of(service)) == {"abc"}
    assert routes_of(service)["abc"].roles == {ALL_ENDPOINTS, "VIEWER"}
    service.dropped_on.GetCurrentTime()
    assert routes_of(service) == {}


async def test_a_host_is_found_whatever_its_case_port_or_final_dot():
    followed = Followed()
    followed.service(a_service())
    for host in (HOST, HOST.upper(), f"{HOST}:8402", f"{HOST}."):
        route = followed.routes.find(host)
        assert route is not None
        assert (route.service, route.port) == (3, 8080)
    assert followed.routes.find("xyz-local-snowcave.localhost") is None
    assert followed.routes.find("") is None


async def test_a_dropped_service_s_host_is_gone():
    followed = Followed()
    followed.service(a_service())
    followed.service(None)
    assert followed.routes.find(HOST) is None


async def test_traffic_goes_to_ready_instances_alone_and_to_each_of_them():
    followed = Followed()
    followed.service(a_service())
    route = followed.routes.find(HOST)
    assert route is not None
    followed.instance(0, "10.0.0.1", ready=False)
    assert followed.routes.instances(route) == ()
    followed.instance(0, "10.0.0.1", ready=True)
    followed.instance(1, "10.0.0.2", ready=True)
    followed.instance(2, "10.0.0.3", ready=False)
    assert set(followed.routes.instances(route)) == {("10.0.0.1", 8080), ("10.0.0.2", 8080)}
    followed.instance(1, "10.0.0.2", ready=False)
    assert followed.routes.instances(route) == (("10.0.0.1", 8080),)


async def test_a_service_takes_requests_once_enough_instances_are_ready():
    followed = Followed()
    followed.service(a_service(min_ready_instances=2))
    route = followed.routes.find(HOST)
    assert route is not None
    followed.instance(0, "10.0.0.1", ready=True)
    assert followed.routes.instances(route) == ()
    assert followed.routes.status(route) == "PENDING"
    followed.instance(1, "10.0.0.2", ready=True)
    assert len(followed.routes.instances(route)) == 2


async def test_an_upgrade_takes_no_traffic_away_though_an_instance_is_missing():
    """The scheduler goes on saying RUNNING then."""
    followed = Followed()
    followed.service(a_service(min_ready_instances=2))
    route = followed.routes.find(HOST)
    assert route is not None
    followed.instance(0, "10.244.1.10", ready=True)
    followed.status("PENDING")
    assert followed.routes.instances(route) == ()
    followed.status("RUNNING")
    assert followed.routes.instances(route) == (("10.244.1.10", 8080),)


async def test_whatever_changes_makes_another_generation():
    followed = Followed()
    seen = [followed.routes.generation]
    for change in (
        lambda: followed.service(a_service()),
        lambda: followed.instance(0, "10.0.0.1", ready=True),
        lambda: followed.status("RUNNING"),
        lambda: followed.service(None),
    ):
        change()
        seen.append(followed.routes.generation)
    assert seen == sorted(set(seen))


async def test_pages_may_use_the_hosts_of_the_service_s_external_access_and_no_others():
    followed = Followed()
    followed.service(a_service(external_access_integrations=["OUT"]))
    assert b"example" not in _added(followed)
    rule = state.NetworkRule(values=["api.example.com:8080"])
    put(followed.rules, RULES, state.Object(uid=8, network_rule=rule), 8)
    out = state.Integration(enabled=True, network_rules=[8])
    put(followed.integrations, INTEGRATIONS, state.Object(name="OUT", integration=out), 9)
    assert b"https://api.example.com:8080" in _added(followed)
    out.enabled = False
    put(followed.integrations, INTEGRATIONS, state.Object(name="OUT", integration=out), 9)
    assert b"example" not in _added(followed)


def _added(followed: Followed) -> bytes:
    route = followed.routes.find(HOST)
    assert route is not None
    return route.added
