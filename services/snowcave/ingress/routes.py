"""Host → public endpoint → ready instances, kept up to date from mirrors."""

from collections.abc import Iterable
from dataclasses import dataclass

from snowcave.ingress.headers import Header
from snowcave.ingress.policy import Cors, baseline, cors_of
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
    # Header lines of every answer.
    added: bytes = baseline()
    cors: Cors | None = None
    # Its containers may log in for whoever asks.
    as_caller: bool = False

    def cors_headers(self, origin: bytes) -> list[Header]:
        """What pages of another origin are told."""
        return self.cors.headers(origin) if self.cors is not None and origin else []


Address = tuple[str, int]
ALL_ENDPOINTS = "ALL_ENDPOINTS_USAGE"


def routes_of(service: state.Object, outside: Iterable[str] = ()) -> dict[str, Route]:
    """Ingress label → route of each public HTTP endpoint. Pure. `outside`: hosts the service may call."""
    added = baseline(outside)
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
            added=added,
            cors=cors_of(endpoint.cors) if endpoint.HasField("cors") else None,
            as_caller=spec.execute_as_caller,
        )
    return found


def host_name(header: str) -> str:
    """Of a Host header: the port does not matter, nor does case."""
    return header.partition(":")[0].rstrip(".").lower()


class Routes:
    """Looked up on every request: a dictionary, changed service by service."""

    def __init__(
        self,
        mesh: Mesh,
        services: Mirror[state.Object],
        status: Mirror[state.ServiceStatus],
        endpoints: Mirror[state.Endpoint],
        integrations: Mirror[state.Object],
        rules: Mirror[state.Object],
    ) -> None:
        self._mesh = mesh
        self._services = services
        self._status = status
        self._endpoints = endpoints
        self._integrations = integrations
        self._rules = rules
        self._by_host: dict[str, Route] = {}
        self._hosts: dict[str, list[str]] = {}
        self._ready: dict[str, list[str]] = {}
        # Another one: whatever was looked up here may have changed.
        self.generation = 0
        self._all_changed()
        services.subscribe(self._changed)
        status.subscribe(lambda _parts, _message: self._is_other())
        endpoints.subscribe(lambda parts, _message: self._forget_ready(parts[0]))
        for mirror in (integrations, rules):
            mirror.subscribe(lambda _parts, _message: self._all_changed())

    def find(self, host: str) -> Route | None:
        """By the Host header."""
        return self._by_host.get(host_name(host))

    def all(self) -> list[tuple[str, Route]]:
        """Every public endpoint with its host."""
        return list(self._by_host.items())

    def instances(self, route: Route) -> tuple[Address, ...]:
        """The ready ones; empty where there are too few."""
        ready = self._ready_of(str(route.service))
        # The scheduler's word counts too: an upgrade has one instance away on purpose.
        if len(ready) < route.min_ready and self.status(route) != "RUNNING":
            return ()
        return tuple((address, route.port) for address in ready)

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

    def _is_other(self) -> None:
        self.generation += 1

    def _forget_ready(self, service: str) -> None:
        self._ready.pop(service, None)
        self._is_other()

    def _all_changed(self) -> None:
        """External access is the same for many services, and changes seldom."""
        for parts, service in self._services.items():
            self._changed(parts, service)

    def _changed(self, parts: tuple[str, ...], service: state.Object | None) -> None:
        self._is_other()
        for host in self._hosts.pop(parts[0], ()):
            self._by_host.pop(host, None)
        if service is None:
            return
        mesh = self._mesh
        hosts: list[str] = []
        for label, route in routes_of(service, self._outside(service)).items():
            host = ingress_host(label, mesh.organization, mesh.account, mesh.ingress_domain)
            self._by_host[host] = route
            hosts.append(host)
        self._hosts[parts[0]] = hosts

    def _outside(self, service: state.Object) -> list[str]:
        """Hosts that the service's external access integrations name."""
        wanted = set(service.service.external_access_integrations)
        if not wanted:
            return []
        used = [
            one.integration
            for one in self._integrations.values()
            if one.name in wanted and one.integration.enabled and not one.HasField("dropped_on")
        ]
        rules = [self._rules.get(str(uid)) for one in used for uid in one.network_rules]
        return [value for rule in rules if rule for value in rule.network_rule.values]
