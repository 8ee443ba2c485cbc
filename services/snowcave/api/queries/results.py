"""Results of finished statements, from whichever replica ran them."""

import asyncio
import hmac
from contextlib import suppress
from dataclasses import dataclass

from snowcave.api.contract import MayCancel, SessionContext
from snowcave.api.queries.answer import Answer, Failure, InProgress, Outcome
from snowcave.api.queries.life import Queries
from snowcave.api.queries.records import Records, State
from snowcave.api.queries.statement import Running
from snowcave.api.settings import QuerySettings
from snowcave.api.warehouse import Fetched, Warehouse
from snowcave.kit.clock import Clock
from snowcave.model.errors import Kind, RemoteError, SnowcaveError, StatementNotFound
from snowcave.v1 import state_pb2 as state

# How often the record of a statement that another replica runs is looked at.
_LOOK = 0.25


@dataclass(frozen=True)
class Progress:
    """As the monitoring endpoint shows it."""

    record: state.Query
    state: state.Query.State


class StatementResults:
    """What statements themselves may do with others, see `contract.Results`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def cancel(self, query_id: str, may: MayCancel) -> bool:
        record = await self._records.get(query_id)
        return record is not None and await self._cancel(record, may)

    async def cancel_session(self, session: int, but: str, may: MayCancel) -> int:
        running = await self._records.running(session)
        return sum([await self._cancel(one, may) for one in running if one.id != but])

    async def history(self) -> list[state.Query]:
        return await self._records.all()

    async def _cancel(self, record: state.Query, may: MayCancel) -> bool:
        if not may(record.user, await self._records.warehouse_of(record)):
            return False
        return await self._records.request_cancel(record.id)


class StoredResults:
    """By query id, for the user who ran the statement."""

    def __init__(
        self,
        queries: Queries,
        records: Records,
        warehouse: Warehouse,
        settings: QuerySettings,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._records = records
        self._warehouse = warehouse
        self._settings = settings
        self._clock = clock

    async def outcome(self, query_id: str, context: SessionContext) -> Outcome:
        """Waits for a running statement, but no longer than a client may be kept waiting.

        Raises StatementNotFound for what is not the user's.
        """
        running = self._mine(query_id, context)
        if running is not None:
            return await self._queries.wait(running)
        return await self._of_record(query_id, context)

    async def elsewhere(self, query_id: str, context: SessionContext) -> Outcome | None:
        """What another replica, or this one before it was started again, has made of a statement.

        None where nothing will come of that any more: its replica died, and its record with it.
        """
        record = await self._records.get(query_id)
        if record is None or self._records.runs(record):
            return None
        try:
            return await self._of_record(query_id, context)
        except StatementNotFound:
            return None

    async def _of_record(self, query_id: str, context: SessionContext) -> Outcome:
        record = await self._recorded(query_id, context)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.hold):
                while record.state == State.RUNNING:
                    await self._clock.sleep(_LOOK)
                    record = await self._recorded(query_id, context)
        if record.state == State.RUNNING:
            return InProgress(query_id)
        if record.error_code:
            return Failure(query_id, _error(record))
        return await self._stored(record, context)

    async def progress(self, query_id: str, context: SessionContext) -> Progress | None:
        """None where there is no such statement of this user."""
        running = self._mine(query_id, context)
        if running is not None:
            return Progress(running.record, running.record.state)
        record = await self._records.get(query_id)
        if record is None or record.user != context.user_uid:
            return None
        return Progress(record, record.state)

    async def chunk(self, query_id: str, secret: str, offset: int, limit: int) -> Fetched:
        """Rows of a large result, for whoever knows its secret."""
        record = await self._records.get(query_id)
        known = record.chunk_secret if record else ""
        if not known or not hmac.compare_digest(known.encode(), secret.encode()):
            raise StatementNotFound(query_id)
        return await self._warehouse.fetch(query_id, offset, limit)

    def _mine(self, query_id: str, context: SessionContext) -> Running | None:
        running = self._queries.get(query_id)
        if running is None or running.record.user != context.user_uid:
            return None
        return running

    async def _recorded(self, query_id: str, context: SessionContext) -> state.Query:
        record = await self._records.get(query_id)
        if record is None or record.user != context.user_uid:
            raise StatementNotFound(query_id)
        return record

    async def _stored(self, record: state.Query, context: SessionContext) -> Answer:
        fetched = await self._warehouse.fetch(record.id, 0, self._settings.inline_rows)
        return Answer(
            query_id=record.id,
            context=context,
            columns=fetched.columns,
            table=fetched.table,
            total=record.rows,
            statement_type=record.statement_type,
            chunk_secret=record.chunk_secret,
        )


def _error(record: state.Query) -> SnowcaveError:
    # Records of before kinds were written down have none.
    kind = Kind.__members__.get(record.error_kind, Kind.INTERNAL)
    return RemoteError(kind, record.error_code, record.sqlstate, record.error_message)
