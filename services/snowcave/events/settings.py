"""Settings of the events daemon. Durations in seconds."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Seconds and bytes."""

    # http://host:port or https://host:port of an OTLP collector (gRPC); empty: nothing is exported.
    endpoint: str = ""
    # name=value,name=value: sent with every call, such as a vendor's key.
    headers: str = field(default="", repr=False)
    # What may wait for the collector.
    waiting_bytes: int = 32 << 20
    deadline: float = 10.0
    retry_cap: float = 10.0


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
    # Appends of one stream that are on their way to the disk together.
    appends_ahead: int = 32
    # Files of an hour are merged as long as the result is no larger than this, in bytes …
    compact_bytes: int = 32 << 20
    # … when so many can be, or, in an hour that is over, as soon as two can.
    compact_files: int = 10
    compact_check: float = 30.0
    # An hour is over this long after its end: late rows still come.
    hour_settles: float = 300.0
    # How long files that no longer count stay readable, for queries that began before.
    file_grace: float = 600.0
    # Whole hours older than this are deleted.
    retention: float = 14 * 86_400.0
    retention_check: float = 600.0
    append_deadline: float = 30.0
    export: ExportSettings = field(default_factory=ExportSettings)
