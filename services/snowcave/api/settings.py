"""The api daemon's settings."""

from dataclasses import dataclass, field

from snowcave.api.rendering.render import RenderSettings
from snowcave.api.rest.settings import RestSettings
from snowcave.runtime.grpc import Bounds
from snowcave.runtime.mesh import Mesh


@dataclass(frozen=True)
class HttpSettings:
    """The public HTTP ports."""

    # Bytes of a request body, after decompression.
    max_body: int = 16 << 20
    # For a request's body, and for each piece of a stage file.
    receive: float = 20.0
    # For a client to take the next piece of a stage file.
    send: float = 60.0
    # Bytes of a stage file that is uploaded; the warehouse has a limit of its own.
    largest_file: int = 5 << 30
    # Requests at once; statements that are waited for count as well.
    requests: int = 1024
    # An idle connection, or one on which a request's head does not come to its end, is closed after this.
    keep_alive: float = 75.0


@dataclass(frozen=True)
class LoginSettings:
    # Wrong passwords in a row before a user is locked.
    attempts: int = 5
    # How long a user stays locked.
    lock: float = 60.0
    # Users whose wrong passwords are remembered.
    remembered: int = 4096
    # Logins that may wait for the password hashing.
    waiting: int = 64
    # One login altogether.
    deadline: float = 30.0


@dataclass(frozen=True)
class SessionSettings:
    # Life of a session token; the client renews it with the master token.
    token: float = 3600.0
    # Life of a master token, and of a session that is not renewed.
    master: float = 14400.0
    # Life of a token for the files of one PUT or GET; the client asks for another one.
    transfer: float = 900.0
    # Life of a token with which a container logs in; its agent asks for another one long before.
    service_token: float = 3600.0
    # Life of an access token from /oauth/token.
    endpoint_token: float = 3600.0
    # Life of a browser's session at an endpoint.
    browser_token: float = 14400.0
    # Life of the token with which a service may log in for its caller; ingress renews it at half of it.
    caller_token: float = 600.0
    # How often expired sessions and old query records are removed.
    sweep: float = 60.0
    # Sessions kept for callers over REST and gRPC who come with a token that is no session's.
    shared: int = 1024
    # Tokens remembered by this replica.
    remembered: int = 4096
    # The store's answer is waited for so long; then what it said last is taken.
    lookup: float = 1.0


@dataclass(frozen=True)
class QuerySettings:
    # An answer is held at most so long; the v4 connector gives up after 60 s.
    hold: float = 40.0
    # A statement that runs longer than this gets its record while it runs.
    record_after: float = 1.0
    # The record of a finished statement that changed nothing of its session is waited for so long.
    record_within: float = 1.0
    # How often a running statement's record is looked at for another replica's cancellation.
    look: float = 1.0
    # How often a client over gRPC is told how far the service functions of its statement have come.
    progress: float = 1.0
    # Life of the records of running statements after their replica died.
    lease: float = 20.0
    # Statements that run at once, and those that may wait for their turn.
    running: int = 128
    waiting: int = 512
    # Answers kept for a client that repeats its request.
    recent: int = 64
    # Rows in the first answer, and in each chunk that follows.
    inline_rows: int = 2000
    chunk_rows: int = 20000
    # Rows that api made are kept for RESULT_SCAN up to this number.
    keep_rows: int = 10000
    # Records of finished statements are kept so long, and no more of them than so many.
    retention: float = 86400.0
    records: int = 20_000
    # At stop, running statements get this long to end.
    drain: float = 5.0
    # Used where STATEMENT_TIMEOUT_IN_SECONDS is not set.
    statement_timeout: float = 172800.0


@dataclass(frozen=True)
class JobSettings:
    # Jobs are dropped this long after their end.
    retention: float = 30 * 86400.0
    # How often it is looked for such jobs.
    sweep: float = 300.0


@dataclass(frozen=True)
class StatementSettings:
    # Attempts of a statement whose objects another one changed at the same time.
    attempts: int = 8
    # Seconds before the second attempt; it doubles from there.
    pause: float = 0.02
    # Seconds that an aborted statement may take to call its job off.
    call_off: float = 5.0
    # Services of an account, jobs included.
    most_services: int = 5000
    # Whether ACCOUNTADMIN may own services. On Snowflake it may not; here it is often the only role.
    admin_services: bool = True


@dataclass(frozen=True)
class CallSettings:
    """Deadlines of calls to other daemons."""

    # The warehouse, but for the statements themselves.
    warehouse: float = 10.0
    # A piece of a result.
    fetch: float = 30.0
    registry: float = 15.0
    agent: float = 20.0
    # Until platform events are on the disk of the event table.
    events: float = 30.0
    # A stage file altogether, up or down.
    transfer: float = 3600.0
    # Bytes of log that are read for one answer.
    log_bytes: int = 8 << 20
    # Rows of the event table that are looked through for one answer.
    log_rows: int = 20000


@dataclass(frozen=True)
class RelaySettings:
    """Service functions that programs call without SQL."""

    # Messages of arguments that may be unanswered, and their bytes.
    window: int = 24
    window_bytes: int = 32 << 20
    # Of the arguments in one message: their bytes, as compressed ones are read, and rows of a record batch.
    expanded_bytes: int = 32 << 20
    rows: int = 1 << 20
    # Seconds in which no router takes up a call whose router has gone, until it is given up; how many may be
    # lost with it one after the other before a part is answered; and the pause before each attempt.
    patience: float = 20.0
    losses: int = 5
    pause: float = 0.2


@dataclass(frozen=True)
class ApiSettings:
    mesh: Mesh
    # For probes and scrapes; 0: as the mesh says.
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    http: HttpSettings = field(default_factory=HttpSettings)
    rest: RestSettings = field(default_factory=RestSettings)
    login: LoginSettings = field(default_factory=LoginSettings)
    sessions: SessionSettings = field(default_factory=SessionSettings)
    queries: QuerySettings = field(default_factory=QuerySettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    calls: CallSettings = field(default_factory=CallSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    # Where the functions daemon answers, with commas between its replicas; empty: on this machine.
    functions_address: str = ""
    templates: RenderSettings = field(default_factory=RenderSettings)
    statements: StatementSettings = field(default_factory=StatementSettings)
    grpc: Bounds = field(default_factory=Bounds)
