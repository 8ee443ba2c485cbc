"""What the warehouse can be told."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The SQL engine in this process."""

    # Statements that run at once; further ones wait for a thread.
    threads: int = 16
    # DuckDB's own worker threads, shared by all statements.
    duckdb_threads: int = 2
    # DuckDB spills to disk beyond this.
    memory_limit: str = "2GB"
    # Bytes that spilling may take on disk.
    spill_limit: str = "20GB"
    # Texts that differ take a third of the room on disk then, and three times as long to be written and read.
    compress_texts: bool = False
    # How often a write that lost to another one is run again before the client is told.
    conflict_retries: int = 20
    # How long a DROP or RENAME of a database waits for the statements that use it.
    move_patience: float = 2.0
    # Pause between two attempts to interrupt a statement that was cancelled.
    interrupt_every: float = 0.05


@dataclass(frozen=True, slots=True)
class ResultSettings:
    """Results kept by query id."""

    # How long a result can be fetched.
    ttl: float = 86_400.0
    # All results together; the oldest go first.
    max_bytes: int = 4 << 30
    # Results up to this many bytes come along with the reply.
    inline_bytes: int = 1 << 20
    # Results up to this many bytes share files; larger ones have files of their own.
    small_bytes: int = 16 << 10
    # Bytes of a file that small results share.
    segment_bytes: int = 4 << 20
    # Rows in one message of FetchResult where the caller does not say.
    batch_rows: int = 8192
    # How often expired results are looked for.
    sweep: float = 60.0


@dataclass(frozen=True, slots=True)
class CallSettings:
    """Service-function calls."""

    # Argument rows in one message to the router, and their bytes: whichever comes first.
    batch_rows: int = 16_384
    batch_bytes: int = 1 << 20
    # Of the first messages, while nobody knows yet how long answers are, and bytes of answers for which later
    # ones have rows: a message's answers are held together.
    first_rows: int = 16_384
    answer_bytes: int = 8 << 20
    # Argument messages that may be unanswered, and their bytes.
    window: int = 24
    window_bytes: int = 32 << 20
    # A statement that writes answers down begins when the last of them are expected within so many seconds.
    ahead: float = 1.0
    # Seconds in which no router takes up a call whose router has gone, until it is given up; how many may be
    # lost with it one after the other before a part is answered; and the pause before each attempt.
    patience: float = 20.0
    losses: int = 5
    pause: float = 0.2
    # Characters of one function's answers that a statement remembers where it may ask for them again.
    remembered: int = 32 << 20
    # Bytes of rows, and of answers, that one call keeps in memory; the rest waits in a file.
    kept_bytes: int = 8 << 20


@dataclass(frozen=True, slots=True)
class StageSettings:
    """Stage files."""

    # Bytes of one file.
    largest_file: int = 5 << 30
    # Bytes read from disk for one message.
    piece: int = 256 << 10
    # Uploads that run at once, and downloads; further ones wait.
    transfers: int = 32
    # One transfer altogether.
    transfer: float = 3600.0
    # Files in one listing.
    listed: int = 100_000


@dataclass(frozen=True)
class WarehouseSettings:
    mesh: Mesh
    engine: EngineSettings = field(default_factory=EngineSettings)
    results: ResultSettings = field(default_factory=ResultSettings)
    calls: CallSettings = field(default_factory=CallSettings)
    stages: StageSettings = field(default_factory=StageSettings)
    # Where the functions and events daemons answer; empty: on this machine. Of functions there may be several
    # replicas, with commas between their addresses.
    functions_address: str = ""
    events_address: str = ""
    # How long the live tail of the event table may take; without it a query sees rolled rows only.
    tail_timeout: float = 5.0
    # Where the event table stands in no files (on ClickHouse): what a statement can need of it is brought
    # here before, in so much time and up to so many bytes of disk.
    scan_timeout: float = 300.0
    scan_bytes: int = 8 << 30
    # A statement's limit where the request names none.
    statement_timeout: float = 172_800.0
    # Sessions that may be open at once.
    max_sessions: int = 2000
    # Statements of one session that may wait for their turn.
    max_waiting: int = 64
