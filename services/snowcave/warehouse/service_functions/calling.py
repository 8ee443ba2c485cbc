"""The calls of one select list while they are under way: rows go out, answers come back beside them."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pyarrow as pa

from snowcave.model.errors import QueryCancelled
from snowcave.warehouse.engine.api import Reader, Relation
from snowcave.warehouse.results.keeping import Beside, Keeper
from snowcave.warehouse.service_functions.invoke import Invocation
from snowcave.warehouse.service_functions.taking import Taken


class Calling:
    """Enter, send all rows, wait; leaving ends what is under way.

    Whoever reads the relation before all answers have come waits for the others, on a thread.
    """

    def __init__(
        self, taken: Taken, reader: Reader, keeper: Keeper, invocations: Sequence[Invocation]
    ) -> None:
        self._taken = taken
        self._invocations = invocations
        self._variants = frozenset(reader.variants)
        self.carried = [name for name in reader.names if name not in taken.arguments]
        self._kept = keeper.keep(pa.schema([reader.schema.field(n) for n in self.carried]))
        self._stack = AsyncExitStack()
        self._finishing: asyncio.Task[None] | None = None
        # What a call raised. Whoever reads the relation is told of it in words only.
        self.error: Exception | None = None

    async def __aenter__(self) -> "Calling":
        async with AsyncExitStack() as stack:
            for invocation in self._invocations:
                await stack.enter_async_context(invocation)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()
        try:
            if self._finishing is not None:
                self._finishing.cancel()
                await asyncio.wait([self._finishing])
        finally:
            await self._stack.aclose()

    async def send(self, batch: pa.RecordBatch) -> None:
        """Raises what a call raised so far."""
        pairs = zip(self._invocations, self._taken.calls, strict=True)
        for invocation, (function, names) in pairs:
            wanted = names if function.argument_types else []
            arguments = [batch.column(name) for name in wanted]
            await invocation.send(arguments, batch.num_rows)
        if self.carried:
            await self._kept.add(batch.select(self.carried))

    def sent(self) -> None:
        """No more rows will be sent."""
        self._kept.end()
        self._finishing = asyncio.ensure_future(self._finish())

    async def nearly_finished(self, seconds: float) -> None:
        """Until the missing answers are expected within so many seconds. Raises what a call raised."""
        assert self._finishing is not None
        nearly = asyncio.gather(*(one.nearly_finished(seconds) for one in self._invocations))
        try:
            await asyncio.wait({nearly, self._finishing}, return_when=asyncio.FIRST_COMPLETED)
            if self.error is not None:
                raise self.error
            await nearly
        finally:
            nearly.cancel()
            await asyncio.wait([nearly])

    async def finished(self) -> None:
        """Until all answers are there. Raises what a call raised."""
        assert self._finishing is not None
        await asyncio.shield(self._finishing)
        if self.error is not None:
            raise self.error

    def relation(self, name: str) -> Relation:
        """The carried columns and, by position, the answers beside them."""
        sides = [self._kept.rows, *(invocation.answers for invocation in self._invocations)]
        names = [*self.carried, *(f"_SC_R{number}" for number in range(len(self._invocations)))]
        return Relation(name, Beside(sides, names), self._variants & frozenset(self.carried))

    def cancel(self, error: Exception | None = None) -> None:
        """Whoever waits for answers does so no more."""
        for invocation in self._invocations:
            invocation.give_up(error or QueryCancelled())

    async def _finish(self) -> None:
        """The first failure is told at once, and ends the other calls."""
        finishing = [asyncio.ensure_future(one.finish()) for one in self._invocations]
        try:
            await asyncio.gather(*finishing)
        except Exception as error:
            self.error = error
            self.cancel(error)
        finally:
            for one in finishing:
                one.cancel()
            await asyncio.wait(finishing)
