"""A statement that takes long: other replicas hear of it, and can have it cancelled."""

import asyncio

import structlog

from snowcave.api.queries.records import Records
from snowcave.api.queries.statement import Running
from snowcave.api.settings import QuerySettings
from snowcave.model.errors import QueryCancelled, SnowcaveError

log = structlog.get_logger()


class Attending:
    """Left when the statement has ended. A short one costs no more than a timer."""

    def __init__(
        self, running: Running, records: Records, settings: QuerySettings, tasks: asyncio.TaskGroup
    ) -> None:
        self._running = running
        self._records = records
        self._settings = settings
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        after = self._settings.record_after
        self._timer = asyncio.get_running_loop().call_later(after, self._begin)

    def __exit__(self, *_failure: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = self._tasks.create_task(self._attend())

    async def _attend(self) -> None:
        """Its record, and a look at whether another replica wants it ended."""
        running = self._running
        try:
            await self._records.started(running.record)
            while True:
                await asyncio.sleep(self._settings.look)
                record = await self._records.get(running.id)
                if record is not None and record.cancel_requested:
                    running.interrupt(QueryCancelled())
                    return
        except SnowcaveError as error:
            log.warning("query_not_attended", query_id=running.id, error=error.message)
