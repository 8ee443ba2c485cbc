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


def json(shown: Any, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(shown), content_type="application/json")


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
            busy = Exhausted("The server is busy. Try again later.")
            return json(wire.failure(busy), status=503)
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
        status = 200 if in_protocol else error.kind.value.http
        return json(wire.failure(error), status=status)
    except web.HTTPException as error:
        # Outside our paths and methods HTTP speaks for itself, but still in JSON.
        shown = {"success": False, "code": str(error.status), "message": error.reason}
        return json({"data": None, **shown}, status=error.status)
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request_failed_unexpectedly", path=request.path)
        internal = Internal(ids.token(ids.system_random(), 64))
        return json(wire.failure(internal), status=200 if in_protocol else 500)
