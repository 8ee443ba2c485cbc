"""Pure: the text that nft reads, for the whole table of a node or for a change to it.

Order and hooks were proved with real containers; docs/network.md explains every chain. A rule must end
by a newline before its brace, and some words (in, out, fwd) may not name a chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from snowcave.agent.network.rules import Address, Difference, RoleUid, ServiceRules

TABLE = "ip snowcave"
# Elements a line; nft reads long lines in quadratic time in some versions.
_BATCH = 500
# Addresses and ports whose new connections are counted.
_MOST_COUNTED = 16384


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where the node stands in the address plan."""

    instances: str
    services: str
    # The /24 of this node.
    node_network: str
    # The platform: ingress, functions, registry, dns and api send from here.
    machine: str
    dns_address: str
    dns_port: int
    api_address: str
    api_port: int


@dataclass
class Marks:
    """Role uids are longer than a packet mark: each role that is seen gets a small number, for good."""

    _given: dict[RoleUid, int] = field(default_factory=dict[RoleUid, int])

    def of(self, role: RoleUid) -> int:
        return self._given.setdefault(role, len(self._given) + 1)


def whole(place: NodePlace, rules: ServiceRules, marks: Marks) -> str:
    """Replaces the table in one transaction; established connections do not notice."""
    return (
        f"table {TABLE}\ndelete table {TABLE}\n"
        + _frame(place)
        + _additions(rules, marks)
        + _ranges(rules.ranges, marks)
    )


def change(
    difference: Difference,
    marks: Marks,
    ranges: Iterable[tuple[RoleUid, Address, int, int]],
) -> str:
    """One transaction that makes the difference. `ranges` is all there are afterwards, of all services."""
    removed, added = difference.removed, difference.added
    kept = removed.translated.keys() & added.translated.keys()
    gone = removed.translated.keys() - kept
    text = _elements("delete", "vips", (f"{a} . {p}" for a, p in sorted(gone)))
    for key in sorted(gone):
        text += f"flush chain {TABLE} {_chain(key)}\ndelete chain {TABLE} {_chain(key)}\n"
    text += _elements("delete", "owner", sorted(removed.owners))
    text += _elements("delete", "self", (f"{a} . {a}" for a in sorted(removed.local)))
    text += _elements("delete", "allowed", _allowed(removed, marks))
    for key in sorted(kept):
        text += f"flush chain {TABLE} {_chain(key)}\n{_balance(key, added.translated[key])}"
    text += _additions(added, marks, already=frozenset(kept))
    if removed.ranges or added.ranges:
        text += f"flush chain {TABLE} ranges\nflush chain {TABLE} ranges_reply\n"
        text += _ranges(ranges, marks)
    return text


def _additions(
    rules: ServiceRules, marks: Marks, already: frozenset[tuple[Address, int]] = frozenset()
) -> str:
    owners = (f"{address} : {marks.of(role)}" for address, role in sorted(rules.owners.items()))
    text = _elements("add", "owner", owners)
    text += _elements("add", "self", (f"{a} . {a}" for a in sorted(rules.local)))
    text += _elements("add", "allowed", _allowed(rules, marks))
    new = sorted(rules.translated.keys() - already)
    for key in new:
        text += f"add chain {TABLE} {_chain(key)}\n{_balance(key, rules.translated[key])}"
    return text + _elements("add", "vips", (f"{a} . {p} : goto {_chain((a, p))}" for a, p in new))


def _allowed(rules: ServiceRules, marks: Marks) -> Iterable[str]:
    return (f"{marks.of(role)} . {a} . {port}" for role, a, port in sorted(rules.allowed))


def _elements(verb: str, name: str, elements: Iterable[str]) -> str:
    listed = list(elements)
    return "".join(
        f"{verb} element {TABLE} {name} {{ {', '.join(listed[at : at + _BATCH])} }}\n"
        for at in range(0, len(listed), _BATCH)
    )


def _ranges(ranges: Iterable[tuple[RoleUid, Address, int, int]], marks: Marks) -> str:
    text = ""
    for role, address, first, last in sorted(ranges):
        mark = marks.of(role)
        text += (
            f"add rule {TABLE} ranges "
            f"meta mark {mark} ip daddr {address} tcp dport {first}-{last} accept\n"
            f"add rule {TABLE} ranges_reply "
            f"meta mark {mark} ip saddr {address} tcp sport {first}-{last} accept\n"
        )
    return text


def _balance(key: tuple[Address, int], backends: tuple[Address, ...]) -> str:
    if len(backends) == 1:
        target = backends[0]
    else:
        choice = ", ".join(f"{number} : {address}" for number, address in enumerate(backends))
        target = f"numgen random mod {len(backends)} map {{ {choice} }}"
    return f"add rule {TABLE} {_chain(key)} dnat to {target}\n"


def _chain(key: tuple[Address, int]) -> str:
    address, port = key
    return f"vip_{address.replace('.', '_')}_{port}"


def _frame(place: NodePlace) -> str:
    outside = f"{{ 169.254.0.0/16, 127.0.0.0/8, {place.services}, {place.node_network} }}"
    dns = f"{place.machine}:{place.dns_port}"
    to_platform = (
        f"ip daddr {place.machine} meta l4proto {{ tcp, udp }} "
        f"th dport {{ {place.dns_port}, {place.api_port} }}"
    )
    # An instance of another node: that node decides about the packet.
    to_others = f"ip daddr {place.instances} ip daddr != {place.node_network}"
    from_others = f"ip saddr {place.instances} ip saddr != {place.node_network}"
    # What ingress and functions send, for autoscaling. They use connections again, so a connection that is
    # opened says little: each request pushes a segment at least. Beyond the set's size nothing is counted.
    counted = "tcp flags & psh == psh update @ingress { ip daddr . tcp dport counter }"
    return f"""
table {TABLE} {{
  map owner {{ type ipv4_addr : mark; }}
  set allowed {{ type mark . ipv4_addr . inet_service; }}
  set self {{ type ipv4_addr . ipv4_addr; }}
  map vips {{ type ipv4_addr . inet_service : verdict; }}
  set ingress {{ type ipv4_addr . inet_service; flags dynamic; size {_MOST_COUNTED}; counter; }}
  set platform {{ type ipv4_addr; elements = {{ {place.machine} }}; }}

  chain spoof {{
    type filter hook prerouting priority raw; policy accept;
    iifname "c*" fib saddr . iif oif 0 counter drop
    iifname "fab0" ip saddr {outside} counter drop
  }}
  chain vip {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {place.dns_address} meta l4proto {{ tcp, udp }} th dport 53 dnat to {dns}
    ip daddr {place.api_address} tcp dport 443 dnat to {place.machine}:{place.api_port}
    ip daddr . tcp dport vmap @vips
  }}
  chain vip_closed {{
    type filter hook prerouting priority -90; policy accept;
    ip daddr {place.services} meta l4proto tcp counter reject with tcp reset
    ip daddr {place.services} counter reject
  }}
  chain hairpin {{
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . ip daddr @self counter snat to 169.254.1.1
  }}
  chain to_node {{
    type filter hook input priority filter; policy accept;
    iifname "c*" icmp type echo-request accept
    iifname "c*" ct state established ct direction reply accept
    iifname "c*" counter reject
    iifname "fab0" ip saddr {place.instances} ct direction original counter drop
  }}
  chain ranges {{
  }}
  chain ranges_reply {{
  }}
  chain original {{
    ct status dnat ip saddr . ip daddr @self accept
    iifname "c*" oifname "fab0" meta l4proto tcp {to_others} accept
    meta mark set ip saddr map @owner
    meta mark . ip daddr . tcp dport @allowed accept
    jump ranges
    counter reject with tcp reset
  }}
  chain reply {{
    ct state != {{ established, related }} drop
    ip saddr . ip daddr @self accept
    iifname "fab0" oifname "c*" meta l4proto tcp {from_others} accept
    meta mark set ip daddr map @owner
    meta mark . ip saddr . tcp sport @allowed accept
    jump ranges_reply
    counter reject with tcp reset
  }}
  chain guard {{
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    iifname "fab0" ip saddr @platform oifname "c*" ct direction original {counted}
    iifname "fab0" ip saddr @platform oifname "c*" accept
    oifname "fab0" ip daddr @platform ct direction reply accept
    ct direction original ct status dnat {to_platform} accept
    iifname "fab0" ip saddr {place.machine} ct direction reply accept
    ct direction original jump original
    ct direction reply jump reply
  }}
}}
"""
