"""One request as an operation sees it: what was asked for, and statements to answer it with.

Reads run at once and leave no trace; what changes something runs as any statement does: under a query id,
with a record, bounded by the session's timeout, and to be asked for again where it takes long.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from snowcave.api.contract import QueryHandle, Rows, SessionContext, StatementRunner, Transfer
from snowcave.api.queries import rows as row_values
from snowcave.api.queries.answer import Answer, Failure, InProgress, Outcome
from snowcave.api.queries.life import Queries
from snowcave.api.queries.records import query_id
from snowcave.api.queries.statement import Seen, Statement
from snowcave.api.rest.models import Json, Row
from snowcave.api.rest.names import identifier
from snowcave.api.rest.settings import RestSettings
from snowcave.api.sql import tree
from snowcave.api.sql.printing import text_of
from snowcave.kit import ids
from snowcave.model.errors import DeadlinePassed
from snowcave.model.names import ObjectName


class StillRunning(Exception):
    """Not an error: the answer is to be asked for by the statement's id."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.query = query


@dataclass(frozen=True)
class Listing:
    """Rows for an answer that may be too long for one page, and the statement that gives them again."""

    statement: tree.Statement
    rows: Rows


@dataclass(frozen=True)
class Kept:
    """The same, where they can be read again already."""

    answer: Answer


@dataclass(frozen=True)
class Call:
    context: SessionContext
    seen: Seen | None
    names: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    runner: StatementRunner
    queries: Queries
    settings: RestSettings
    request_id: str
    # Where the client reaches us: scheme, host and port.
    base: str
    # Statements that this call has run.
    _count: list[None] = field(default_factory=list[None])

    # ------------------------------------------------------------ what was asked for

    def name(self, part: str = "name") -> str:
        """A part of the path as a folded name. Raises RequestInvalid."""
        return identifier(self.names[part])

    def schema(self) -> ObjectName:
        """As statements name a schema."""
        return ObjectName(self.name("schema"), database=self.name("database"))

    def within(self, name: str) -> ObjectName:
        """An object of the path's schema, or of the account."""
        if "schema" in self.names:
            return ObjectName(name, self.name("schema"), self.name("database"))
        if "database" in self.names:
            return ObjectName(name, database=self.name("database"))
        return ObjectName(name)

    def target(self) -> ObjectName:
        return self.within(self.name())

    # ------------------------------------------------------------ statements

    async def rows(self, statement: tree.Statement) -> Rows:
        """Of a statement that only looks. Raises SnowcaveError."""
        handle = QueryHandle(ids.query_id(ids.system_random()), self.settings.read)
        async with asyncio.timeout(self.settings.read):
            done = await self.runner.perform(statement, self.context.copy(), handle)
        return done.rows

    async def transfer(self, statement: tree.Statement) -> Transfer:
        """What PUT or GET lets a client do. Raises SnowcaveError."""
        handle = QueryHandle(ids.query_id(ids.system_random()), self.settings.read)
        done = await self.runner.perform(statement, self.context.copy(), handle)
        assert done.transfer is not None
        return done.transfer

    async def look(self, statement: tree.Statement) -> list[Row]:
        return named(await self.rows(statement))

    async def change(
        self, statement: tree.Statement, *, apart: bool = True, first: bool = False
    ) -> Json:
        """`apart`: the session's role, database and the like stay as they are. `first`: others follow,
        so this one is waited for.

        Raises SnowcaveError, StillRunning.
        """
        text = text_of(statement)
        return said(await self._outcome(text, statement, apart=apart, patient=first))

    async def ordinary(self, sql: str, *, first: bool = False) -> Json:
        """SQL for the warehouse. Its one row is the answer. Raises SnowcaveError, StillRunning."""
        return said(await self._outcome(sql, None, patient=first))

    async def answered(self, sql: str) -> Answer:
        """Rows of the warehouse: those that fit a first answer, the others by its query id."""
        return self._answer(await self._outcome(sql, None, patient=True))

    async def listing(self, statement: tree.Statement) -> Listing:
        return Listing(statement, await self.rows(statement))

    async def kept(self, statement: tree.Statement) -> Answer:
        """Its rows, which can be read again under the answer's query id."""
        return self._answer(await self._outcome(text_of(statement), statement, patient=True))

    def _answer(self, outcome: Outcome) -> Answer:
        match outcome:
            case Answer() as answer:
                return answer
            case Failure(error=error):
                raise error
            case InProgress():
                raise DeadlinePassed("The rows were not there in time.")

    async def _outcome(
        self,
        sql: str,
        parsed: tree.Statement | None,
        *,
        apart: bool = True,
        patient: bool = False,
    ) -> Outcome:
        request_id = f"{self.request_id}/{len(self._count)}"
        seen = None if self._count else self.seen
        self._count.append(None)
        statement = Statement(
            query_id=query_id(self.context.session_id, request_id),
            sql=sql,
            context=self.context if parsed is not None else self._here(),
            timeout=self.settings.statement,
            request_id=request_id,
            parsed=parsed,
            apart=apart,
            seen=seen,
        )
        running = await self.queries.submit(statement)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.read if patient else self.settings.hold):
                await running.finished.wait()
        return running.outcome or InProgress(running.id)

    def _here(self) -> SessionContext:
        """Names that are not qualified are of the path's schema: SQL that the client gave may have some."""
        if "schema" not in self.names:
            return self.context
        place = {"database": self.name("database"), "schema": self.name("schema")}
        return replace(self.context, **place)


def named(found: Rows) -> list[Row]:
    columns = [column.name for column in found.columns]
    return [dict(zip(columns, row, strict=True)) for row in found.rows]


def rows_in(answer: Answer) -> list[Row]:
    """Those that came with it."""
    return named(row_values.rows_of(answer.table, answer.columns))


def said(outcome: Outcome) -> Json:
    """What a statement says when it has ended: its status, or its one row. Raises what it failed with."""
    match outcome:
        case Failure(error=error):
            raise error
        case InProgress(query):
            raise StillRunning(query)
        case Answer():
            found = named(row_values.rows_of(outcome.table, outcome.columns))
            return dict(found[0]) if found else {"status": "Statement executed successfully."}
