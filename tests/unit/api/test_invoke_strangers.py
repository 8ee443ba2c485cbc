"""FunctionService is open to anybody: whoever has not said who it is, or says nonsense."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from snowcave.api.grpc.functions import FunctionProxy
from snowcave.api.settings import RelaySettings
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
