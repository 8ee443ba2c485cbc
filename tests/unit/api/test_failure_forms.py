"""A request that fails before anything has looked at it is answered in the form of its API."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from snowcave.api.http import reply
from snowcave.api.rest.models import ERROR
from snowcave.model.errors import ObjectNotFound, SnowcaveError, Unavailable

REST, PROTOCOL = "/api/v2/databases", "/queries/v1/query-request"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def raising(error: Exception) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def answer(middleware: Any, path: str, handler: Handler) -> tuple[web.Response, Any]:
    found = await middleware(make_mocked_request("GET", path), handler)
    return found, json.loads(found.body)


FAILURES: list[tuple[Exception, int, str]] = [
    (Unavailable("The store is away."), 503, f"{Unavailable.code:06d}"),
    (ObjectNotFound("Service", "s"), 404, "002003"),
    (web.HTTPRequestEntityTooLarge(1, 2), 413, "390413"),
    (web.HTTPNotFound(), 404, "390404"),
    (RuntimeError("a bug"), 500, f"{SnowcaveError.code:06d}"),
]


@pytest.mark.parametrize(("error", "status", "code"), FAILURES)
async def test_the_rest_api_has_one_form_of_failures(error: Exception, status: int, code: str):
    found, body = await answer(reply.errors, REST, raising(error))
    assert (found.status, body["error_code"]) == (status, code)
    assert set(body) == {field.name for field in ERROR.fields}
    assert found.headers["X-Snowflake-Request-ID"] == body["request_id"]


async def test_who_is_one_too_many_is_told_so_in_the_form_of_the_api():
    found, body = await answer(reply.admission(0), REST, raising(RuntimeError()))
    assert (found.status, set(body)) == (503, {field.name for field in ERROR.fields})
    found, body = await answer(reply.admission(0), PROTOCOL, raising(RuntimeError()))
    assert (found.status, body["success"]) == (503, False)


async def test_errors_of_the_session_protocol_travel_inside_of_200():
    found, body = await answer(reply.errors, PROTOCOL, raising(ObjectNotFound("Table", "t")))
    assert (found.status, body["success"], body["code"]) == (200, False, "002003")
