"""One call of a function: argument rows in, answers out, in order, with a bounded number under way."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from snowcave.functions import wire
from snowcave.functions.batches import Batch, BatchRunner, Progress
from snowcave.functions.settings import BatchSettings
from snowcave.functions.targets import Rules, Targets
from snowcave.functions.uses import Uses


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls what."""

    function: int
    query_id: str
    # Which call of the query.
    number: int
    context: Mapping[str, str]


class Turns:
    """At most so many batches of one service under way at once, over all calls."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._turns: dict[int, asyncio.Semaphore] = {}
        self._users: defaultdict[int, int] = defaultdict(int)

    @asynccontextmanager
    async def of(self, service: int) -> AsyncGenerator[None]:
        self._users[service] += 1
        turns = self._turns.setdefault(service, asyncio.Semaphore(self._limit))
        try:
            async with turns:
                yield
        finally:
            self._users[service] -= 1
            if not self._users[service]:
                del self._users[service], self._turns[service]


class Caller:
    """Runs calls; shared by all of them."""

    def __init__(
        self,
        runner: BatchRunner,
        targets: Targets,
        settings: BatchSettings,
        turns: Turns,
        uses: Uses,
    ) -> None:
        self._runner = runner
        self._targets = targets
        self._settings = settings
        self._turns = turns
        self._uses = uses

    async def run(
        self, call: Call, arguments: AsyncIterator[pa.RecordBatch], progress: Progress
    ) -> AsyncGenerator[pa.Array]:
        """Answers in the order of the arguments, as they become complete.

        Raises SnowcaveError as soon as any batch has failed; what is under way is ended then, as it is when
        the generator is closed.
        """
        rules = self._targets.rules(call.function)
        with self._uses.of(rules.service):
            self._targets.require_ready(call.function)
            under_way = _UnderWay(self._settings.in_flight)
            feed = self._feed(call, rules, arguments, progress, under_way)
            feeding = asyncio.ensure_future(feed)
            try:
                while (answers := await under_way.next(feeding)) is not None:
                    yield answers
            finally:
                await under_way.end(feeding)

    async def _feed(
        self,
        call: Call,
        rules: Rules,
        arguments: AsyncIterator[pa.RecordBatch],
        progress: Progress,
        under_way: "_UnderWay",
    ) -> None:
        number = 0
        async for rows in arguments:
            asked, mask = wire.without_nulls(rows) if rules.strict else (rows, None)
            bodies = wire.split(asked, rules.max_rows, self._settings.bytes)
            batches = list(self._numbered(call, rules, bodies, number))
            number += len(batches)
            await under_way.begin_group(len(batches), mask)
            for batch in batches:
                await under_way.start(self._one(call, rules, batch, progress))
        await under_way.finish()

    async def _one(self, call: Call, rules: Rules, batch: Batch, progress: Progress) -> pa.Array:
        async with self._turns.of(rules.service):
            return await self._runner.run(call.function, rules, batch, progress)

    def _numbered(
        self, call: Call, rules: Rules, bodies: Iterator[tuple[int, bytes]], first: int
    ) -> Iterator[Batch]:
        for number, (rows, body) in enumerate(bodies, first):
            batch_id = f"{call.query_id}:{call.number}:{number}:0:0"
            yield Batch(batch_id, rows, body, _headers(call, rules, batch_id))


def _headers(call: Call, rules: Rules, batch_id: str) -> dict[str, str]:
    return wire.headers(
        query_id=call.query_id,
        batch_id=batch_id,
        name=rules.name,
        signature=rules.signature,
        returns=rules.returns,
        context=call.context,
        context_headers=rules.context_headers,
    )


class _UnderWay:
    """Batches in the order of their rows; at most `limit` unfinished or not taken yet."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        # Groups count too: one of a strict function may hold no batch at all.
        self._order: asyncio.Queue[Any] = asyncio.Queue(2 * limit)
        self._tasks: set[asyncio.Task[pa.Array]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin_group(self, batches: int, mask: pa.Array | None) -> None:
        """The next `batches` answers belong to rows of which `mask` tells those that were asked for."""
        await self._order.put((batches, mask))

    async def start(self, work: Any) -> None:
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            work.close()
            raise
        task: asyncio.Task[pa.Array] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        await self._order.put(task)

    async def finish(self) -> None:
        await self._order.put(None)

    async def next(self, feeding: asyncio.Future[None]) -> pa.Array | None:
        """The next group's answers; None at the end. Raises what any batch or the feeding raised."""
        group = await self._first(self._order.get(), feeding)
        if group is None:
            return None
        batches, mask = group
        parts: list[pa.Array] = []
        for _ in range(batches):
            task = await self._first(self._order.get(), feeding)
            parts.append(await self._first(task, feeding))
            self._free.release()
        answers = pa.concat_arrays(parts) if parts else wire.nulls(0)
        return answers if mask is None else wire.scatter(answers, mask)

    async def end(self, feeding: asyncio.Future[None]) -> None:
        feeding.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(feeding, *self._tasks, return_exceptions=True)
        if self._failed.done():
            self._failed.exception()

    async def _first(self, wanted: Any, feeding: asyncio.Future[None]) -> Any:
        """What `wanted` gives, unless a batch or the feeding fails before."""
        task = asyncio.ensure_future(wanted)
        alarms = {self._failed} if feeding.done() else {self._failed, feeding}
        try:
            while not task.done():
                await asyncio.wait({task, *alarms}, return_when=asyncio.FIRST_COMPLETED)
                if self._failed.done():
                    self._failed.result()
                if feeding.done():
                    feeding.result()
                    alarms.discard(feeding)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    def _ended(self, task: asyncio.Task[pa.Array]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._failed.done():  # the first one counts
            self._failed.set_exception(error)
