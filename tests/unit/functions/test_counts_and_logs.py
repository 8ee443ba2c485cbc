"""What operators see of calls: counts by function, and a word on batches that took long or were given up."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pyarrow as pa
import pytest
import structlog.testing
from aiohttp import web
from prometheus_client import REGISTRY

from snowcave.functions import metrics
from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.errors import ServiceFunctionFailed
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import state_pb2 as state
from tests.kit.service_functions import Answer, Router, a_router, a_service, echo

F = 41
SHOWN = f"D.S.F{F}(NUMBER, VARCHAR)"
TAKEN = [state.Argument(name="N", type="NUMBER(38,0)"), state.Argument(name="T", type="VARCHAR")]
QUICK = HttpSettings(backoff_base=0.0001, backoff_cap=0.001)


@contextlib.asynccontextmanager
async def routed(
    behave: Answer, *, slow_batch: float = 30.0, **function: Any
) -> AsyncGenerator[Router]:
    settings = FunctionsSettings(Mesh(), http=QUICK, slow_batch=slow_batch)
    async with a_router(settings) as router, a_service(behave) as service:
        await router.catalog.add_service(service)
        await router.catalog.add_function(F, max_batch_rows=4, arguments=TAKEN, **function)
        await router.settled(F, 1)
        yield router


async def call(router: Router, rows: int, full_name: str = f"D.S.F{F}") -> None:
    async def arguments() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"n": [*range(rows)], "t": ["x"] * rows})

    answers = router.caller.run(Call(F, "q", 1, {}, full_name=full_name), arguments(), Progress())
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
    names = (
        *("rows_total", "batch_seconds_count", "retries_total", "failed_batches_total"),
        "failed_answered_batches_total",
    )
    labels = {"function": SHOWN}
    return {
        name: REGISTRY.get_sample_value(f"snowcave_functions_{name}", labels) or 0.0
        for name in names
    }


def rows_of(shown: str) -> float | None:
    return REGISTRY.get_sample_value("snowcave_functions_rows_total", {"function": shown})


def since(before: dict[str, float]) -> list[float]:
    return [value - before[name] for name, value in counted().items()]


async def test_rows_batches_and_retries_are_counted_by_function():
    before = counted()
    async with routed(failing(2, 503)) as router:
        await call(router, 10)
    assert since(before) == [10, 3, 2, 0, 0]
    assert REGISTRY.get_sample_value("snowcave_functions_calls") == 0


async def test_functions_of_one_name_in_two_schemas_are_counted_apart():
    async with routed(echo) as router:
        for schema, rows in (("A", 3), ("B", 7), ("A", 1)):
            await call(router, rows, f"D.{schema}.TWICE")
    assert [rows_of(f"D.{schema}.TWICE(NUMBER, VARCHAR)") for schema in "AB"] == [4, 7]


async def test_a_caller_that_names_no_schema_is_counted_by_the_name():
    before = rows_of(f"F{F}(NUMBER, VARCHAR)") or 0
    async with routed(echo) as router:
        await call(router, 2, "")
    assert rows_of(f"F{F}(NUMBER, VARCHAR)") == before + 2


def test_lines_of_functions_that_nobody_calls_any_more_are_given_up():
    metrics.of("D.S.FIRST()").answered(1, 0.1)
    for number in range(1100):
        metrics.of(f"D.S.MANY{number}()")
        metrics.of("D.S.USED()").answered(1, 0.1)
    assert rows_of("D.S.FIRST()") is None
    assert rows_of("D.S.MANY0()") is None
    assert rows_of("D.S.MANY1099()") == 0
    assert rows_of("D.S.USED()") == 1100
    metrics.of("D.S.FIRST()").answered(2, 0.1)
    assert rows_of("D.S.FIRST()") == 2


async def test_batches_that_are_given_up_are_counted():
    before = counted()
    async with routed(failing(1, 400)) as router:
        with pytest.raises(ServiceFunctionFailed):
            await call(router, 4)
    assert since(before) == [0, 0, 0, 1, 0]
    assert REGISTRY.get_sample_value("snowcave_functions_calls") == 0


async def misnumbered(_request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
    """Such answers are taken apart late."""
    told = ",".join(f'[{0 if row[0] == 0 else row[0] + 1},"x"]' for row in rows)
    return web.Response(text=f'{{"data":[{told}]}}', content_type="application/json")


async def test_batches_that_are_given_up_after_they_counted_as_answered_are_told_apart():
    before = counted()
    async with routed(misnumbered) as router:
        with pytest.raises(ServiceFunctionFailed, match="row number"):
            await call(router, 4)
    assert since(before) == [4, 1, 0, 1, 1]


async def test_a_batch_that_took_long_is_logged_with_where_it_was():
    with structlog.testing.capture_logs() as logged:
        async with routed(failing(1, 503), slow_batch=0.0) as router:
            await call(router, 3)
    (slow,) = [line for line in logged if line["event"] == "batch_was_slow"]
    assert slow.pop("seconds") >= 0
    assert slow.pop("batch").startswith("q:1:0:0:")
    assert slow == {
        "event": "batch_was_slow",
        "log_level": "warning",
        "function": SHOWN,
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
    assert (null["batch"].rpartition(":")[0], null["function"]) == ("q:1:0:0", SHOWN)
    assert "400" in null["reason"]
