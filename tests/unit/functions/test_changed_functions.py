"""A function that was altered is called as it is now, even if the router hears of it after its caller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.settings import BatchSettings, FunctionsSettings
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound
from snowcave.runtime.mesh import Mesh
from tests.kit.service_functions import Router, a_router, a_service, answer

F = 7


async def call(router: Router, revision: int) -> int:
    async def arguments() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"a": [str(n) for n in range(12)]})

    call = Call(F, "q", 1, {}, revision=revision)
    async with aclosing(router.caller.run(call, arguments(), Progress())) as answers:
        return sum([len(part) async for part in answers])


async def test_a_call_waits_for_what_its_caller_knows_of_the_function():
    settings = FunctionsSettings(Mesh(), BatchSettings(catching_up=60.0))
    async with a_router(settings) as router, a_service() as service, asyncio.timeout(60):
        await router.catalog.add_service(service)
        calling = asyncio.ensure_future(call(router, router.targets.functions.revision + 1))
        await router.targets.statuses.wait(lambda mirror: len(mirror) == 1)
        assert not calling.done()  # nobody has heard of the function so far
        await router.catalog.add_function(F, max_batch_rows=3)
        assert await calling == 12
        assert len(service.requests) == 4
        altered = asyncio.ensure_future(call(router, router.targets.functions.revision + 1))
        await asyncio.sleep(0)
        await router.catalog.add_function(F, max_batch_rows=6)
        assert await altered == 12
        assert len(service.requests) == 4 + 2


async def test_batches_that_a_router_cuts_anew_have_other_ids():
    settings = FunctionsSettings(Mesh(), BatchSettings(catching_up=60.0))
    async with a_router(settings) as router, a_service() as service, asyncio.timeout(60):
        await router.catalog.add_service(service)
        for most in (3, 6, 3):  # each as the next router would begin it
            revision = router.targets.functions.revision + 1
            await router.catalog.add_function(F, max_batch_rows=most)
            assert await call(router, revision) == 12
    bodies: dict[str, set[str]] = {}
    for _, headers, rows in service.requests:
        known = bodies.setdefault(headers["sf-external-function-query-batch-id"], set())
        known.add(str(rows))
    assert len(service.requests) == 4 + 2 + 4
    assert [len(known) for known in bodies.values()] == [1] * (4 + 2)


async def test_without_the_store_what_was_known_last_has_to_do():
    settings = FunctionsSettings(Mesh(), BatchSettings(catching_up=0.01))
    async with a_router(settings) as router, a_service() as service:
        await router.catalog.add_service(service)
        await router.catalog.add_function(F, max_batch_rows=4)
        await router.settled(F, 1)
        assert await call(router, 10**6) == 12
        assert len(service.requests) == 3


async def test_a_function_that_is_dropped_is_not_called():
    settings = FunctionsSettings(Mesh(), BatchSettings(catching_up=0.01))
    async with a_router(settings) as router:
        with pytest.raises(ObjectNotFound):
            await call(router, 0)


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_call_under_way_goes_on_with_a_function_that_is_replaced_or_dropped(
    is_replaced: bool,
):
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        begun.set()
        await goes_on.wait()
        return answer([[row[0], row[1]] for row in rows])

    settings = FunctionsSettings(Mesh(), BatchSettings(catching_up=0.01, in_flight=1))
    async with a_router(settings) as router, a_service(slow) as service, asyncio.timeout(60):
        await router.catalog.add_service(service)
        await router.catalog.add_function(F, max_batch_rows=3)
        await router.settled(F, 1)
        calling = asyncio.ensure_future(call(router, 0))
        await begun.wait()
        if is_replaced:
            await router.catalog.add_function(F, service=99)
        else:
            await router.catalog.api.delete(keys.catalog("function").key(F))
        await router.targets.functions.wait(
            lambda mirror: (found := mirror.get(F)) is None or found.function.service == 99
        )
        goes_on.set()
        assert await calling == 12
        assert len(service.requests) == 4
