"""The seam inside api: what the front door hands to the statements, and what comes back.

The front door (sessions, protocol, query life) knows no statement; the statements know no protocol.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from snowcave.api.sql import tree
from snowcave.v1 import stages_pb2, state_pb2, warehouse_pb2

Cell = str | int | float | bool | datetime | None

# Snowflake's statementTypeId of anything that is neither a query nor DML.
OTHER_STATEMENT = 24576
SELECT_STATEMENT = 4096


@dataclass(frozen=True)
class Column:
    """`type` in lower case: text, fixed, boolean, timestamp_ltz, timestamp_ntz, real, variant, …"""

    name: str
    type: str = "text"
    nullable: bool = True
    scale: int = 0
    precision: int = 38
    length: int = 16777216


@dataclass(frozen=True)
class Rows:
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]] = ()
    # To be shown once and kept nowhere.
    secret: bool = False


def status(text: str) -> Rows:
    """One column `status` with one row: how DDL answers."""
    return Rows((Column("status"),), [(text,)])


@dataclass
class SessionContext:
    """What a statement sees of its session. Statements change a copy and give it back."""

    session_id: int
    user_uid: int
    user_name: str
    # Name and uid of the primary role; empty and 0 where none is in use.
    role: str = ""
    role_uid: int = 0
    # "ALL", "NONE" or empty (the user's default).
    secondary_roles: str = ""
    # Empty where none is in use.
    database: str = ""
    schema: str = ""
    warehouse: str = ""
    # Names in upper case; values as texts ("true", "630").
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    account: str = ""
    organization: str = ""
    last_query_id: str = ""
    client_app: str = ""
    client_version: str = ""
    # uid of the only role that counts, where an access token says so; 0: any.
    role_restriction: int = 0
    # uid of the service whose container acts for the user, within its owner's caller grants; 0: none.
    called_service: int = 0

    def copy(self) -> "SessionContext":
        return replace(self, parameters=dict(self.parameters))


@dataclass
class QueryHandle:
    """One running statement. `cancelled` is set before its task is cancelled."""

    query_id: str
    # Seconds; 0: no limit.
    timeout: float = 0.0
    bindings: tuple[warehouse_pb2.Binding, ...] = ()
    describe_only: bool = False
    # Entered while the statement does nothing but wait: its place among those that run is free meanwhile.
    aside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Transfer:
    """What a client needs to bring files to a stage, or to fetch them. The files pass by HTTP."""

    upload: bool
    # uid
    stage: int
    # Opens the stage's files that begin with `prefix`, for a while.
    token: str = field(repr=False)
    # Where uploads go; empty or with a slash at its end.
    prefix: str
    # The client's own path, as it wrote it.
    local: str
    # Paths on the stage, of a download.
    files: tuple[str, ...] = ()
    # Each file by an address of its own, else by a token beside the address.
    presigned: bool = False
    parallel: int = 4
    auto_compress: bool = True
    overwrite: bool = False
    source_compression: str = "AUTO_DETECT"


@dataclass(frozen=True)
class Done:
    """Api answered the statement itself; `context` is the session's after it."""

    rows: Rows
    context: SessionContext
    statement_type: int = OTHER_STATEMENT
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Rights:
    """What a statement's roles may touch in the warehouse."""

    # (database, schema) that they may use, with the privileges on it that count there.
    schemas: Mapping[tuple[str, str], frozenset[str]]
    # Closed over the hierarchy.
    roles: frozenset[int]
    # On the warehouse's own objects, by uid.
    held: Mapping[int, frozenset[str]]


async def _nothing_made(made: Sequence[warehouse_pb2.WarehouseObject]) -> None:
    """Nobody has to hear of it."""


@dataclass(frozen=True)
class ToWarehouse:
    """Ordinary SQL, to be run by the warehouse."""

    sql: str
    context: SessionContext
    functions: tuple[warehouse_pb2.FunctionBinding, ...] = ()
    stages: tuple[warehouse_pb2.StageBinding, ...] = ()
    # None: everything.
    rights: Rights | None = None
    # The client's values, without those that have been used up.
    bindings: tuple[warehouse_pb2.Binding, ...] = ()
    # Told of the tables and the like that the statement made, before its client is.
    made: Callable[[Sequence[warehouse_pb2.WarehouseObject]], Awaitable[None]] = _nothing_made
    # Event tables of the account's own that it may name.
    event_tables: tuple[warehouse_pb2.EventTableBinding, ...] = ()


Outcome = Done | ToWarehouse


class StatementRunner(Protocol):
    async def run(self, sql: str, context: SessionContext, query: QueryHandle) -> Outcome:
        """Raises SnowcaveError."""
        ...

    async def perform(
        self, statement: tree.Statement, context: SessionContext, query: QueryHandle
    ) -> Done:
        """A statement that came as a value, not as a text. Raises SnowcaveError."""
        ...


@dataclass(frozen=True)
class ResolvedImage:
    digest: str
    media_type: str = ""
    # os/architecture
    platforms: tuple[str, ...] = ()
    size_bytes: int = 0


class Resolver(Protocol):
    """The registry: a tag to a digest. Raises SnowcaveError where there is no such image."""

    async def resolve(
        self, repository_path: str, image_name: str, reference: str
    ) -> ResolvedImage: ...


class Ddl(Protocol):
    """Databases and schemas as the warehouse must know them; each call may be repeated.

    The warehouse knows a room by the object's uid: made under another name than before it moves, made again
    after it was dropped it comes back, and dropped it is set aside until it is forgotten.
    """

    async def create_database(self, database: str, *, replace: bool = False, uid: int = 0) -> None:
        """`replace`: what stands there without a uid goes."""
        ...

    async def drop_database(self, database: str, *, uid: int = 0) -> None: ...

    async def create_schema(
        self, database: str, schema: str, *, replace: bool = False, uid: int = 0
    ) -> None: ...

    async def drop_schema(self, database: str, schema: str, *, uid: int = 0) -> None: ...

    async def forget_room(self, uid: int) -> None:
        """What was set aside will not come back."""
        ...

    async def objects(
        self, request: warehouse_pb2.ListObjectsRequest
    ) -> list[warehouse_pb2.WarehouseObject]:
        """Tables, views, sequences and functions, which have owners and privileges, too."""
        ...

    async def change_owner(self, uids: Sequence[int], owner: int, name: str) -> None: ...

    async def inherit(self, role: int, owner: int, name: str) -> None:
        """What `role` owned belongs to `owner` from now on."""
        ...


class StageFiles(Protocol):
    """The files of internal stages, which the warehouse has. A stage is given by its uid."""

    async def files(
        self, stage: int, prefix: str = "", pattern: str = ""
    ) -> list[stages_pb2.StageFile]: ...

    async def remove(self, stage: int, paths: Sequence[str]) -> list[str]:
        """Those that were there."""
        ...

    async def read(self, stage: int, path: str, *, most: int) -> bytes:
        """Raises ObjectNotFound, Exhausted."""
        ...


class Tickets(Protocol):
    """Tokens of a session that open a few files of a stage for a while, and nothing else."""

    async def ticket(self, session: int, transfer: state_pb2.Transfer) -> str: ...


class Renderer(Protocol):
    """Specifications from templates. Raises TemplateFailed."""

    async def render(self, template: str, values: Mapping[str, tuple[str, bool]]) -> str: ...


@dataclass(frozen=True)
class LogRequest:
    service: int
    instance_id: int
    container: str
    # 0: all.
    tail_lines: int = 0
    previous: bool = False
    # RFC 3339, or empty.
    since: str = ""
    timestamps: bool = False
    # The instance has run to its end, so that nothing yet is an answer: its lines are on their way.
    ended: bool = False


class LogReader(Protocol):
    """A container's own words, from its node's agent. Raises SnowcaveError."""

    async def read(self, request: LogRequest) -> str: ...


class Variables(Protocol):
    """The session's variables (SET), which the warehouse keeps."""

    async def read(self, context: SessionContext) -> Mapping[str, str | int | float | bool | None]:
        """Values by upper-case name."""
        ...


MayCancel = Callable[[int, str], bool]
"""Whether the caller may end what the user (uid) runs in the warehouse (name, or empty)."""


class Results(Protocol):
    """Statements of other sessions."""

    async def cancel(self, query_id: str, may: MayCancel) -> bool:
        """SYSTEM$CANCEL_QUERY: whether it was running, and is the caller's to end."""
        ...

    async def cancel_session(self, session: int, but: str, may: MayCancel) -> int:
        """SYSTEM$CANCEL_ALL_QUERIES: of the session's statements all `but` one; how many were running."""
        ...

    async def history(self) -> Sequence[state_pb2.Query]:
        """What is kept of statements, in no order."""
        ...
