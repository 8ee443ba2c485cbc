"""Host → public endpoint → ready instances, kept up to date from mirrors."""

import random
from collections.abc import Collection
from dataclasses import dataclass

from snowcave.model.names import ingress_host
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import Mirror
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True, slots=True)
class Route:
    """One public endpoint. `roles` are the service roles that open it."""

    service: int
    service_name: str
    owner_role: int
    endpoint: str
    port: int
    roles: frozenset[str]
    min_ready: int


ALL_ENDPOINTS = "ALL_ENDPOINTS_USAGE"


def routes_of(service: state.Object) -> dict[str, Route]:
    """Ingress label → route of each public HTTP endpoint. Pure."""
    spec = service.service.spec
    found: dict[str, Route] = {}
    for endpoint in spec.endpoints:
        label = service.service.ingress_labels.get(endpoint.name)
        if not endpoint.public or not label or service.HasField("dropped_on"):
            continue
        opening = {
            role.name.upper() for role in spec.service_roles if endpoint.name in role.endpoints
        }
        found[label] = Route(
            service=service.uid,
            service_name=service.name,
            owner_role=service.owner_role,
            endpoint=endpoint.name,
            port=endpoint.port,
            roles=frozenset({ALL_ENDPOINTS, *opening}),
            min_ready=max(1, service.service.min_ready_instances),
        )
    return found


class Routes:
    """Looked up on every request: a dictionary, changed service by service."""

    def __init__(
        self,
        mesh: Mesh,
        services: Mirror[state.Object],
        status: Mirror[state.ServiceStatus],
        endpoints: Mirror[state.Endpoint],
        rng: random.Random,
    ) -> None:
        self._mesh = mesh
        self._status = status
        self._rng = rng
        self._by_host: dict[str, Route] = {}
        self._hosts: dict[str, list[str]] = {}
        self._ready: dict[str, list[str]] = {}
        self._endpoints = endpoints
        for (uid,), service in services.items():
            self._changed((uid,), service)
        services.subscribe(self._changed)
        endpoints.subscribe(lambda parts, _message: self._forget_ready(parts[0]))

    def find(self, host: str) -> Route | None:
        """By the Host header: the port does not matter, nor does case."""
        return self._by_host.get(host.partition(":")[0].rstrip(".").lower())

    def instance(self, route: Route, avoid: Collection[str] = ()) -> tuple[str, int] | None:
        """A ready instance, chosen at random; None where there is none, or too few."""
        ready = self._ready_of(str(route.service))
        # The scheduler's word counts too: an upgrade has one instance away on purpose.
        if len(ready) < route.min_ready and self.status(route) != "RUNNING":
            return None
        left = [address for address in ready if address not in avoid] if avoid else ready
        return (self._rng.choice(left), route.port) if left else None

    def status(self, route: Route) -> str:
        """The service's status in Snowflake's words."""
        found = self._status.get(str(route.service))
        return found.status if found else "PENDING"

    def _ready_of(self, service: str) -> list[str]:
        ready = self._ready.get(service)
        if ready is None:
            found = (one for _, one in self._endpoints.items(service))
            ready = [one.address for one in found if one.ready]
            self._ready[service] = ready
        return ready

    def _forget_ready(self, service: str) -> None:
        self._ready.pop(service, None)

    def _changed(self, parts: tuple[str, ...], service: state.Object | None) -> None:
        for host in self._hosts.pop(parts[0], ()):
            self._by_host.pop(host, None)
        if service is None:
            return
        mesh = self._mesh
        hosts: list[str] = []
        for label, route in routes_of(service).items():
            host = ingress_host(label, mesh.organization, mesh.account, mesh.ingress_domain)
            self._by_host[host] = route
            hosts.append(host)
        self._hosts[parts[0]] = hosts
