"""Calls that DuckDB's threads wait for end when their statement is cancelled, whenever that is."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any, cast

import pyarrow as pa
import pytest

from snowcave.model.errors import QueryCancelled
from snowcave.v1 import functions_pb2
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.service_functions.callbacks import Callbacks
from snowcave.warehouse.service_functions.tally import Tally

ECHO = pb.FunctionBinding(function=1, name="F", argument_types=["VARCHAR"], returns="VARCHAR")
ROW = pa.array(["a"])


class Endless:
    """A router that never answers."""

    def __init__(self) -> None:
        self.progress = functions_pb2.InvokeProgress(rows=3)
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    def open(self, *_: object) -> "Endless":
        return self

    async def __aenter__(self) -> "Endless":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left.set()

    async def send(self, *_: object) -> None:
        self.asked.set()

    async def finish(self) -> None:
        await asyncio.Event().wait()


def made(kind: type[Callbacks], router: Endless, tally: Tally) -> Callbacks:
    return kind(cast("Any", router), Context(), "q", itertools.count(1), tally, 1000)


async def test_a_call_that_is_waited_for_ends() -> None:
    router, tally = Endless(), Tally()
    callbacks = made(Callbacks, router, tally)
    function = callbacks.function("f", ECHO, stable=False)
    async with asyncio.timeout(60):
        calling = asyncio.ensure_future(asyncio.to_thread(function.call, ROW))
        await router.asked.wait()
        assert tally.total().rows == 3
        callbacks.cancel()
        with pytest.raises(QueryCancelled):
            await calling
        await router.left.wait()
        with pytest.raises(QueryCancelled):
            await asyncio.to_thread(function.call, ROW)
    assert tally.total().rows == 3


class Crossed(Callbacks):
    """Cancelled when a thread has looked whether it is, and does not wait yet."""

    def _invoke(self, binding: pb.FunctionBinding, arrays: Sequence[pa.Array]) -> Any:
        self.cancel()
        return super()._invoke(binding, arrays)


async def test_a_call_that_crosses_with_the_cancellation_ends() -> None:
    function = made(Crossed, Endless(), Tally()).function("f", ECHO, stable=False)
    async with asyncio.timeout(60):
        with pytest.raises(QueryCancelled):
            await asyncio.to_thread(function.call, ROW)


def test_of_calls_that_have_ended_only_their_sum_is_kept() -> None:
    tally = Tally()
    for _ in range(3):
        with tally.counting(router := Endless()):
            router.progress = functions_pb2.InvokeProgress(rows=2, batches=1, retries=1, hedges=2)
    with tally.counting(Endless()):
        told = functions_pb2.InvokeProgress(rows=9, batches=3, retries=3, hedges=6)
        assert tally.total() == told
    assert tally.total().rows == 9
