"""Settings of the events daemon. Durations in seconds."""

from dataclasses import dataclass, field
from typing import Literal

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Seconds and bytes."""

    # http://host:port or https://host:port of an OTLP collector (gRPC); empty: nothing is exported.
    endpoint: str = ""
    # Certificates (PEM) that an https collector's is checked against; empty: those that gRPC brings along.
    ca_file: str = ""
    # name=value,name=value: sent with every call, such as a vendor's key.
    headers: str = field(default="", repr=False)
    # What may wait for the collector.
    waiting_bytes: int = 32 << 20
    deadline: float = 10.0
    retry_cap: float = 10.0


@dataclass(frozen=True, slots=True)
class ClickHouseSettings:
    """Where `store` is `clickhouse`. Durations in seconds."""

    # http://host:port or https://host:port of its HTTP interface.
    url: str = ""
    # Has to exist; the tables are made in it.
    database: str = "default"
    # Their names begin with it: meshes that share a database need different ones.
    prefix: str = "snowcave_"
    user: str = "default"
    password: str = field(default="", repr=False)
    # A file whose first line is the password, in place of `password`.
    password_file: str = ""
    # Certificates (PEM) that an https server's is checked against; empty: the machine's.
    ca_file: str = ""
    connect: float = 5.0
    # Between two parts of an answer.
    read: float = 30.0
    # Scans that run at once; further ones wait.
    scans: int = 4
    # All of a scan, and waiting for others to end.
    scan: float = 600.0
    # Rows of one insert: so many appends are stored together.
    insert_rows: int = 100_000
    # From the beginning of one insert to that of the next: each makes a file that ClickHouse has to merge.
    insert_every: float = 0.1
    # Sources of which is remembered how far they are stored; others are asked for.
    known_sources: int = 100_000


@dataclass(frozen=True)
class EventsSettings:
    mesh: Mesh = field(default_factory=Mesh)
    # What keeps the table: this machine's disk, or a ClickHouse server (`clickhouse`).
    store: Literal["disk", "clickhouse"] = "disk"
    clickhouse: ClickHouseSettings = field(default_factory=ClickHouseSettings)
    # A segment of the write-ahead log becomes Parquet after this many rows …
    segment_rows: int = 50_000
    # … or so many bytes, or this time, whichever comes first.
    segment_bytes: int = 64 << 20
    segment_age: float = 60.0
    # Segments that are not Parquet yet are held in memory, up to this in bytes; then senders wait.
    unrolled_bytes: int = 256 << 20
    # Appends on their way to the disk, over all senders, in bytes; more waits at the sender.
    waiting_bytes: int = 64 << 20
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
    # How long the start waits to be told which event tables are set, where the state store answers at all.
    tables_patience: float = 10.0
    export: ExportSettings = field(default_factory=ExportSettings)
