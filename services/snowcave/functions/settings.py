"""What the service-function router can be told."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """Defaults where the function names nothing, and limits."""

    rows: int = 4096
    # Bytes of one request's body; a single row may be larger.
    bytes: int = 4 << 20
    # Seconds for one batch with its retries and polling.
    timeout: float = 3600.0
    # Batches of one call that may be unanswered at once, and the bytes of their bodies together.
    in_flight: int = 128
    in_flight_bytes: int = 32 << 20
    # Bytes of answers that wait for those of earlier rows, or to be taken, before a call sends no more.
    waiting_bytes: int = 32 << 20
    # Batches of all calls to one service that may be under way at once.
    in_flight_per_service: int = 256
    # Batches of a function that an instance is given at once to begin with.
    first_window: int = 32
    response_bytes: int = 10 << 20
    # Seconds that a call waits for the store's word of a function that was changed just now.
    catching_up: float = 5.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Towards the instances."""

    connect_timeout: float = 5.0
    # Idle connections are closed after this many seconds: before common servers close them (the shortest
    # default seen is 2), for a batch that meets a closing connection has failed and may not be sent again.
    keep_alive: float = 1.5
    # Bytes of the head of an answer, its trailers included.
    head_bytes: int = 64 << 10
    # Pauses between retries, and between polls after 202: first and longest.
    backoff_base: float = 0.1
    backoff_cap: float = 5.0
    poll_base: float = 0.2
    poll_cap: float = 10.0


@dataclass(frozen=True, slots=True)
class HedgeSettings:
    """Batches that are asked of a second instance before the first one has answered."""

    # After so many seconds without an answer; 0: never. Services may get a batch twice then, at once.
    after: float = 0.0
    # Of a query's batches this share at most.
    share: float = 0.05


@dataclass(frozen=True)
class FunctionsSettings:
    mesh: Mesh
    batch: BatchSettings = field(default_factory=BatchSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    hedge: HedgeSettings = field(default_factory=HedgeSettings)
    # A service's calls are told to the scheduler once in so many seconds at most.
    use_interval: float = 15.0
    # A batch that took longer is logged.
    slow_batch: float = 30.0
