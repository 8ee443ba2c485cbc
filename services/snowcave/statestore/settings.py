"""What an operator may choose about the embedded state store. Durations in seconds, sizes in bytes."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class History:
    """How much of the past is kept for watches that resume and reads of old revisions."""

    # Whichever is reached first: so many revisions, so old, so large.
    revisions: int = 20_000
    age: float = 3600.0
    size: int = 64 << 20
    # How often it is looked at.
    every: float = 10.0


@dataclass(frozen=True)
class Limits:
    """What one caller may ask for; etcd's names for them are in docs/statestore.md."""

    # One request.
    request: int = 1_572_864
    # Operations of one transaction.
    operations: int = 1024
    # All values, the kept past included.
    database: int = 1 << 30
    # Leases that live at once.
    leases: int = 100_000
    # The longest and the shortest life of a lease.
    longest_ttl: int = 86_400 * 365
    shortest_ttl: int = 1
    # Watches of one stream.
    watches: int = 1000
    # Changes, and bytes of them, that wait for one slow watch before it is cut.
    waiting_changes: int = 10_000
    waiting_size: int = 16 << 20
    # A stream that takes nothing for so long is ended.
    stall: float = 30.0
    # Calls at once.
    calls: int = 4096


@dataclass(frozen=True)
class StatestoreSettings:
    mesh: Mesh
    # No TLS and no roles: whoever reaches the port reads and writes everything. For etcdctl and tests;
    # it then listens on loopback only.
    insecure: bool = False
    # 0: the mesh's.
    port: int = 0
    admin_port: int = 0
    history: History = field(default_factory=History)
    limits: Limits = field(default_factory=Limits)
    # How late an expired lease may be noticed.
    lease_check: float = 0.25
    # An idle watch that asked for progress hears this often.
    progress: float = 600.0
