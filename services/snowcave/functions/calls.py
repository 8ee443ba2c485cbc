"""One call of a function: argument rows in, answers out, in order, with a bounded number under way."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from snowcave.functions import heads, metrics, wire
from snowcave.functions.answers import Answers
from snowcave.functions.batches import Batch, BatchRunner, Progress
from snowcave.functions.heads import Head
from snowcave.functions.lanes import Lanes, Turn
from snowcave.functions.settings import BatchSettings
from snowcave.functions.targets import Rules, Targets
from snowcave.functions.under_way import UnderWay
from snowcave.functions.uses import Uses


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls what."""

    function: int
    query_id: str
    # Which call of the query.
    number: int
    context: Mapping[str, str]
    # Its first batch's number, where another replica has answered some.
    first_batch: int = 0
    # The store's, of the function's last change that the caller knows of.
    revision: int = 0
    # With database and schema, where the caller tells them.
    full_name: str = ""


class Caller:
    """Runs calls; shared by all of them."""

    def __init__(
        self,
        runner: BatchRunner,
        targets: Targets,
        lanes: Lanes,
        settings: BatchSettings,
        uses: Uses,
    ) -> None:
        self._runner = runner
        self._lanes = lanes
        self._targets = targets
        self._settings = settings
        self._uses = uses

    async def run(
        self, call: Call, arguments: AsyncIterator[pa.RecordBatch], progress: Progress
    ) -> AsyncGenerator[pa.Array]:
        """Answers in the order of the arguments, as they become complete.

        Raises SnowcaveError as soon as any batch has failed; what is under way is ended then, as it is when
        the generator is closed.
        """
        await self._catch_up(call)
        rules = self._targets.rules(call.function, call.full_name)

        async def work(batch: Batch, turn: Turn) -> Answers:
            return await self._runner.run(turn, rules, batch, progress)

        closely = partial(self._runner.read_closely, rules)
        with self._uses.of(rules.aim.service), metrics.CALLS.track_inprogress():
            self._targets.require_ready(rules.aim)
            # Turns are shared out among queries, however many calls each of them makes.
            take = partial(self._lanes.take, rules.aim, call.query_id)
            under_way = UnderWay(work, take, self._lanes, self._settings)
            feeding = asyncio.ensure_future(self._feed(call, rules, arguments, under_way))
            try:
                async for group in under_way.answered():
                    progress.taken += len(group.answers)
                    yield group.answer(closely)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
                await under_way.end()

    async def _catch_up(self, call: Call) -> None:
        """Until what the caller knows of the function is known here, too: it may just have been altered.

        Without the store, what was known last has to do.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.catching_up):
                await self._targets.known(call.revision)

    async def _feed(
        self,
        call: Call,
        rules: Rules,
        arguments: AsyncIterator[pa.RecordBatch],
        under_way: UnderWay,
    ) -> None:
        head, number = _head(call, rules), call.first_batch
        ids = heads.legal(f"{call.query_id}:{call.number}")
        try:
            async for rows in arguments:
                asked, mask = wire.without_nulls(rows) if rules.strict else (rows, None)
                group = under_way.begin(mask)
                for size, body in wire.split(asked, rules.max_rows, self._settings.bytes):
                    await under_way.room(group)
                    under_way.add(
                        group, Batch(f"{ids}:{number}:0:{_digest(rules, body)}", size, body, head)
                    )
                    number += 1
                under_way.finish_group(group)
        except Exception as error:  # raised by `answered`, where somebody waits
            under_way.finish(error)
        else:
            under_way.finish(None)


def _digest(rules: Rules, body: bytes) -> int:
    """Another number for other rows or another path: an id may be sent again by another router, which cuts
    batches anew where the function was altered, and the service may remember what it answered to an id.
    """
    return zlib.crc32(body, zlib.crc32(rules.path.encode()))


def _head(call: Call, rules: Rules) -> Head:
    return Head(
        rules.path,
        heads.headers(
            query_id=call.query_id,
            name=rules.name,
            signature=rules.signature,
            returns=rules.returns,
            context=call.context,
            context_headers=rules.context_headers,
        ),
    )
