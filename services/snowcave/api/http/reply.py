"""JSON answers, and what becomes of errors on their way out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from aiohttp import web

from snowcave.api.http import wire
from snowcave.api.queries import encoding
from snowcave.api.queries.answer import Internal
from snowcave.api.warehouse import Fetched
from snowcave.kit import ids
from snowcave.model.errors import Exhausted, SnowcaveError

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Middleware = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]
# Cells that are written in less time than a thread takes to be asked for it.
_FEW = 500
# The paths of the session protocol: their errors travel inside HTTP 200.
_PROTOCOL = ("/session", "/queries/", "/monitoring/", "/telemetry/")
_REST = "/api/v2/"
REQUEST_ID = "X-Snowflake-Request-ID"


def json(shown: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(shown), content_type="application/json")


def failed(error: SnowcaveError, request_id: str, *, status: int = 0) -> web.Response:
    """In the form of the REST API, with the status of the error's kind, or another."""
    code = wire.code_text(error)
    return refused(status or error.kind.value.http, code, error.message, request_id)


def refused(status: int, code: str, message: str, request_id: str) -> web.Response:
    body = {"message": message, "code": code, "error_code": code, "request_id": request_id}
    shown = json(body, status=status)
    shown.headers[REQUEST_ID] = request_id
    return shown


async def large(show: Callable[[], Any], cells: int) -> web.Response:
    """Where there are many cells, made in a thread: other clients go on while a large result is written."""
    if cells <= _FEW:
        return json(show())
    made = await asyncio.to_thread(lambda: orjson.dumps(show()))
    return web.Response(body=made, content_type="application/json")


async def bare_rows(fetched: Fetched) -> web.Response:
    """A chunk: rows with commas between them, without the outer brackets."""

    def write() -> bytes:
        return orjson.dumps(encoding.rowset(fetched.table, fetched.columns))[1:-1]

    return web.Response(body=await asyncio.to_thread(write), content_type="application/json")


def admission(most: int) -> Middleware:
    """No more requests at once than `most`: the rest are told to come again, which the clients do."""
    inside = 0

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal inside
        if inside >= most:
            return _failure(request, Exhausted("The server is busy. Try again later."), 503)
        inside += 1
        try:
            return await handler(request)
        finally:
            inside -= 1

    return admit


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No answer is ever a traceback or a page of HTML."""
    in_protocol = request.path.startswith(_PROTOCOL)
    try:
        return await handler(request)
    except SnowcaveError as error:
        return _failure(request, error, 200 if in_protocol else error.kind.value.http)
    except web.HTTPException as error:
        return _of_http(request, error)
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request_failed_unexpectedly", path=request.path)
        internal = Internal(ids.token(ids.system_random(), 64))
        return _failure(request, internal, 200 if in_protocol else 500)


def _failure(request: web.Request, error: SnowcaveError, status: int) -> web.Response:
    if request.path.startswith(_REST):
        return failed(error, _request_id(), status=status)
    return json(wire.failure(error), status=status)


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """Outside our paths and methods HTTP speaks for itself, but still in JSON."""
    if request.path.startswith(_REST):
        return refused(error.status, f"390{error.status}", error.reason, _request_id())
    shown = {"success": False, "code": str(error.status), "message": error.reason}
    return json({"data": None, **shown}, status=error.status)


def _request_id() -> str:
    return ids.query_id(ids.system_random())
