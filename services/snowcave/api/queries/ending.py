"""The end of a statement: what its record says, and what it changed of its session."""

import asyncio

import structlog

from snowcave.api.contract import SessionContext
from snowcave.api.queries.answer import Answer, Failure
from snowcave.api.queries.records import Ending, Records, State
from snowcave.api.queries.statement import Running
from snowcave.api.queries.tentative import Outdated
from snowcave.model.errors import QueryCancelled, SnowcaveError

log = structlog.get_logger()

_CHANGEABLE = ("role", "warehouse", "database", "schema", "secondary_roles", "parameters")


async def write_end(
    records: Records, running: Running, found: Answer | Failure, *, within: float
) -> Answer | Failure:
    """What the client is to be told, once the end is written down.

    Only what changed the session has not happened before the store knows; another end is waited for no
    longer than `within`. Raises Outdated where a tentative one must run again.
    """
    statement = running.statement
    before = statement.context
    after = found.context if isinstance(found, Answer) else before
    changed = _changed(before, after)
    ending = _ending(found, running.reason)
    try:
        async with asyncio.timeout(None if changed else within):
            await records.ended(
                running.record,
                ending,
                before,
                after,
                statement.seen,
                tentative=statement.is_tentative,
            )
    except (SnowcaveError, TimeoutError) as error:
        records.remembered.forget(before.session_id)
        if statement.is_tentative:
            raise Outdated from error
        log.warning("query_end_not_recorded", error=str(error))
        if changed and isinstance(error, SnowcaveError):
            return Failure(running.id, error)
    return found


def _ending(found: Answer | Failure, reason: SnowcaveError | None) -> Ending:
    if isinstance(found, Failure):
        aborted = isinstance(reason, QueryCancelled)
        return Ending(State.ABORTED if aborted else State.FAILED_WITH_ERROR, found.error)
    return Ending(
        State.SUCCESS,
        rows=found.total,
        statement_type=found.statement_type,
        has_result=True,
        chunk_secret=found.chunk_secret,
    )


def _changed(before: SessionContext, after: SessionContext) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in _CHANGEABLE)
