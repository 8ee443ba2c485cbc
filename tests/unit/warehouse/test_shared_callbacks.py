"""What several of DuckDB's threads ask at once is asked for once, and all get the same answer."""

import asyncio
import itertools
from typing import Any, cast

import pyarrow as pa

from snowcave.v1 import functions_pb2
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.service_functions.callbacks import Callbacks
from snowcave.warehouse.service_functions.tally import Tally

ECHO = pb.FunctionBinding(function=1, name="F", argument_types=["VARCHAR"], returns="VARCHAR")


class Numbering:
    """A router that answers with the call's number, when it may."""

    def __init__(self) -> None:
        self.progress = functions_pb2.InvokeProgress()
        self.asked: asyncio.Queue[list[str]] = asyncio.Queue()
        self.may_answer = asyncio.Event()

    def open(self, _function: object, _context: object, _query: object, number: int) -> "Call":
        return Call(self, number)


class Call:
    def __init__(self, router: Numbering, number: int) -> None:
        self.progress = router.progress
        self._router = router
        self._number = number
        self._rows: list[str] = []

    async def __aenter__(self) -> "Call":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, arrays: list[pa.Array], _rows: int) -> None:
        self._rows = arrays[0].to_pylist()
        self._router.asked.put_nowait(self._rows)

    async def finish(self) -> pa.Table:
        await self._router.may_answer.wait()
        return pa.table({"a": [f"{row} by {self._number}" for row in self._rows]})


async def test_threads_share_what_is_asked_for() -> None:
    router = Numbering()
    callbacks = Callbacks(cast("Any", router), Context(), "q", itertools.count(1), Tally(), 1000)
    function = callbacks.function("f", ECHO, stable=True)
    async with asyncio.timeout(60):
        first = asyncio.ensure_future(asyncio.to_thread(function.call, pa.array(["a", "b"])))
        assert await router.asked.get() == ["a", "b"]
        then = asyncio.ensure_future(asyncio.to_thread(function.call, pa.array(["b", "c", "a"])))
        assert await router.asked.get() == ["c"]
        router.may_answer.set()
        assert (await first).to_pylist() == ["a by 1", "b by 1"]
        assert (await then).to_pylist() == ["b by 1", "c by 2", "a by 1"]
    assert router.asked.empty()
