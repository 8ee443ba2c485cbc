"""The session protocol's endpoints: sessions, statements, their results.

Everything is answered with HTTP 200; whether it worked stands in the JSON.
"""

from dataclasses import dataclass, replace

import structlog
from aiohttp import web

from snowcave.api.contract import SessionContext
from snowcave.api.http import reply, requests, wire
from snowcave.api.queries.answer import Answer, Failure, InProgress, Outcome
from snowcave.api.queries.life import Queries
from snowcave.api.queries.records import query_id, record_key
from snowcave.api.queries.results import StoredResults
from snowcave.api.queries.statement import Seen, Statement
from snowcave.api.queries.tentative import is_plain
from snowcave.api.sessions.book import Found, SessionBook
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.login import Login, Wish
from snowcave.api.settings import ApiSettings
from snowcave.kit import ids
from snowcave.model.errors import StatementNotFound

log = structlog.get_logger()

_TIMEOUT = "STATEMENT_TIMEOUT_IN_SECONDS"
_NAME = 1024
_TOKEN = 16384
_SQL = 4 << 20


@dataclass(frozen=True)
class _Asked:
    """A request for a statement: the session's token, the request's id, and its body."""

    token: str
    request_id: str
    values: dict[str, object]


@dataclass(frozen=True)
class Front:
    """What the endpoints stand on."""

    settings: ApiSettings
    book: SessionBook
    login: Login
    ending: SessionEnding
    directory: Directory
    queries: Queries
    results: StoredResults

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post("/session/v1/login-request", self._login),
            web.post("/session/token-request", self._token),
            web.post("/session/heartbeat", self._heartbeat),
            web.post("/session", self._close),
            web.post("/queries/v1/query-request", self._query),
            web.post("/queries/v1/abort-request", self._abort_request),
            web.post("/queries/{query}/abort-request", self._abort),
            web.get("/queries/{query}/result", self._result),
            web.get("/monitoring/queries/{query}", self._monitor),
            # v5 asks with two slashes.
            web.get("/monitoring/queries//{query}", self._monitor),
            web.get("/results/{query}/{offset}/{count}/{secret}", self._chunk),
            web.post("/telemetry/send", self._telemetry),
        ]

    # ---------------------------------------------------------------- sessions

    async def _login(self, request: web.Request) -> web.Response:
        data = requests.table(await self._body(request), "data")
        environment = requests.table(data, "CLIENT_ENVIRONMENT")
        wish = Wish(
            user=requests.text(data, "LOGIN_NAME", most=_NAME),
            password=requests.text(data, "PASSWORD", most=_NAME),
            method=requests.text(data, "AUTHENTICATOR", most=_NAME),
            token=requests.text(data, "TOKEN", most=_TOKEN),
            database=request.query.get("databaseName", ""),
            schema=request.query.get("schemaName", ""),
            warehouse=request.query.get("warehouse", ""),
            role=request.query.get("roleName", ""),
            secondary_roles=requests.text(data, "SECONDARY_ROLES", most=_NAME),
            client_app=str(environment.get("APPLICATION") or data.get("CLIENT_APP_ID") or ""),
            client_version=str(data.get("CLIENT_APP_VERSION") or ""),
            peer=request.remote or "",
            parameters=requests.table(data, "SESSION_PARAMETERS"),
        )
        tokens, session = await self.login.open(wish)
        lives = self.settings.sessions
        return reply.json(wire.login(tokens, session, lives.token, lives.master))

    async def _token(self, request: web.Request) -> web.Response:
        values = await self._body(request)
        master = requests.token(request)
        lives = self.settings.sessions
        match requests.text(values, "requestType", most=_NAME):
            case "RENEW":
                old = requests.text(values, "oldSessionToken", most=_NAME)
                tokens = await self.book.renew(master, old)
                return reply.json(wire.renewed(tokens, lives.token, lives.master))
            case "ISSUE":
                issued = await self.book.issue(master)
                shown = {"sessionToken": issued, "validityInSecondsST": int(lives.token)}
                return reply.json(wire.success(shown))
            case other:
                raise requests.RequestInvalid(f"No such request type: {other[:64]}")

    async def _heartbeat(self, request: web.Request) -> web.Response:
        await self._body(request)
        await self._session(request)
        return reply.json(wire.success())

    async def _close(self, request: web.Request) -> web.Response:
        await self._body(request)
        found, _ = await self._session(request)
        if request.query.get("delete", "").lower() == "true":
            await self.ending.close(found)
        return reply.json(wire.success())

    # ---------------------------------------------------------------- statements

    async def _query(self, request: web.Request) -> web.Response:
        values = await self._body(request)
        request_id = request.query.get("requestId", "")[:_NAME] or ids.token(ids.system_random())
        asked = _Asked(requests.token(request), request_id, values)
        in_background = values.get("asyncExec") is True
        statement = await self._tentative(asked)
        if statement is None:
            found = await self._confirmed(asked)
            if not isinstance(found, Statement):
                return await self._answer(request, found)
            statement = found
        running = await self.queries.submit(statement, recorded=in_background)
        if in_background:
            return self._in_progress(statement.query_id, in_background=True)
        return await self._answer(request, await self.queries.wait(running))

    async def _tentative(self, asked: _Asked) -> Statement | None:
        """None where it is nothing to run before its session was looked up."""
        values = asked.values
        described = values.get("describeOnly") is True or values.get("asyncExec") is True
        if described or not is_plain(requests.text(values, "sqlText", most=_SQL)):
            return None
        seen = self.queries.remembered(await self.book.claimed(asked.token))
        if seen is None:
            return None
        statement = self._statement(asked, seen, await self.directory.context(seen.session))
        return replace(statement, confirm=lambda: self._confirmed(asked, begun=True))

    async def _confirmed(self, asked: _Asked, *, begun: bool = False) -> Statement | Outcome:
        """With its session looked up; or what has become of the same request elsewhere.

        `begun`: this replica knows of the statement because it runs it.
        """
        found = await self.book.find(
            asked.token, lambda session: record_key(session, asked.request_id)
        )
        context = await self.directory.context(found.state)
        statement = self._statement(asked, Seen(found.state, found.mod_revision), context)
        if found.beside is None or not (begun or self.queries.get(statement.query_id) is None):
            return statement
        if asked.values.get("asyncExec") is True:
            return InProgress(statement.query_id)
        return await self.results.elsewhere(statement.query_id, context) or statement

    def _statement(self, asked: _Asked, seen: Seen, context: SessionContext) -> Statement:
        values = asked.values
        parameters = requests.table(values, "parameters")
        return Statement(
            query_id=query_id(context.session_id, asked.request_id),
            sql=requests.text(values, "sqlText", most=_SQL),
            context=context,
            timeout=self._timeout(parameters.get(_TIMEOUT), context),
            request_id=asked.request_id,
            bindings=requests.bindings(values),
            describe_only=values.get("describeOnly") is True,
            seen=seen,
        )

    def _timeout(self, own: object, context: SessionContext) -> float:
        """Of the statement, else of the session, else ours; 0 means the longest."""
        longest = self.settings.queries.statement_timeout
        for value in (own, context.parameters.get(_TIMEOUT)):
            try:
                seconds = float(str(value))
            except ValueError:
                continue
            if seconds >= 0:  # NaN is not
                return min(seconds, longest) or longest
        return longest

    async def _result(self, request: web.Request) -> web.Response:
        _, context = await self._session(request)
        found = await self.results.outcome(request.match_info["query"], context)
        return await self._answer(request, found)

    async def _answer(self, request: web.Request, outcome: Outcome) -> web.Response:
        match outcome:
            case Answer():
                base = f"{request.scheme}://{request.host}"
                rows = self.settings.queries.chunk_rows
                cells = outcome.table.num_rows * outcome.table.num_columns
                return await reply.large(lambda: wire.answer(outcome, rows, base), cells)
            case Failure(query, error):
                return reply.json(wire.failure(error, query))
            case InProgress(query):
                return self._in_progress(query, in_background=False)

    def _in_progress(self, query: str, *, in_background: bool) -> web.Response:
        limit = self.settings.queries.statement_timeout
        shown = wire.in_progress(query, in_background=in_background, aborts_after=limit)
        return reply.json(shown)

    async def _abort_request(self, request: web.Request) -> web.Response:
        values = await self._body(request)
        _, context = await self._session(request)
        request_id = requests.text(values, "requestId", most=_NAME)
        await self.queries.cancel(query_id(context.session_id, request_id))
        return reply.json(wire.success())

    async def _abort(self, request: web.Request) -> web.Response:
        await self._body(request)
        _, context = await self._session(request)
        query = request.match_info["query"]
        if await self.results.progress(query, context) is None:
            raise StatementNotFound(query)
        await self.queries.cancel(query)
        return reply.json(wire.success())

    async def _monitor(self, request: web.Request) -> web.Response:
        _, context = await self._session(request)
        found = await self.results.progress(request.match_info["query"], context)
        return reply.json(wire.monitoring([found.record] if found else []))

    async def _chunk(self, request: web.Request) -> web.Response:
        where = request.match_info
        offset, count = requests.number(where["offset"]), requests.number(where["count"])
        if offset is None or not count:
            raise web.HTTPNotFound
        fetched = await self.results.chunk(where["query"], where["secret"], offset, count)
        return await reply.bare_rows(fetched)

    async def _telemetry(self, request: web.Request) -> web.Response:
        await self._body(request)
        return reply.json(wire.success("Log Received"))

    # ---------------------------------------------------------------- common

    async def _body(self, request: web.Request) -> dict[str, object]:
        http = self.settings.http
        return await requests.body(request, limit=http.max_body, within=http.receive)

    async def _session(self, request: web.Request) -> tuple[Found, SessionContext]:
        found = await self.book.find(requests.token(request))
        return found, await self.directory.context(found.state)
