"""One statement as a client sent it, and one that runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from snowcave.api.contract import QueryHandle, SessionContext
from snowcave.api.queries.answer import Outcome
from snowcave.api.sql import tree
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse_v1


@dataclass(frozen=True)
class Seen:
    """The session as the store had it when the statement began."""

    session: state.Session
    mod_revision: int


@dataclass(frozen=True)
class Statement:
    query_id: str
    sql: str
    context: SessionContext
    # Seconds.
    timeout: float
    request_id: str = ""
    bindings: tuple[warehouse_v1.Binding, ...] = ()
    describe_only: bool = False
    # Came as a value; `sql` is how it is recorded.
    parsed: tree.Statement | None = None
    # Leaves the session's role, database and the like as they were.
    apart: bool = False
    # Spares looking the session up once more where the statement ends.
    seen: Seen | None = None
    # Of a tentative one, whose `seen` is what this replica remembers: the same with its session looked up, or
    # what has become of the same request elsewhere.
    confirm: Callable[[], Awaitable["Statement | Outcome"]] | None = None

    @property
    def is_tentative(self) -> bool:
        return self.confirm is not None

    def handle(self) -> QueryHandle:
        return QueryHandle(self.query_id, self.timeout, self.bindings, self.describe_only)


@dataclass(eq=False)
class Running:
    statement: Statement
    record: state.Query
    handle: QueryHandle
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    outcome: Outcome | None = None
    # Which of a chain's statements runs now, by its id; empty where there is no chain.
    step: str = ""
    # Why it is being ended, once somebody wants that.
    reason: SnowcaveError | None = None
    task: asyncio.Task[None] | None = None
    # A task that is cancelled before its first step never runs at all, so until then only `reason` is set.
    started: bool = False
    # Set when the end is being written: from then on nothing may interrupt it.
    ending: bool = False
    # Why it should have been ended, where that came when its end was being written.
    late: SnowcaveError | None = None

    @property
    def id(self) -> str:
        return self.statement.query_id

    def interrupt(self, reason: SnowcaveError) -> None:
        if self.ending:
            self.late = self.late or reason
            return
        if self.reason:
            return
        self.reason = reason
        self.handle.cancelled.set()
        if self.started and self.task is not None:
            self.task.cancel()
