"""What the catalog and the grants say of a service, as packet rules need it, and when that changes.

Owns the subscriptions to the mirrors and the snapshot of the grants. It goes on with what the mirrors
hold while the store is away.
"""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, fields

from snowcave.agent.network import egress
from snowcave.agent.network.callers import INTEGRATION, Callers, matters
from snowcave.agent.network.egress import WayOut
from snowcave.agent.network.hosts import Hosts
from snowcave.agent.network.rules import NO_ACCESS, Access
from snowcave.model import keys
from snowcave.model.grants import AccessView
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state

PUBLIC = "PUBLIC"


@dataclass(frozen=True, slots=True)
class Mirrors:
    """What the rules follow beside the endpoints."""

    services: Mirror[state.Object]
    roles: Mirror[state.Object]
    grants: Mirror[state.Grant]
    integrations: Mirror[state.Object]
    rules: Mirror[state.Object]
    # Who answers the containers' questions for names.
    resolvers: Mirror[state.DnsServer]

    @property
    def digests(self) -> dict[str, Callable[[], dict[str, object]]]:
        """For /debug/mirror."""
        return {one.name: getattr(self, one.name).digest for one in fields(self)}


@dataclass
class Policy:
    """Answers for the services of one node. Made by `open_policy`."""

    _mirrors: Mirrors
    _hosts: Hosts
    _snapshot: "_Snapshot | None" = None
    # Ways out by service, as told to the resolver.
    _ways: dict[str, frozenset[WayOut]] = field(default_factory=dict[str, frozenset[WayOut]])

    def of(self, service: str) -> Access:
        """Also tells the resolver which hosts the service's instances may want."""
        found = self._mirrors.services.get(service)
        if found is None:
            self.forget(service)
            return NO_ACCESS
        now = self._now()
        ways = egress.ways_out(found, now.catalog, now.usable(found))
        self._want(service, ways)
        spec = found.service.spec
        names = [endpoint.name for endpoint in spec.endpoints]
        return Access(
            service=found.uid,
            owners=now.callers.above(found.owner_role),
            callers=now.callers.by_endpoint(found.uid, spec.service_roles, names),
            ways_out=ways,
            openings=egress.openings(found.uid, ways, self._hosts.resolved),
        )

    @contextmanager
    def watching(
        self, one: Callable[[tuple[str, ...], object], None], every: Callable[[], None]
    ) -> Generator[None]:
        """Calls `one` with the key of a service that changed, and `every` where any may be concerned."""

        def changed(key: tuple[str, ...], _message: object) -> None:
            self._snapshot = None
            every()

        def granted(key: tuple[str, ...], message: object) -> None:
            if matters(key):
                changed(key, message)

        mirrors = self._mirrors
        self._hosts.changed = every
        unsubscribes = (
            mirrors.services.subscribe(one),
            mirrors.grants.subscribe(granted),
            *(m.subscribe(changed) for m in (mirrors.roles, mirrors.integrations, mirrors.rules)),
        )
        try:
            yield
        finally:
            self._hosts.changed = _nothing
            for unsubscribe in unsubscribes:
                unsubscribe()

    async def first_answers(self) -> None:
        """Back when the hosts that were asked for so far are resolved, or take too long."""
        await self._hosts.first_answers()

    def forget(self, service: str) -> None:
        """No instance of it is here any more."""
        self._want(service, frozenset())

    def _want(self, service: str, ways: frozenset[WayOut]) -> None:
        if ways == self._ways.get(service, frozenset()):
            return
        self._ways.pop(service, None)
        if ways:
            self._ways[service] = ways
        every = (way for of_one in self._ways.values() for way in of_one)
        self._hosts.want({way.host for way in every if way.literal is None})

    def _now(self) -> "_Snapshot":
        if self._snapshot is None:
            mirrors = self._mirrors
            grants = [grant for key, grant in mirrors.grants.items() if matters(key)]
            public = next((one.uid for one in mirrors.roles.values() if one.name == PUBLIC), None)
            self._snapshot = _Snapshot(
                public,
                Callers(grants, public),
                AccessView(grants, self._owner_of),
                egress.Catalog(
                    {one.name: one for one in mirrors.integrations.values()},
                    {one.uid: one for one in mirrors.rules.values()},
                ),
            )
        return self._snapshot

    def _owner_of(self, domain: str, uid: int) -> int | None:
        found = self._mirrors.integrations.get(uid) if domain == INTEGRATION else None
        return found.owner_role if found else None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Of everything but the services: made when it is asked for, forgotten when something changes."""

    public: int | None
    callers: Callers
    access: AccessView
    catalog: egress.Catalog

    def usable(self, service: state.Object) -> frozenset[int]:
        """The service's integrations that its owner may use, now."""
        roles = self.access.closure(service.owner_role)
        if self.public is not None:
            roles |= self.access.closure(self.public)
        named = map(self.catalog.integrations.get, service.service.external_access_integrations)
        return frozenset(
            one.uid
            for one in named
            if one and self.access.holds(roles, "USAGE", INTEGRATION, one.uid)
        )


@asynccontextmanager
async def follow_mirrors(store: Store) -> AsyncGenerator[Mirrors]:
    async with (
        follow(store, keys.catalog("service")) as services,
        follow(store, keys.catalog("role")) as roles,
        follow(store, keys.GRANTS) as grants,
        follow(store, keys.catalog("integration")) as integrations,
        follow(store, keys.catalog("network_rule")) as rules,
        follow(store, keys.DNS_SERVERS) as resolvers,
    ):
        yield Mirrors(services, roles, grants, integrations, rules, resolvers)


def _nothing() -> None:
    pass
