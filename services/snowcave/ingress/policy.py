"""What an endpoint adds to its answers for browsers: a baseline, its outside hosts, its CORS settings. Pure.

Source: facts on ingress (S0-S4); the names of the seven exposed headers are those of the baseline.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from snowcave.ingress import headers as rules
from snowcave.ingress.headers import Header
from snowcave.v1 import state_pb2 as state

_FIXED: tuple[Header, ...] = (
    (b"X-Frame-Options", b"DENY"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Cross-Origin-Embedder-Policy", b"credentialless"),
)
_SOURCES = "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:"
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:[0-9]+)?")
_ANY = re.compile(r"^0\.0\.0\.0(?=:|$)")
_CONNECTIONS = "connect-src 'self'"
_EXPOSED = (
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cross-Origin-Embedder-Policy",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
)
# Seconds for which a browser may remember a preflight.
_MAX_AGE = 7200


def baseline(outside: Iterable[str] = ()) -> bytes:
    """Header lines of every answer. `outside`: hosts, with or without a port, that pages may use too."""
    # 0.0.0.0 in a network rule stands for every host.
    hosts = sorted({_ANY.sub("*", host) for host in outside if _HOST.fullmatch(host)})
    web = [f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")]
    sockets = [f"wss://{host}" for host in hosts]
    policy = (
        f"{' '.join([_SOURCES, *web])}; object-src 'none'; "
        f"{' '.join([_CONNECTIONS, *web, *sockets])}; frame-ancestors 'self';"
    )
    return rules.lines([*_FIXED, (b"Content-Security-Policy", policy.encode())])


@dataclass(frozen=True, slots=True)
class Cors:
    """An endpoint's corsSettings, as they are answered."""

    origins: frozenset[bytes]
    methods: bytes
    allowed: bytes
    exposed: bytes

    def headers(self, origin: bytes) -> list[Header]:
        """For an answer to a page of `origin`; none to one that is not allowed."""
        if origin.lower() not in self.origins:
            return []
        settings = [
            (b"Access-Control-Allow-Origin", origin),
            (b"Access-Control-Allow-Methods", self.methods),
            (b"Access-Control-Allow-Headers", self.allowed),
            (b"Access-Control-Expose-Headers", self.exposed),
            (b"Access-Control-Max-Age", str(_MAX_AGE).encode()),
            (b"Access-Control-Allow-Credentials", b"true"),
            (b"Vary", b"Origin"),
        ]
        return [(name, value) for name, value in settings if value]


def cors_of(settings: state.CorsSettings) -> Cors:
    return Cors(
        origins=frozenset(origin.rstrip("/").lower().encode() for origin in settings.allow_origin),
        methods=_list(settings.allow_methods),
        allowed=_list(settings.allow_headers),
        exposed=_list([*settings.expose_headers, *_EXPOSED]),
    )


def _list(values: Sequence[str]) -> bytes:
    # What a user wrote becomes part of a header line.
    return ", ".join("".join(filter(str.isprintable, value)) for value in values).encode()


def is_preflight(method: bytes, headers: Iterable[Header]) -> bool:
    """A browser that asks whether a page of another origin may ask."""
    if method != b"OPTIONS":
        return False
    names = {name.lower() for name, _ in headers}
    return {b"origin", b"access-control-request-method"} <= names


def is_same_origin(origin: bytes, host: bytes) -> bool:
    return not origin or origin.partition(b"://")[2].lower() == host.lower()
