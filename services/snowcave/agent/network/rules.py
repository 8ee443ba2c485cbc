"""Pure: what the endpoints of the mesh mean for one node's packet rules.

Each service contributes on its own, so that a change costs what the service costs, not what the mesh
costs; what the catalog says of it comes as its `Access`. Who owns a source must be known for every
instance of the mesh; what may be reached is decided by the destination's node, so only local destinations
are listed, and only local instances have ways out.
"""

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from snowcave.agent.network.callers import OTHER_ENDPOINT, RoleUid
from snowcave.agent.network.egress import Opening, WayOut
from snowcave.v1 import state_pb2 as state

Address = str
ServiceUid = int
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Access:
    """What the catalog says of one service, as the rules need it."""

    service: ServiceUid = 0
    # Roles that inherit from the owner, and the owner itself.
    owners: frozenset[RoleUid] = frozenset()
    # Who else may call an endpoint, by its name.
    callers: Mapping[str, frozenset[RoleUid]] = field(
        default_factory=dict[str, frozenset[RoleUid]]
    )
    # Where the containers may go outside, and what that means in addresses at this moment.
    ways_out: frozenset[WayOut] = frozenset()
    openings: frozenset[Opening] = frozenset()


NO_ACCESS = Access()


@dataclass(frozen=True, slots=True)
class ServiceRules:
    """What one service adds to the node's rules."""

    # Instance to owner role, wherever it runs.
    owners: Mapping[Address, RoleUid] = field(default_factory=dict[Address, RoleUid])
    # Instances on this node.
    local: frozenset[Address] = frozenset()
    # Who may open a connection to which port of an instance on this node.
    allowed: frozenset[tuple[RoleUid, Address, int]] = frozenset()
    # The same for port ranges: first and last port.
    ranges: frozenset[tuple[RoleUid, Address, int, int]] = frozenset()
    # (service address, port) to the ready instances, never none.
    translated: Mapping[tuple[Address, int], tuple[Address, ...]] = field(
        default_factory=dict[tuple[Address, int], tuple[Address, ...]]
    )
    # Instances on this node that may go outside, and the service whose ways out are theirs.
    leavers: Mapping[Address, ServiceUid] = field(default_factory=dict[Address, ServiceUid])
    # The ways out that are open, by service and number, whatever their addresses.
    held: frozenset[tuple[ServiceUid, int]] = frozenset()
    # (service, address, port) to the number of the way out that leads there.
    openings: Mapping[tuple[ServiceUid, Address, int], int] = field(
        default_factory=dict[tuple[ServiceUid, Address, int], int]
    )


NOTHING = ServiceRules()


def service_rules(
    endpoints: Iterable[state.Endpoint],
    node_network: ipaddress.IPv4Network,
    access: Access = NO_ACCESS,
) -> ServiceRules:
    """The contribution of the service that these endpoints belong to.

    Instances may be called by their owner's others as soon as they have an address, ready or not; the
    service address leads to the ready ones alone. A port range exists on instance addresses only.
    """
    listed = sorted(endpoints, key=lambda endpoint: endpoint.instance_id)
    placed = [one for one in listed if _is_address(one.address)]
    here = [one for one in placed if _parsed(one.address) in node_network]
    permissions = [
        (role, one.address, port.port, max(port.port, port.port_last))
        for one in here
        for port in one.ports
        for role in _callers(one, port, access)
    ]
    leaving = {one.address: access.service for one in here} if access.ways_out else {}
    return ServiceRules(
        owners={one.address: one.owner_role for one in placed},
        local=frozenset(one.address for one in here),
        allowed=frozenset((r, a, first) for r, a, first, last in permissions if first == last),
        ranges=frozenset(one for one in permissions if one[2] != one[3]),
        translated=_translated(placed),
        leavers=leaving,
        held=_held(access) if leaving else frozenset(),
        openings=_openings(access) if leaving else {},
    )


def _callers(
    endpoint: state.Endpoint, port: state.EndpointSpec, access: Access
) -> frozenset[RoleUid]:
    """The owner may always, though the catalog may not have told us of the service yet."""
    others = access.callers.get(OTHER_ENDPOINT, frozenset[RoleUid]())
    granted = access.callers.get(port.name, others)
    return access.owners | granted | {endpoint.owner_role}


def _translated(
    placed: Iterable[state.Endpoint],
) -> dict[tuple[Address, int], tuple[Address, ...]]:
    ready: dict[tuple[Address, int], list[Address]] = {}
    for one in placed:
        if one.ready and _is_address(one.service_address):
            for port in one.ports:
                if port.port_last <= port.port:
                    ready.setdefault((one.service_address, port.port), []).append(one.address)
    return {key: tuple(dict.fromkeys(backends)) for key, backends in ready.items()}


def _held(access: Access) -> frozenset[tuple[ServiceUid, int]]:
    return frozenset((access.service, way.number(access.service)) for way in access.ways_out)


def _openings(access: Access) -> dict[tuple[ServiceUid, Address, int], int]:
    """Where two ways out share an address and a port, either will do: always the same one."""
    return {
        (access.service, one.address, one.port): one.number
        for one in sorted(access.openings, reverse=True)
        if _is_address(one.address)
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """What to take away and what to put in its place, in this order."""

    removed: ServiceRules
    added: ServiceRules

    def __bool__(self) -> bool:
        return self.removed != NOTHING or self.added != NOTHING


def difference(before: ServiceRules, after: ServiceRules) -> Difference:
    """A translation whose instances changed is in both halves, as is an address with a new owner."""
    return Difference(_without(before, after), _without(after, before))


def merged(every: Iterable[ServiceRules]) -> ServiceRules:
    """All services' rules as one. An address that two of them claim goes to the later one."""
    owners: dict[Address, RoleUid] = {}
    translated: dict[tuple[Address, int], tuple[Address, ...]] = {}
    leavers: dict[Address, ServiceUid] = {}
    openings: dict[tuple[ServiceUid, Address, int], int] = {}
    local: set[Address] = set()
    allowed: set[tuple[RoleUid, Address, int]] = set()
    ranges: set[tuple[RoleUid, Address, int, int]] = set()
    held: set[tuple[ServiceUid, int]] = set()
    for one in every:
        owners.update(one.owners)
        translated.update(one.translated)
        leavers.update(one.leavers)
        openings.update(one.openings)
        local |= one.local
        allowed |= one.allowed
        ranges |= one.ranges
        held |= one.held
    return ServiceRules(
        owners,
        frozenset(local),
        frozenset(allowed),
        frozenset(ranges),
        translated,
        leavers,
        frozenset(held),
        openings,
    )


def _without(these: ServiceRules, others: ServiceRules) -> ServiceRules:
    return ServiceRules(
        owners=_changed(these.owners, others.owners),
        local=these.local - others.local,
        allowed=these.allowed - others.allowed,
        ranges=these.ranges - others.ranges,
        translated=_changed(these.translated, others.translated),
        leavers=_changed(these.leavers, others.leavers),
        held=these.held - others.held,
        openings=_changed(these.openings, others.openings),
    )


def _changed(these: Mapping[K, V], others: Mapping[K, V]) -> dict[K, V]:
    return {key: value for key, value in these.items() if others.get(key) != value}


def _is_address(text: str) -> bool:
    """Nothing but an address gets into the text that nft reads."""
    return _parsed(text) is not None


# The same addresses are looked at with every change of a service.
@functools.lru_cache(65536)
def _parsed(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None
