"""`/api/v2` over HTTP: who calls, what they want, and what becomes of it as status, headers and body.

Unlike the session protocol's, failures here are HTTP statuses, with a body of one form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiohttp import web

from snowcave.api.contract import Rows, SessionContext, StatementRunner
from snowcave.api.http import reply, requests
from snowcave.api.queries import rows as row_values
from snowcave.api.queries.answer import Answer, Internal
from snowcave.api.queries.life import Queries
from snowcave.api.rest import openapi
from snowcave.api.rest.call import Call, Kept, Listing, StillRunning, named
from snowcave.api.rest.catalog import OPERATIONS
from snowcave.api.rest.models import Json, Model
from snowcave.api.rest.operations import PAGE, PREFIX, Many, Match, Operation, Routes, read_query
from snowcave.api.rest.results import Results, page_links
from snowcave.api.rest.sessions import Sessions
from snowcave.api.rest.settings import RestSettings
from snowcave.api.rest.unsupported import Meaningless
from snowcave.api.settings import HttpSettings
from snowcave.kit import ids
from snowcave.model.errors import DeadlinePassed, SnowcaveError, StatementNotFound

log = structlog.get_logger()

# Of the answer to a request that takes long.
_GOES_ON = "392604"
_NO_SUCH_PATH, _NO_SUCH_METHOD = "390404", "390405"


@dataclass(frozen=True)
class RestApi:
    sessions: Sessions
    runner: StatementRunner
    queries: Queries
    results: Results
    settings: RestSettings
    http: HttpSettings
    routes_of: Routes

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(f"{PREFIX}/openapi.json", self._document),
            web.route("*", PREFIX + r"/{rest:(?s:.*)}", self._handle),
        ]

    async def _document(self, _request: web.Request) -> web.Response:
        return reply.json(openapi.document(OPERATIONS))

    async def _handle(self, request: web.Request) -> web.Response:
        request_id = ids.query_id(ids.system_random())
        answer = await self._answered(request, request_id)
        answer.headers[reply.REQUEST_ID] = request_id
        return answer

    async def _answered(self, request: web.Request, request_id: str) -> web.Response:
        """Every failure in one form."""
        try:
            return await self._answer(request, request_id)
        except StillRunning as running:
            return accepted(running.query)
        except SnowcaveError as error:
            return _failed(error, request_id)
        except TimeoutError:
            return _failed(DeadlinePassed("The request took too long."), request_id)
        except (ConnectionResetError, web.HTTPException):
            raise
        except Exception:
            log.exception("rest_request_failed_unexpectedly", path=request.path, id=request_id)
            return _failed(Internal(ids.token(ids.system_random(), 64)), request_id)

    async def _answer(self, request: web.Request, request_id: str) -> web.Response:
        raw, _, query = request.raw_path.partition("?")
        path = raw[len(PREFIX) :]
        # A caller whom we do not know is told nothing of what there is.
        context, seen = await self.sessions.of(request)
        found = self.routes_of.find(request.method, path)
        if path.startswith("/results/") and request.method == "GET":
            return await self._result(path.removeprefix("/results/"), query, context)
        if not isinstance(found, Match):
            return _nowhere(found, request_id)
        operation = found.operation
        call = Call(
            context=context,
            seen=seen,
            names=found.names,
            query=read_query(operation, query),
            body=await self._body(request, operation),
            runner=self.runner,
            queries=self.queries,
            settings=self.settings,
            request_id=request_id,
            base=f"{request.scheme}://{request.host}",
        )
        return await self._shown(call, operation)

    async def _shown(self, call: Call, operation: Operation) -> web.Response:
        answer = await operation.action(call)
        match answer:
            case Kept(kept):
                return await self._first_page(operation, kept)
            case Listing(statement, rows) if len(rows.rows) > self.settings.page:
                return await self._first_page(operation, await call.kept(statement))
            case Listing(_, rows):
                return await _listed(operation, rows)
            case _:
                return reply.json(answer)

    async def _first_page(self, operation: Operation, kept: Answer) -> web.Response:
        """The rows are kept under a query id, so that all pages show one moment."""
        page = self.settings.page
        first = row_values.rows_of(kept.table.slice(0, page), kept.columns)
        shown = await _listed(operation, first)
        if kept.total > page:
            handle = f"{kept.query_id}.{operation.id}"
            shown.headers["Link"] = page_links(handle, 0, kept.total, page)
        return shown

    async def _result(self, handle: str, query: str, context: SessionContext) -> web.Response:
        query_id, _, operation_id = handle.partition(".")
        if not operation_id:
            return reply.json(await self.results.outcome(query_id, context))
        operation = _LISTS.get(operation_id)
        if operation is None:
            raise StatementNotFound(handle)
        number = PAGE.read(query.removeprefix("page=") or "0")
        rows, total = await self.results.page(query_id, number, context)
        shown = await _listed(operation, rows)
        shown.headers["Link"] = page_links(handle, number, total, self.settings.page)
        return shown

    async def _body(self, request: web.Request, operation: Operation) -> Any:
        limit, within = self.http.max_body, self.http.receive
        given = await requests.anything(request, limit=limit, within=within)
        match operation.body:
            case None:
                return None
            case Many(model):
                return _read_many(model, given)
            case body:
                return body.read({} if given is None else given)


_LISTS = {one.id: one for one in OPERATIONS if one.shape is not None}


async def _listed(operation: Operation, rows: Rows) -> web.Response:
    """A long list is made in a thread, so that other clients go on meanwhile."""
    shape = operation.shape
    assert shape is not None
    cells = len(rows.rows) * len(rows.columns)
    return await reply.large(lambda: [shape(row) for row in named(rows)], cells)


def _read_many(model: Model, given: Any) -> list[Json]:
    """Raises RequestInvalid."""
    if not isinstance(given, list):
        raise requests.RequestInvalid("The body is not a list.")
    items = cast("list[Any]", given)
    return [model.read(one, f"[{n}].") for n, one in enumerate(items)]


def accepted(query: str) -> web.Response:
    """Where to ask again, and under what name."""
    body = {
        "code": _GOES_ON,
        "message": "The request is still running. Its result will be at the address in Location.",
        "resultHandler": query,
    }
    shown = reply.json(body, status=202)
    shown.headers["Location"] = f"{PREFIX}/results/{query}"
    return shown


def _failed(error: SnowcaveError, request_id: str) -> web.Response:
    return reply.failed(error, request_id, status=501 if isinstance(error, Meaningless) else 0)


def _nowhere(methods: Sequence[str], request_id: str) -> web.Response:
    if not methods:
        return reply.refused(404, _NO_SUCH_PATH, "There is no such resource.", request_id)
    shown = reply.refused(405, _NO_SUCH_METHOD, "The resource has no such method.", request_id)
    shown.headers["Allow"] = ", ".join(methods)
    return shown
