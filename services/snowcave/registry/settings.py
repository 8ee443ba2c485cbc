"""Settings of the registry daemon."""

from dataclasses import dataclass, field
from typing import Literal

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class Limits:
    # Bytes of a manifest.
    manifest: int = 4 << 20
    # Bytes of one blob: 195 GiB, the larger of Snowflake's two limits on a layer.
    blob: int = 195 << 30
    # Connections at once; more wait in the kernel's queue.
    connections: int = 512
    # Uploads whose bytes are being received at once; more are told to come again.
    uploads: int = 64
    # Bytes of the request line, and of one header.
    header: int = 16 << 10
    # Tags, or referrers, in one answer.
    page: int = 1000
    # Bytes handed to the disk at once; this much of every upload is held in memory, twice.
    chunk: int = 1 << 20


@dataclass(frozen=True)
class Deadlines:
    # From a connection's first byte to the end of a request's headers.
    headers: float = 10.0
    # A client that sends, or takes, nothing for this long is cut off.
    idle: float = 60.0
    # Idle connections are kept for this long between requests.
    keepalive: float = 75.0
    # A TLS handshake.
    handshake: float = 10.0
    # One write to the state store.
    store: float = 10.0


@dataclass(frozen=True)
class Tokens:
    # Life of what GET /login gives out.
    bearer: float = 300.0
    # Life of a node's credential to pull.
    pull: float = 600.0


@dataclass(frozen=True)
class Passwords:
    # Wrong ones in a row before a user is locked here.
    attempts: int = 5
    # For so long.
    lock: float = 60.0
    # Users whose wrong passwords are remembered.
    remembered: int = 4096


@dataclass(frozen=True)
class Garbage:
    # Between two collections.
    every: float = 900.0
    # A blob that nothing refers to is kept this long: its manifest may be on the way.
    grace: float = 3600.0
    # An upload that nobody continues is kept this long.
    upload: float = 86400.0
    # A collection waits while the mirror of the catalog is older than this.
    stale: float = 30.0


@dataclass(frozen=True)
class Upstream:
    """The registry behind the `proxy` backend."""

    # http://host:port or https://host[:port]; required by the proxy.
    url: str = ""
    # Path before every repository, such as a Harbor project; empty: none.
    prefix: str = ""
    username: str = ""
    # Never in a representation: those end in tracebacks.
    password: str = field(default="", repr=False)
    # Certificate authorities (PEM file) that https upstreams are checked against; empty: the system's.
    ca_file: str = ""
    # To connect.
    connect: float = 5.0
    # For an answer to begin, and between two pieces of a body.
    answer: float = 30.0
    # Connections at once.
    connections: int = 64


@dataclass(frozen=True)
class RegistrySettings:
    mesh: Mesh
    # disk keeps images under the home; proxy hands them on to `upstream`.
    backend: Literal["disk", "proxy"] = "disk"
    # TLS beside plain HTTP on the one port, with a certificate of the cluster's authority.
    tls: bool = True
    # Between two comparisons of the tags on disk with those in the state store.
    reconcile: float = 60.0
    limits: Limits = field(default_factory=Limits)
    deadlines: Deadlines = field(default_factory=Deadlines)
    tokens: Tokens = field(default_factory=Tokens)
    passwords: Passwords = field(default_factory=Passwords)
    garbage: Garbage = field(default_factory=Garbage)
    upstream: Upstream = field(default_factory=Upstream)
