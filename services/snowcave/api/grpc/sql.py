"""SqlService: sessions and statements over gRPC, on the same footing as the HTTP protocol."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.following import Following, Wanted
from snowcave.api.grpc.callers import CLIENT, GrpcCallers, peer_host
from snowcave.api.queries import encoding
from snowcave.api.queries.answer import Answer, Failure, InProgress
from snowcave.api.queries.life import Queries
from snowcave.api.queries.records import query_id
from snowcave.api.queries.results import StoredResults
from snowcave.api.queries.statement import Running, Seen, Statement
from snowcave.api.sessions.ending import SessionEnding
from snowcave.api.sessions.login import Login, Wish
from snowcave.api.settings import QuerySettings
from snowcave.api.sql.cursor import parse_name
from snowcave.api.statements.caller import caller_of
from snowcave.api.warehouse import Warehouse
from snowcave.kit import ids
from snowcave.kit.fitting import fitting
from snowcave.model.errors import (
    ObjectNotFound,
    SnowcaveError,
    StatementNotFound,
    Unsupported,
    ValueInvalid,
)
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state

SQL_SERVICE = "snowcave.v1.SqlService"
_MOST_LINES = 1000
# Bytes of rows in one reply.
_LARGEST = 8 << 20
# Where a caller says none, which proto3 does not tell from 0.
_LINES = 100


class SqlServicer(stubs.SqlServiceServicer):
    def __init__(
        self,
        login: Login,
        callers: GrpcCallers,
        ending: SessionEnding,
        queries: Queries,
        results: StoredResults,
        warehouse: Warehouse,
        settings: QuerySettings,
        catalog: Catalog,
        following: Following,
    ) -> None:
        self._login = login
        self._callers = callers
        self._ending = ending
        self._queries = queries
        self._results = results
        self._warehouse = warehouse
        self._settings = settings
        self._catalog = catalog
        self._following = following

    async def Login(self, request: v1.LoginRequest, context: Any) -> v1.LoginReply:  # noqa: N802
        wish = Wish(
            user=request.user,
            password=request.password,
            method=request.authenticator,
            token=request.token,
            database=request.database,
            schema=request.schema,
            role=request.role,
            warehouse=request.warehouse,
            client_app=CLIENT,
            peer=peer_host(context.peer()),
        )
        tokens, _ = await self._login.open(wish)
        return v1.LoginReply(token=tokens.session)

    async def Logout(self, request: v1.LogoutRequest, context: Any) -> v1.LogoutReply:  # noqa: N802
        caller = await self._callers.of(request.token, context)
        # Who shows another token than a session's has opened none.
        if not caller.shared:
            await self._ending.close(caller.session)
        return v1.LogoutReply()

    async def Cancel(  # noqa: N802
        self, request: v1.SqlCancelRequest, context: Any
    ) -> v1.SqlCancelReply:
        session = await self._callers.context(request.token, context)
        if await self._results.progress(request.query_id, session) is None:
            raise StatementNotFound(request.query_id)
        await self._queries.cancel(request.query_id)
        return v1.SqlCancelReply()

    async def FollowLogs(  # noqa: N802
        self, request: v1.FollowLogsRequest, context: Any
    ) -> AsyncGenerator[v1.FollowLogsReply]:
        """Needs MONITOR on the service, also while it goes on. Raises ValueInvalid on strange numbers."""
        session = await self._callers.context(request.token, context)
        tail_lines = request.tail_lines or _LINES
        if not 1 <= tail_lines <= _MOST_LINES:
            raise ValueInvalid(f"Between 1 and {_MOST_LINES} lines may be asked for.")
        name = parse_name(request.service)

        def allowed() -> state.Object:
            caller = caller_of(self._catalog, session)
            found = caller.find("service", name).message
            caller.need_any(found, "OWNERSHIP", "MONITOR")
            return found

        service = allowed()
        names = [one.name for one in service.service.spec.containers]
        container = request.container or names[0]
        if container not in names:
            raise ObjectNotFound("Container", container)
        wanted = Wanted(service.uid, request.instance_id, container, tail_lines)

        def check() -> None:
            if allowed().uid != service.uid:
                raise ObjectNotFound("Service", str(name))

        async for text in self._following.follow(wanted, check):
            yield v1.FollowLogsReply(text=text)

    async def Execute(  # noqa: N802
        self, request: v1.SqlRequest, context: Any
    ) -> AsyncGenerator[v1.SqlReply]:
        """Rows come when the statement has ended, before that word of its service functions now and then.

        A caller that goes away cancels it.
        """
        caller = await self._callers.of(request.token, context)
        found = caller.session
        session = await self._callers.directory.context(found.state)
        request_id = ids.token(ids.system_random())
        running = await self._queries.submit(
            Statement(
                query_id=query_id(found.id, request_id),
                sql=request.sql,
                context=session,
                timeout=self._settings.statement_timeout,
                request_id=request_id,
                apart=caller.shared,
                seen=Seen(found.state, found.mod_revision),
            )
        )
        try:
            async for told in self._progress(session.session_id, running):
                yield v1.SqlReply(query_id=running.id, progress=told)
        finally:
            if not running.finished.is_set():
                await self._queries.cancel(running.id)
        answer = await self._ended(running)
        yield v1.SqlReply(
            query_id=answer.query_id,
            columns=answer.columns,
            arrow_stream=encoding.write_stream(answer.table),
            total_rows=answer.total,
            statement_type=answer.statement_type,
        )
        step = self._settings.chunk_rows
        for offset in range(answer.table.num_rows, answer.total, step):
            piece = await self._warehouse.fetch(answer.query_id, offset, step)
            for part in fitting(piece.table, _LARGEST):
                yield v1.SqlReply(arrow_stream=encoding.write_stream(part))

    async def _progress(self, session: int, running: Running) -> AsyncGenerator[v1.SqlProgress]:
        """Until the statement has ended; nothing for one that calls no service functions."""
        known = v1.SqlProgress()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.progress):
                    await running.finished.wait()
            if running.finished.is_set():
                return
            with suppress(SnowcaveError):  # the next look may tell
                found = await self._warehouse.progress(session, running.id)
                told = v1.SqlProgress(
                    rows=found.rows,
                    batches=found.batches,
                    retries=found.retries,
                    hedges=found.hedges,
                )
                if told != known:
                    known = told
                    yield told

    async def _ended(self, running: Running) -> Answer:
        match await self._queries.wait(running):
            case Answer(transfer=None) as answer:
                return answer
            case Answer():
                raise Unsupported("PUT and GET over gRPC")
            case Failure(error=error):
                raise error
            case InProgress(query):
                raise StatementNotFound(query)
