"""Settings of the ingress gateway. Durations in seconds, sizes in bytes."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = 8192
    # Request line and headers together.
    head: int = 64 << 10
    headers: int = 128
    # Requests read ahead on one connection while an earlier one is answered.
    pipelined: int = 8
    # More than these in what one read of the socket brings is refused.
    pipelined_burst: int = 64
    # Body bytes held while there is no way on yet; more wait in the client's kernel.
    buffered: int = 64 << 10
    # Idle connections kept to one instance.
    kept: int = 256
    # Heads and admissions that are remembered, each.
    known: int = 4096
    # Bodies of our own pages' forms.
    form: int = 8 << 10


@dataclass(frozen=True, slots=True)
class Deadlines:
    # First byte to end of the headers.
    head: float = 15.0
    handshake: float = 10.0
    # Nothing in either direction (facts: 90 s).
    idle: float = 90.0
    connect: float = 5.0
    # Asking api or the store who somebody is.
    verify: float = 10.0
    # For so long an admitted caller is admitted again unasked, as long as nothing has changed.
    verified: float = 1.0
    # A kept connection to an instance that is not used.
    kept: float = 55.0
    # Between looks at whether the certificate's files have changed.
    certificate_look: float = 10.0
    # Open exchanges when the gateway stops.
    drain: float = 10.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """The login page."""

    # From one address, within the window; the api locks users who fail too often besides.
    attempts: int = 20
    # Seconds.
    window: float = 60.0
    # Addresses that are remembered.
    remembered: int = 4096


@dataclass(frozen=True)
class IngressSettings:
    mesh: Mesh = field(default_factory=Mesh)
    limits: Limits = field(default_factory=Limits)
    deadlines: Deadlines = field(default_factory=Deadlines)
    sign_in: SignIn = field(default_factory=SignIn)
    # Tell services the e-mail address of who asks, in Sf-Context-Current-User-Email.
    email_header: bool = False
    # PEM files of a certificate for *.<ingress domain>; empty: one of the cluster's authority.
    certificate: str = ""
    private_key: str = ""
