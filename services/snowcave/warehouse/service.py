"""WarehouseService over gRPC: reads a request, runs it in its session, keeps and answers the rows."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pyarrow as pa

from snowcave.model.errors import Kind, RemoteError, ValueInvalid
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc
from snowcave.warehouse import columns
from snowcave.warehouse.conversation import Conversation
from snowcave.warehouse.engine.api import Context, OwnEventTable, SqlEngine
from snowcave.warehouse.results.query_results import ResultStore, pieces
from snowcave.warehouse.sessions import Sessions, watched
from snowcave.warehouse.settings import WarehouseSettings
from snowcave.warehouse.statements import Statements

SERVICE_NAME = "snowcave.v1.WarehouseService"
# Whatever a caller asks for.
_MAX_ROWS = 100_000


class WarehouseServicer(warehouse_pb2_grpc.WarehouseServiceServicer):
    def __init__(
        self,
        engine: SqlEngine,
        sessions: Sessions,
        statements: Statements,
        results: ResultStore,
        settings: WarehouseSettings,
    ) -> None:
        self._engine = engine
        self._sessions = sessions
        self._statements = statements
        self._results = results
        self._settings = settings

    async def OpenSession(  # noqa: N802
        self, request: pb.OpenWarehouseSession, context: Any
    ) -> pb.OpenWarehouseSessionReply:
        await self._sessions.get(request.session)
        return pb.OpenWarehouseSessionReply()

    async def CloseSession(  # noqa: N802
        self, request: pb.CloseWarehouseSession, context: Any
    ) -> pb.CloseWarehouseSessionReply:
        await self._sessions.close(request.session)
        return pb.CloseWarehouseSessionReply()

    async def Converse(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.Questions], context: Any
    ) -> AsyncIterator[pb.Answers]:
        talk = Conversation(self._execute, self._keep)
        async with aclosing(talk.run(request_iterator)) as answers:
            async for answer in answers:
                yield answer

    async def Execute(self, request: pb.ExecuteRequest, context: Any) -> pb.ExecuteReply:  # noqa: N802
        return await self._execute(request)

    async def _execute(self, request: pb.ExecuteRequest) -> pb.ExecuteReply:
        session = await self._sessions.get(request.session)
        limit = request.timeout_secs or self._settings.statement_timeout
        return await watched(
            session,
            request.query_id,
            limit,
            lambda: self._statements.run(session, request, context_of(request)),
        )

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelReply:  # noqa: N802
        was_running = self._sessions.cancel(request.session, request.query_id)
        return pb.CancelReply(was_running=was_running)

    async def Progress(self, request: pb.ProgressRequest, context: Any) -> pb.ProgressReply:  # noqa: N802
        return self._sessions.progress(request.session, request.query_id)

    async def FetchResult(  # noqa: N802
        self, request: pb.FetchResultRequest, context: Any
    ) -> AsyncIterator[pb.ResultBatch]:
        if min(request.offset, request.limit, request.max_rows) < 0:
            raise ValueInvalid("offset, limit and max_rows must not be negative.")
        kept, table = await self._sessions.thread(self._results.get, request.query_id)
        rows = min(request.max_rows or self._settings.results.batch_rows, _MAX_ROWS)
        first: Sequence[pb.ColumnType] = kept
        for piece in pieces(table, request.offset, request.limit, rows):
            yield pb.ResultBatch(
                columns=first, total_rows=table.num_rows, arrow_stream=columns.to_stream(piece)
            )
            first = ()

    async def KeepResult(  # noqa: N802
        self, request: pb.KeepResultRequest, context: Any
    ) -> pb.KeepResultReply:
        return await self._keep(request)

    async def _keep(self, request: pb.KeepResultRequest) -> pb.KeepResultReply:
        try:
            table = columns.from_stream(request.arrow_stream)
        except pa.ArrowInvalid as error:
            raise ValueInvalid("The rows are not an Arrow stream.") from error
        if len(request.columns) != table.num_columns:
            raise ValueInvalid("columns and arrow_stream differ in their number of columns.")
        await self._sessions.thread(
            lambda: self._results.put(
                request.query_id, list(request.columns), table, owner=request.user_uid
            )
        )
        return pb.KeepResultReply()

    async def ApplyDdl(self, request: pb.ApplyDdlRequest, context: Any) -> pb.ApplyDdlReply:  # noqa: N802
        await self._apply(request)
        return pb.ApplyDdlReply()

    async def ListObjects(  # noqa: N802
        self, request: pb.ListObjectsRequest, context: Any
    ) -> pb.ListObjectsReply:
        found = await self._sessions.thread(self._engine.objects, request)
        return pb.ListObjectsReply(objects=found)

    async def ChangeOwner(  # noqa: N802
        self, request: pb.ChangeOwnerRequest, context: Any
    ) -> pb.ChangeOwnerReply:
        await self._sessions.thread(self._engine.change_owner, request)
        return pb.ChangeOwnerReply()

    async def _apply(self, request: pb.ApplyDdlRequest) -> None:
        engine, thread = self._engine, self._sessions.thread
        uid, replace = request.uid, request.replace
        match request.WhichOneof("change"):
            case "create_database":
                name = request.create_database
                await thread(lambda: engine.create_database(name, replace=replace, uid=uid))
            case "drop_database":
                await thread(lambda: engine.drop_database(request.drop_database, uid=uid))
            case "create_schema":
                new = request.create_schema
                await thread(
                    lambda: engine.create_schema(
                        new.database, new.schema, replace=replace, uid=uid
                    )
                )
            case "drop_schema":
                old = request.drop_schema
                await thread(lambda: engine.drop_schema(old.database, old.schema, uid=uid))
            case "forget":
                await thread(engine.forget_room, request.forget)
            case _:
                raise RemoteError(Kind.INVALID, 1008, "22023", "ApplyDdl names no change.")


def context_of(request: pb.ExecuteRequest) -> Context:
    given = request.context
    return Context(
        session=request.session,
        user=given.user,
        role=given.role,
        warehouse=given.warehouse,
        database=given.database,
        schema=given.schema,
        account=given.account,
        organization=given.organization,
        client_app=given.client_app,
        client_version=given.client_version,
        last_query_id=given.last_query_id,
        parameters=dict(given.parameters),
        role_uid=given.role_uid,
        user_uid=given.user_uid,
        schemas={(one.database, one.schema): frozenset(one.privileges) for one in request.schemas}
        if request.restricted
        else None,
        roles=frozenset(request.roles),
        held={one.object: frozenset(one.privileges) for one in request.held},
        event_tables={
            (one.database, one.schema, one.name): OwnEventTable(
                one.uid, one.number, one.owner, one.owner_name, one.comment, one.created_on
            )
            for one in request.event_tables
        },
    )
