"""Batches to services that fail in every way: each row is answered exactly once, or one clear error."""

import asyncio
import contextlib

import orjson
import pyarrow as pa
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowcave.functions.batches import Progress
from snowcave.functions.calls import Call
from snowcave.functions.settings import BatchSettings, FunctionsSettings, HttpSettings
from snowcave.model.errors import (
    ObjectNotFound,
    ServiceFunctionFailed,
    ServiceNotReady,
)
from snowcave.runtime.mesh import Mesh
from tests.kit.service_functions import a_router, a_service, answer, echo

F = 7
QUICK = FunctionsSettings(
    mesh=Mesh(),
    batch=BatchSettings(rows=3, in_flight=4),
    http=HttpSettings(backoff_base=0.0001, backoff_cap=0.001, poll_base=0.0001, poll_cap=0.001),
)


DEEP = '{"data":[[0,"a"],[1,' + "[" * 300 + "]" * 300 + "]]}"


async def call(router, texts, *, pieces=1, progress=None):
    async def arguments():
        size = max(1, -(-len(texts) // pieces))
        for start in range(0, len(texts), size):
            yield pa.RecordBatch.from_pydict(
                {"a": pa.array(texts[start : start + size], pa.string())}
            )

    found = []
    answers = router.caller.run(
        Call(F, "q", 1, {"CURRENT_USER": "Bob"}), arguments(), progress or Progress()
    )
    async with asyncio.timeout(20), contextlib.aclosing(answers):
        async for part in answers:
            found += part.to_pylist()
    return found


@contextlib.asynccontextmanager
async def routed(*behaviours, config=QUICK, **function):
    async with contextlib.AsyncExitStack() as stack:
        router = await stack.enter_async_context(a_router(config))
        services = [await stack.enter_async_context(a_service(b)) for b in behaviours or (echo,)]
        await router.catalog.add_service(*services)
        await router.catalog.add_function(F, **function)
        await router.settled(F, len(services))
        yield router, services


def first(times, instead):
    """Answers `instead` that many times, then echoes."""
    left = [times]

    async def behave(request, rows):
        if left[0]:
            left[0] -= 1
            result = instead(rows) if callable(instead) else instead
            return result
        return await echo(request, rows)

    return behave


def always(response):
    async def behave(_request, rows):
        return response(rows)

    return behave


async def test_batches_hold_at_most_the_asked_for_rows_and_answers_keep_their_order():
    async with routed() as (router, [service]):
        progress = Progress()
        texts = [str(n) for n in range(10)]
        assert await call(router, texts, progress=progress) == [f"Bob said {t}" for t in texts]
        assert sorted(len(rows) for _, _, rows in service.requests) == [1, 3, 3, 3]
        assert (progress.rows, progress.batches, progress.retries) == (10, 4, 0)
        assert [row[0] for row in service.requests[0][2]] == [0, 1, 2]


async def test_a_body_stays_below_its_limit():
    config = FunctionsSettings(mesh=Mesh(), batch=BatchSettings(bytes=200), http=QUICK.http)
    async with routed(config=config) as (router, [service]):
        texts = ["x" * 50] * 9
        assert await call(router, texts) == ["Bob said " + "x" * 50] * 9
        assert len(service.requests) > 3
        assert len(service.rows) == 9


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_overload_is_retried_with_the_same_batch_id(status):
    async with routed(first(2, lambda _: web.Response(status=status))) as (router, [service]):
        progress = Progress()
        assert await call(router, ["a"], progress=progress) == ["Bob said a"]
        ids = {h["sf-external-function-query-batch-id"] for _, h, _ in service.requests}
        assert len(ids) == 1
        assert progress.retries == 2


async def test_retries_end_after_max_batch_retries():
    async with routed(
        always(lambda _: web.Response(status=503, text="busy")), max_batch_retries=2
    ) as (
        router,
        [service],
    ):
        with pytest.raises(ServiceFunctionFailed, match=r"503 'busy'.*request retries: 2"):
            await call(router, ["a"])
        assert len(service.requests) == 3


async def test_a_function_that_allows_no_retry_is_tried_once():
    busy = always(lambda _: web.Response(status=503))
    async with routed(busy, max_batch_retries=0) as (router, [service]):
        with pytest.raises(ServiceFunctionFailed, match="request retries: 0"):
            await call(router, ["a"])
        assert len(service.requests) == 1


async def test_polls_that_fail_to_the_end_say_how():
    async def overloaded(request, rows):
        status = 202 if request.method == "POST" else 503
        return web.Response(status=status, text="overloaded")

    async with routed(overloaded, max_batch_retries=1) as (router, _):
        with pytest.raises(ServiceFunctionFailed, match="503 'overloaded'"):
            await call(router, ["a"])


async def test_another_instance_is_tried_after_a_failure():
    broken = always(lambda _: web.Response(status=500))
    async with routed(broken, echo) as (router, services):
        for n in range(6):
            assert await call(router, [str(n)]) == [f"Bob said {n}"]
        assert len(services[1].requests) == 6


async def test_a_broken_connection_is_retried_elsewhere():
    async def reset(request, _rows):
        request.transport.abort()
        return web.Response()

    async with routed(reset, echo) as (router, services):
        for n in range(6):
            assert await call(router, [str(n)]) == [f"Bob said {n}"]
        assert services[1].rows


async def test_an_instance_that_is_gone_is_retried_until_the_retries_end():
    async with routed() as (router, [service]):
        await router.catalog.set_endpoint(0, 1)  # nobody listens there
        async with asyncio.timeout(5):
            await router.targets.endpoints.wait(
                lambda mirror: any(e.ports[0].port == 1 for e in mirror.values())
            )
        with pytest.raises(ServiceFunctionFailed, match="connection to the service failed"):
            await call(router, ["a"])
        assert not service.requests


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda _: web.Response(status=400, text="no"), "remote service error: 400 'no'"),
        (lambda _: web.Response(status=302, headers={"Location": "/x"}), "302"),
        (lambda _: web.Response(text="<html>"), "not JSON"),
        (lambda _: web.Response(text="[]"), 'no array "data"'),
        (lambda _: answer("x"), 'no array "data"'),
        (lambda rows: answer(rows[:-1]), "has 1 rows, the request had 2"),
        (lambda rows: answer([*rows, [2, "x"]]), "has 3 rows"),
        (lambda rows: answer([[1, "b"], [0, "a"]]), "row 0 carries the row number 1"),
        (lambda rows: answer([[r[0]] for r in rows]), "row 0 is not an array"),
        (lambda rows: answer([[r[0], 1, 2] for r in rows]), "row 0 is not an array"),
        (lambda rows: answer([["0", "a"], ["1", "b"]]), 'row number "0"'),
        (
            lambda _: web.Response(text='{"data":[]}', headers={"Content-MD5": "AAAA"}),
            "Content-MD5",
        ),
        (lambda _: web.Response(text='{"data":[]}', headers={"Content-MD5": "!"}), "not base64"),
        (lambda _: web.Response(text=DEEP), "nested too deeply"),
        (lambda _: web.Response(body=b"x" * (11 << 20)), "larger than"),
        (
            lambda _: web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
            "Content-Encoding gzip",
        ),
    ],
)
async def test_a_bad_answer_is_one_clear_error_and_is_not_retried(response, reason):
    async with routed(always(response)) as (router, [service]):
        with pytest.raises(ServiceFunctionFailed) as failed:
            await call(router, ["a", "b"])
        assert reason in failed.value.message
        assert len(service.requests) == 1


async def test_an_answer_that_is_nested_too_deeply_may_be_null():
    deep = always(lambda _: web.Response(text=DEEP))
    async with routed(deep, return_null_on_failure=True) as (router, _):
        assert await call(router, ["a", "b"]) == [None, None]


async def test_a_content_md5_that_fits_is_accepted():
    async with routed(always(lambda rows: answer(rows, md5=True))) as (router, _):
        assert await call(router, ["a"]) == ["a"]


async def test_a_batch_that_is_worked_on_is_asked_for_until_it_is_done():
    polls = []

    async def later(request, rows):
        if request.method == "POST":
            polls.append(rows)
            return web.Response(status=202)
        if len(polls) < 4:
            polls.append([])
            return web.Response(status=202)
        return await echo(request, polls[0])

    async with routed(later) as (router, [service]):
        assert await call(router, ["a", "b"]) == ["Bob said a", "Bob said b"]
        assert [method for method, _, _ in service.requests] == ["POST", *["GET"] * 4]
        assert len({h["sf-external-function-query-batch-id"] for _, h, _ in service.requests}) == 1


async def test_a_batch_over_its_time_fails():
    async def hang(_request, _rows):
        await asyncio.Event().wait()

    async with routed(hang, batch_timeout_secs=0.05) as (router, _):
        with pytest.raises(ServiceFunctionFailed, match=r"BATCH_TIMEOUT_SECS = 0\.05"):
            await call(router, ["a"])


async def test_a_failed_batch_may_be_null_and_the_others_are_not():
    async def picky(request, rows):
        if any(row[1] == "bad" for row in rows):
            return web.Response(status=400)
        return await echo(request, rows)

    async with routed(picky, return_null_on_failure=True) as (router, _):
        texts = ["a", "b", "c", "bad", "d", "e", "f"]
        assert await call(router, texts) == [
            *("Bob said a", "Bob said b", "Bob said c"),
            *(None, None, None),
            "Bob said f",
        ]


async def test_a_strict_function_is_not_asked_about_nulls():
    async with routed(strict=True) as (router, [service]):
        assert await call(router, [None, "a", None, "b"]) == [
            None,
            "Bob said a",
            None,
            "Bob said b",
        ]
        assert [row[1] for row in service.rows] == ["a", "b"]
        assert await call(router, [None, None]) == [None, None]


async def test_the_documented_headers_are_sent():
    async with routed(context_headers=["CURRENT_USER"], returns="VARCHAR(10)") as (
        router,
        [service],
    ):
        await call(router, ["a"])
        headers = {k.lower(): v for k, v in service.requests[0][1].items()}
        assert headers["sf-external-function-format"] == "json"
        assert headers["sf-external-function-format-version"] == "1.0"
        assert headers["sf-external-function-current-query-id"] == "q"
        assert headers["sf-external-function-name"] == "F7"
        assert headers["sf-external-function-name-base64"] == "Rjc="
        assert headers["sf-external-function-return-type"] == "VARCHAR(10)"
        assert headers["sf-context-current-user"] == "Bob"
        assert headers["sf-context-current-user-base64"] == "Qm9i"


async def test_a_service_that_is_not_ready_or_unknown_is_named():
    async with routed() as (router, _):
        await router.catalog.set_endpoint(0, 1, ready=False)
        await router.settled(F, 0)
        with pytest.raises(ServiceNotReady, match=r"'ECHO_SERVICE' is not ready .* \(0 of 1 "):
            await call(router, ["a"])
        arguments = pa.RecordBatch.from_pydict({"a": ["x"]})

        async def one():
            yield arguments

        with pytest.raises(ObjectNotFound):
            async for _ in router.caller.run(Call(99, "q", 1, {}), one(), Progress()):
                pass


async def test_leaving_a_call_ends_its_requests():
    begun = asyncio.Event()

    async def hang(_request, _rows):
        begun.set()
        await asyncio.Event().wait()

    async with routed(hang) as (router, [service]), asyncio.timeout(10):
        running = asyncio.create_task(call(router, ["a"] * 20))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not router.lanes.load
        while service.busy:
            await asyncio.sleep(0)


FAILURES = st.lists(st.sampled_from(["ok", "429", "500", "reset", "short", "400"]), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=14),
    failures=FAILURES,
    pieces=st.integers(1, 4),
)
async def test_every_row_is_answered_once_in_its_place_or_the_call_fails(texts, failures, pieces):
    script = iter(failures)

    async def behave(request, rows):
        match next(script, "ok"):
            case "429" | "500" | "400" as status:
                return web.Response(status=int(status))
            case "reset":
                request.transport.abort()
                return web.Response()
            case "short":
                return answer(rows[:-1])
            case _:
                return answer([[row[0], orjson.dumps(row[1]).decode()] for row in rows])

    async with routed(behave) as (router, _):
        try:
            got = await call(router, texts, pieces=pieces)
        except ServiceFunctionFailed:
            assert set(failures) & {"429", "500", "reset", "short", "400"}
        else:
            assert got == [orjson.dumps(t).decode() for t in texts]
