"""Settings of the dns daemon. Durations in seconds."""

from dataclasses import dataclass, field

from snowcave.dns.forwarding import ForwardSettings
from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class DnsSettings:
    mesh: Mesh
    # How long a resolver may keep an answer, and the fact that a name does not exist.
    ttl: int = 5
    # Largest answer over UDP that we send even to a client that would take more: fits every link.
    udp_size: int = 1232
    # Whole answers kept ready; the oldest goes first.
    cache_entries: int = 20_000
    # Datagrams read in one turn of the loop before others have theirs.
    batch: int = 64
    # Asked for names that are not ours: `address` or `address:port`. Empty: /etc/resolv.conf; "none": nobody.
    upstream: tuple[str, ...] = ()
    # One try at one upstream.
    upstream_deadline: float = 2.0
    # Forwarded questions under way at once; beyond that SERVFAIL.
    upstream_outstanding: int = 512
    # Askers over UDP that wait for an upstream at once, for the same question or for others.
    waiting: int = 4096
    # Kept answers of upstreams.
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    # Where a node tells its metrics: the port of SRV records.
    monitor_port: int = 9001
    # Silence after which a TCP client is hung up on.
    tcp_idle: float = 10.0
    tcp_connections: int = 256
    # Longest question taken over TCP.
    tcp_question: int = 4096
    # Age of the mirrors at which /readyz says so. Answers go on.
    stale_after: float = 60.0
    # How long nodes send questions to a replica after it has fallen silent.
    heartbeat: float = 5.0
