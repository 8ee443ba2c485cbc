"""How patient a client of the store is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StoreSettings:
    """Durations in seconds."""

    # A call with all its retries; then it raises Unavailable.
    deadline: float = 5.0
    # Until the store's first answer.
    connect: float = 60.0
    # A watch on which nothing happens asks for a sign of life this often …
    progress: float = 5.0
    # … and is made anew where none came for this long.
    silence: float = 15.0
    # Pauses between retries grow from the one to the other.
    backoff_base: float = 0.05
    backoff_cap: float = 1.0
    # Keys a list asks for at a time.
    page: int = 500
    # The largest answer it takes, in bytes.
    max_message: int = 64 << 20
