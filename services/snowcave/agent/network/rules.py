"""Pure: what the endpoints of the mesh mean for one node's packet rules.

Each service contributes on its own, so that a change costs what the service costs, not what the mesh
costs. Who owns a source must be known for every instance of the mesh; what may be reached is decided
by the destination's node, so only local destinations are listed.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from snowcave.v1 import state_pb2 as state

RoleUid = int
Address = str


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


NOTHING = ServiceRules()


def service_rules(
    endpoints: Iterable[state.Endpoint], node_network: ipaddress.IPv4Network
) -> ServiceRules:
    """The contribution of the service that these endpoints belong to.

    Instances may be called by their owner's others as soon as they have an address, ready or not; the
    service address leads to the ready ones alone. A port range exists on instance addresses only.
    """
    owners: dict[Address, RoleUid] = {}
    allowed: set[tuple[RoleUid, Address, int]] = set()
    ranges: set[tuple[RoleUid, Address, int, int]] = set()
    ready: dict[tuple[Address, int], list[Address]] = {}
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.instance_id):
        address, owner = endpoint.address, endpoint.owner_role
        if not _is_address(address):
            continue
        owners[address] = owner
        is_local = ipaddress.IPv4Address(address) in node_network
        for port in endpoint.ports:
            if port.port_last > port.port:
                if is_local:
                    ranges.add((owner, address, port.port, port.port_last))
                continue
            if is_local:
                allowed.add((owner, address, port.port))
            if endpoint.ready and _is_address(endpoint.service_address):
                ready.setdefault((endpoint.service_address, port.port), []).append(address)
    return ServiceRules(
        owners=owners,
        local=frozenset(a for a in owners if ipaddress.IPv4Address(a) in node_network),
        allowed=frozenset(allowed),
        ranges=frozenset(ranges),
        translated={key: tuple(dict.fromkeys(backends)) for key, backends in ready.items()},
    )


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
    local: set[Address] = set()
    allowed: set[tuple[RoleUid, Address, int]] = set()
    ranges: set[tuple[RoleUid, Address, int, int]] = set()
    for one in every:
        owners.update(one.owners)
        translated.update(one.translated)
        local |= one.local
        allowed |= one.allowed
        ranges |= one.ranges
    return ServiceRules(
        owners, frozenset(local), frozenset(allowed), frozenset(ranges), translated
    )


def _without(these: ServiceRules, others: ServiceRules) -> ServiceRules:
    return ServiceRules(
        owners={a: r for a, r in these.owners.items() if others.owners.get(a) != r},
        local=these.local - others.local,
        allowed=these.allowed - others.allowed,
        ranges=these.ranges - others.ranges,
        translated={
            key: backends
            for key, backends in these.translated.items()
            if others.translated.get(key) != backends
        },
    )


def _is_address(text: str) -> bool:
    """Nothing but an address gets into the text that nft reads."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
