"""What operators see of calls: counts by function, and a word on batches that took long or were given up."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pyarrow as pa
import pytest
import structlog.testing
from aiohttp import web
from prometheus_client import REGISTRY

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.errors import ServiceFunctionFailed
from snowcave.runtime.mesh import Mesh
from tests.kit.service_functions import Answer, Router, a_router, a_service, echo

F = 41
QUICK = HttpSettings(backoff_base=0.0001, backoff_cap=0.001)


@contextlib.asynccontextmanager
async def routed(
    behave: Answer, *, slow_batch: float = 30.0, **function: Any
) -> AsyncGenerator[Router]:
    settings = FunctionsSettings(Mesh(), http=QUICK, slow_batch=slow_batch)
    async with a_router(settings) as router, a_service(behave) as service:
        await router.catalog.add_service(service)
        await router.catalog.add_function(F, max_batch_rows=4, **function)
        await router.settled(F, 1)
        yield router


async def call(router: Router, rows: int) -> None:
    async def arguments() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"a": [str(n) for n in range(rows)]})

    answers = router.caller.run(Call(F, "q", 1, {}), arguments(), Progress())
    async with contextlib.aclosing(answers):
        async for _ in answers:
            assert REGISTRY.get_sample_value("snowcave_functions_calls") == 1


def failing(times: int, status: int) -> Answer:
    left = [times]

    async def behave(request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        if left[0]:
            left[0] -= 1
            return web.Response(status=status)
        return await echo(request, rows)

    return behave


def counted() -> dict[str, float]:
    names = ("rows_total", "batch_seconds_count", "retries_total", "failed_batches_total")
    labels = {"function": f"F{F}"}
    return {
        name: REGISTRY.get_sample_value(f"snowcave_functions_{name}", labels) or 0.0
        for name in names
    }


def since(before: dict[str, float]) -> list[float]:
    return [value - before[name] for name, value in counted().items()]


async def test_rows_batches_and_retries_are_counted_by_function():
    before = counted()
    async with routed(failing(2, 503)) as router:
        await call(router, 10)
    assert since(before) == [10, 3, 2, 0]
    assert REGISTRY.get_sample_value("snowcave_functions_calls") == 0


async def test_batches_that_are_given_up_are_counted():
    before = counted()
    async with routed(failing(1, 400)) as router:
        with pytest.raises(ServiceFunctionFailed):
            await call(router, 4)
    assert since(before) == [0, 0, 0, 1]
    assert REGISTRY.get_sample_value("snowcave_functions_calls") == 0


async def test_a_batch_that_took_long_is_logged_with_where_it_was():
    with structlog.testing.capture_logs() as logged:
        async with routed(failing(1, 503), slow_batch=0.0) as router:
            await call(router, 3)
    (slow,) = [line for line in logged if line["event"] == "batch_was_slow"]
    assert slow.pop("seconds") >= 0
    assert slow == {
        "event": "batch_was_slow",
        "log_level": "warning",
        "function": f"F{F}",
        "batch": "q:1:0:0:0",
        "rows": 3,
        "instance": "500-0-1",
        "failed_attempts": 1,
    }


async def test_a_batch_that_was_quick_is_not_logged():
    with structlog.testing.capture_logs() as logged:
        async with routed(echo) as router:
            await call(router, 3)
    assert [line for line in logged if line["event"] == "batch_was_slow"] == []


async def test_a_batch_whose_rows_are_null_for_its_failure_is_logged_with_why():
    with structlog.testing.capture_logs() as logged:
        async with routed(failing(1, 400), return_null_on_failure=True) as router:
            await call(router, 3)
    (null,) = [line for line in logged if line["event"] == "batch_answered_null"]
    assert (null["batch"], "400" in null["reason"]) == ("q:1:0:0:0", True)
