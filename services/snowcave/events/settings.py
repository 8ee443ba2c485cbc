"""Settings of the events daemon. Durations in seconds."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class EventsSettings:
    mesh: Mesh = field(default_factory=Mesh)
    # A segment of the write-ahead log becomes Parquet after this many rows …
    segment_rows: int = 50_000
    # … or after this time, whichever comes first.
    segment_age: float = 60.0
    # Appends waiting for the disk, over all agents; more wait at the sender.
    queued_appends: int = 256
    # Rows of one append.
    largest_append: int = 20_000
    # Whole hours older than this are deleted.
    retention: float = 14 * 86_400.0
    retention_check: float = 600.0
    append_deadline: float = 30.0
