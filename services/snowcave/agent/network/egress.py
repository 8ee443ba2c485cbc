"""Pure: where the containers of a service may go outside, by its external access integrations.

A network rule's `host:port` is a way out. Each way out of a service has a number, the same on every node
and after every restart, which the kernel keeps with the connections that took it: a connection goes on
when the host's addresses change, and ends when the way out is closed.
"""

import functools
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from snowcave.v1 import state_pb2 as state

EXTERNAL_ACCESS = "EXTERNAL_ACCESS"
EGRESS = "EGRESS"
HOST_KINDS = ("HOST_PORT", "PRIVATE_HOST_PORT")
# In place of a host: every host.
ANY_HOST = "0.0.0.0"  # a name in a rule, nothing listens
HTTPS = 443
_LONGEST_LABEL = 63
_HIGHEST_MARK = (1 << 32) - 1
# A grant has all numbers of a node told anew.
_REMEMBERED = 32768


class WayOut(NamedTuple):
    """One `host:port` that a service may go to; the host in lower case, without a dot at its end."""

    host: str
    port: int

    def number(self, service: int) -> int:
        """Never 0, which is what connections have that took none."""
        return _number(f"{service} {self.host} {self.port}")

    @property
    def literal(self) -> str | None:
        """The address, where the host is one and needs no resolving."""
        try:
            return str(ipaddress.IPv4Address(self.host))
        except ValueError:
            return None


@functools.lru_cache(_REMEMBERED)
def _number(text: str) -> int:
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "big") % _HIGHEST_MARK + 1


class Opening(NamedTuple):
    """A way out as the kernel checks it. Address ANY_HOST: all."""

    address: str
    port: int
    number: int


@dataclass(frozen=True, slots=True)
class Catalog:
    """What decides about ways out; integrations by name, network rules by uid."""

    integrations: Mapping[str, state.Object]
    rules: Mapping[int, state.Object]


def way_out(value: str) -> WayOut | None:
    """Of a network rule's value. None: no value that we know to be one."""
    host, colon, port = value.partition(":")
    host = host.rstrip(".").lower()
    labels = host.split(".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels) or (
        colon and not (port.isascii() and port.isdigit() and int(port) < 1 << 16)
    ):
        return None
    return WayOut(host, int(port) if colon else HTTPS)


def ways_out(service: state.Object, catalog: Catalog, usable: frozenset[int]) -> frozenset[WayOut]:
    """`usable` are the uids of the integrations that the service's owner may use at this moment.

    A service that was dropped keeps its ways until its containers have ended: they may have things to bring
    to their end outside.
    """
    found: set[WayOut] = set()
    for name in service.service.external_access_integrations:
        integration = catalog.integrations.get(name)
        if integration is None or integration.uid not in usable or not _is_open(integration):
            continue
        for uid in integration.integration.network_rules:
            rule = catalog.rules.get(uid)
            if rule is not None and _lets_out(rule):
                found.update(filter(None, map(way_out, rule.network_rule.values)))
    return frozenset(found)


def openings(
    service: int, ways: Iterable[WayOut], resolved: Mapping[str, Iterable[str]]
) -> frozenset[Opening]:
    """`resolved` are the addresses of each host as far as they are known."""
    found: set[Opening] = set()
    for way in ways:
        literal = way.literal
        # Resolvers that block a name say 0.0.0.0: only a rule may mean every host by it.
        named = set(resolved.get(way.host, ())) - {ANY_HOST}
        addresses = named if literal is None else (literal,)
        found.update(Opening(address, way.port, way.number(service)) for address in addresses)
    return frozenset(found)


def _is_open(integration: state.Object) -> bool:
    body = integration.integration
    return (
        body.category == EXTERNAL_ACCESS
        and body.enabled
        and not integration.HasField("dropped_on")
    )


def _lets_out(rule: state.Object) -> bool:
    body = rule.network_rule
    return body.mode == EGRESS and body.type in HOST_KINDS and not rule.HasField("dropped_on")
