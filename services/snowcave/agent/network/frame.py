"""Pure: the table of a node without what endpoints put into it: its sets, its chains and their order.

Order and hooks were proved with real containers; docs/network.md explains every chain. A rule must end
by a newline before its brace, and some words (in, out, fwd) may not name a chain.
"""

from dataclasses import dataclass

TABLE = "ip snowcave"
# Of a client of any role, where every role may call; other marks are counted up from 1.
ANYBODY_MARK = (1 << 32) - 1
# Addresses, with ports or without, for which packets are counted.
_MOST_COUNTED = 16384
# What nodes serve to instances: OTLP to their own, metrics of the pool to those who may read them.
_OTLP_PORTS = "4317, 4318"
_METRICS_PORT = 9001
# Outside of the mesh, and nowhere that anybody may go: this machine's own, link-local (where clouds keep
# their credentials), multicast and what is reserved.
_NOWHERE = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where the node stands in the address plan."""

    underlay: str
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

    @property
    def not_outside(self) -> str:
        return f"{{ {', '.join((self.underlay, self.instances, self.services, *_NOWHERE))} }}"


def frame(place: NodePlace) -> str:
    chains = (
        _sets(place),
        _sources(place),
        _service_addresses(place),
        _node(place),
        _calls(place),
        _ways_out(),
        _guard(place),
    )
    return f"\ntable {TABLE} {{\n{''.join(chains)}}}\n"


def _sets(place: NodePlace) -> str:
    counted = f"flags dynamic; size {_MOST_COUNTED}; counter;"
    return f"""\
  map owner {{ type ipv4_addr : mark; }}
  set allowed {{ type mark . ipv4_addr . inet_service; }}
  set self {{ type ipv4_addr . ipv4_addr; }}
  map vips {{ type ipv4_addr . inet_service : verdict; }}
  map leaver {{ type ipv4_addr : mark; }}
  map outside {{ type mark . ipv4_addr . inet_service : mark; }}
  map everywhere {{ type mark . inet_service : mark; }}
  set held {{ type mark . mark; }}
  set ingress {{ type ipv4_addr . inet_service; {counted} }}
  set denied {{ type ipv4_addr; {counted} }}
  set sent {{ type ipv4_addr; {counted} }}
  set received {{ type ipv4_addr; {counted} }}
  map resolvers {{ type ipv4_addr . inet_service : mark; }}
  set platform {{ type ipv4_addr; elements = {{ {place.machine} }}; }}
"""


def _sources(place: NodePlace) -> str:
    outside = f"{{ 169.254.0.0/16, 127.0.0.0/8, {place.services}, {place.node_network} }}"
    return f"""
  chain spoof {{
    type filter hook prerouting priority raw; policy accept;
    iifname "c*" fib saddr . iif oif 0 counter drop
    iifname "fab0" ip saddr {outside} counter drop
  }}
"""


def _service_addresses(place: NodePlace) -> str:
    return f"""
  chain dns {{
  }}
  chain vip {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr {place.dns_address} meta l4proto {{ tcp, udp }} th dport 53 goto dns
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
"""


def _node(place: NodePlace) -> str:
    return f"""
  chain to_node {{
    type filter hook input priority filter; policy accept;
    iifname "c*" icmp type echo-request accept
    iifname "c*" ct state established ct direction reply accept
    iifname "c*" ip daddr {place.underlay} tcp dport {{ {_OTLP_PORTS}, {_METRICS_PORT} }} accept
    iifname "fab0" ip saddr {place.instances} tcp dport {_METRICS_PORT} accept
    iifname "c*" counter reject
    iifname "fab0" ip saddr {place.instances} ct direction original counter drop
  }}
"""


def _calls(place: NodePlace) -> str:
    """Between instances. A client's own mark first, then, where it has one, that of anybody."""
    # An instance of another node: that node decides about the packet.
    to_others = f"ip daddr {place.instances} ip daddr != {place.node_network}"
    from_others = f"ip saddr {place.instances} ip saddr != {place.node_network}"
    # Another node's metrics; the machine itself is none.
    to_metrics = f"ip daddr {place.underlay} ip daddr != @platform tcp dport {_METRICS_PORT}"
    from_metrics = f"ip saddr {place.underlay} ip saddr != @platform tcp sport {_METRICS_PORT}"
    as_anybody = f"meta mark != 0 meta mark set {ANYBODY_MARK} jump"
    return f"""
  chain ranges {{
  }}
  chain ranges_reply {{
  }}
  chain callable {{
    meta mark . ip daddr . tcp dport @allowed accept
    jump ranges
  }}
  chain callable_reply {{
    meta mark . ip saddr . tcp sport @allowed accept
    jump ranges_reply
  }}
  chain original {{
    ct status dnat ip saddr . ip daddr @self accept
    iifname "c*" oifname "fab0" meta l4proto tcp {to_others} accept
    iifname "c*" oifname "fab0" {to_metrics} accept
    iifname "c*" oifname "fab0" ip daddr != {place.not_outside} goto leaving
    meta mark set ip saddr map @owner
    jump callable
    {as_anybody} callable
    counter reject with tcp reset
  }}
  chain reply {{
    ct state != {{ established, related }} drop
    ip saddr . ip daddr @self accept
    iifname "fab0" oifname "c*" meta l4proto tcp {from_others} accept
    iifname "fab0" oifname "c*" {from_metrics} accept
    iifname "fab0" oifname "c*" ip saddr != {place.not_outside} goto returning
    meta mark set ip daddr map @owner
    jump callable_reply
    {as_anybody} callable_reply
    counter reject with tcp reset
  }}
"""


def _ways_out() -> str:
    """To the world. A connection is marked with the way out that it took, and lasts while that is held."""
    return """
  chain leave {
    update @sent { ip saddr counter }
    accept
  }
  chain enter {
    update @received { ip daddr counter }
    accept
  }
  chain leaving {
    meta mark set ip saddr map @leaver
    meta mark . ct mark @held goto leave
    ct mark set meta mark . tcp dport map @everywhere
    ct mark set meta mark . ip daddr . tcp dport map @outside
    meta mark . ct mark @held goto leave
    update @denied { ip saddr counter }
    meta l4proto tcp counter reject with tcp reset
    counter reject with icmp type admin-prohibited
  }
  chain returning {
    meta mark set ip daddr map @leaver
    meta mark . ct mark @held goto enter
    counter drop
  }
"""


def _guard(place: NodePlace) -> str:
    to_api = f"ip daddr {place.machine} tcp dport {place.api_port}"
    # What was asked of dns at its service address, whichever replica got it.
    asked = f"ct original ip daddr {place.dns_address}"
    to_dns = "meta l4proto { tcp, udp } ct mark set ip daddr . th dport map @resolvers"
    # What ingress and functions send, for autoscaling. They use connections again, so a connection that is
    # opened says little: each request pushes a segment at least. Beyond the set's size nothing is counted.
    counted = "tcp flags & psh == psh update @ingress { ip daddr . tcp dport counter }"
    return f"""
  chain guard {{
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    iifname "fab0" ip saddr @platform oifname "c*" ct direction original {counted}
    iifname "fab0" ip saddr @platform oifname "c*" accept
    oifname "fab0" ip daddr @platform ct direction reply accept
    ct direction original ct status dnat {to_api} accept
    ct direction original {asked} {to_dns} accept
    ct direction original {asked} counter reject
    iifname "fab0" ct direction reply {asked} accept
    iifname "fab0" ip saddr {place.machine} ct direction reply accept
    ct direction original jump original
    ct direction reply jump reply
  }}
"""
