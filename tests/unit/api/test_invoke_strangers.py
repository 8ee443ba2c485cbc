"""FunctionService is open to anybody: whoever has not said who it is, or says nonsense."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

import pyarrow as pa
import pytest

from snowcave.api.grpc.functions import FunctionProxy
from snowcave.api.grpc.relay import record_batches
from snowcave.api.settings import RelaySettings
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import functions_pb2 as v1


async def test_who_says_nothing_is_not_heard_for_ever():
    async def silent() -> AsyncIterator[v1.InvokeRequest]:
        await asyncio.Event().wait()
        yield v1.InvokeRequest()

    nobody = cast("Any", None)
    proxy = FunctionProxy(nobody, nobody, nobody, 0.01, RelaySettings())

    async def call() -> None:
        async for _ in proxy.Invoke(silent(), None):
            pass

    calling = asyncio.ensure_future(call())
    done, _ = await asyncio.wait([calling], timeout=60)
    assert done
    assert isinstance(calling.exception(), TimeoutError)


def as_stream(text: str) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_arrays([pa.array([text])], ["a"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_texts_that_lead_out_of_their_message_are_refused():
    good, length = as_stream("x" * 64), struct.pack("<ii", 0, 64)
    before, _, after = good.rpartition(length)  # the header has the same numbers
    with pytest.raises(ValueInvalid):
        list(record_batches(before + struct.pack("<ii", 0, 1 << 20) + after))
    assert [rows for rows, _ in record_batches(good)] == [1]
