"""The warehouse as api calls it: sessions, statements, results, and room for databases."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pyarrow as pa

from snowcave.api.contract import Rights, SessionContext, ToWarehouse
from snowcave.api.conversation import Conversation, open_conversation
from snowcave.api.queries import encoding
from snowcave.api.settings import CallSettings
from snowcave.model.keys import Role
from snowcave.runtime import grpc
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import warehouse_pb2 as v1
from snowcave.v1 import warehouse_pb2_grpc as stubs

_PEER = "The warehouse"
# The warehouse ends a statement at its own limit; the call itself waits this much longer.
_MARGIN = 10.0


@dataclass(frozen=True)
class Fetched:
    """Rows of a result, from an offset on."""

    columns: Sequence[v1.ColumnType]
    total: int
    table: pa.Table


class Warehouse:
    """Raises what the warehouse raised, or Unavailable."""

    def __init__(
        self, stub: stubs.WarehouseServiceStub, talk: Conversation, calls: CallSettings
    ) -> None:
        self._stub = stub
        self.talk = talk
        self._calls = calls

    async def execute(
        self,
        statement: ToWarehouse,
        query_id: str,
        *,
        bindings: Sequence[v1.Binding] = (),
        timeout: float = 0.0,
        describe_only: bool = False,
        tentative: bool = False,
    ) -> v1.ExecuteReply:
        """Its session is opened by the first statement, and again after the warehouse was restarted."""
        request = v1.ExecuteRequest(
            session=statement.context.session_id,
            query_id=query_id,
            sql=statement.sql,
            context=context_message(statement.context),
            bindings=bindings,
            functions=statement.functions,
            stages=statement.stages,
            event_tables=statement.event_tables,
            timeout_secs=timeout,
            describe_only=describe_only,
            tentative=tentative,
        )
        if statement.rights is not None:
            _restrict(request, statement.rights)
        deadline = timeout + _MARGIN if timeout else None
        return await self.talk.execute(request, deadline)

    async def close_session(self, session: int) -> None:
        with translated(_PEER):
            await self._stub.CloseSession(
                v1.CloseWarehouseSession(session=session), timeout=self._calls.warehouse
            )

    async def cancel(self, session: int, query_id: str) -> bool:
        request = v1.CancelRequest(session=session, query_id=query_id)
        with translated(_PEER):
            reply = await self._stub.Cancel(request, timeout=self._calls.warehouse)
        return reply.was_running

    async def progress(self, session: int, query_id: str) -> v1.ProgressReply:
        """How far the service functions of a running statement have come."""
        request = v1.ProgressRequest(session=session, query_id=query_id)
        with translated(_PEER):
            return await self._stub.Progress(request, timeout=self._calls.warehouse)

    async def fetch(self, query_id: str, offset: int = 0, limit: int = 0) -> Fetched:
        """At most `limit` rows; 0: to the end."""
        request = v1.FetchResultRequest(query_id=query_id, offset=offset, limit=limit)
        columns: list[v1.ColumnType] = []
        total = 0
        tables: list[pa.Table] = []
        with translated(_PEER):
            async for batch in self._stub.FetchResult(request, timeout=self._calls.fetch):
                columns = columns or list(batch.columns)
                total = total or batch.total_rows
                if batch.arrow_stream:
                    tables.append(encoding.read_stream(batch.arrow_stream))
        table = pa.concat_tables(tables) if tables else pa.table({})
        return Fetched(columns, total, table)

    async def keep(
        self,
        context: SessionContext,
        query_id: str,
        columns: Sequence[v1.ColumnType],
        table: pa.Table,
    ) -> None:
        """Rows that api made, for RESULT_SCAN by the same user and for other replicas."""
        request = v1.KeepResultRequest(
            query_id=query_id,
            session=context.session_id,
            user_uid=context.user_uid,
            columns=columns,
            arrow_stream=encoding.write_stream(table),
        )
        await self.talk.keep(request, self._calls.warehouse)

    async def create_database(self, database: str, *, replace: bool = False, uid: int = 0) -> None:
        await self._apply(v1.ApplyDdlRequest(create_database=database, replace=replace, uid=uid))

    async def drop_database(self, database: str, *, uid: int = 0) -> None:
        await self._apply(v1.ApplyDdlRequest(drop_database=database, uid=uid))

    async def create_schema(
        self, database: str, schema: str, *, replace: bool = False, uid: int = 0
    ) -> None:
        name = v1.SchemaName(database=database, schema=schema)
        await self._apply(v1.ApplyDdlRequest(create_schema=name, replace=replace, uid=uid))

    async def drop_schema(self, database: str, schema: str, *, uid: int = 0) -> None:
        name = v1.SchemaName(database=database, schema=schema)
        await self._apply(v1.ApplyDdlRequest(drop_schema=name, uid=uid))

    async def forget_room(self, uid: int) -> None:
        await self._apply(v1.ApplyDdlRequest(forget=uid))

    async def objects(self, request: v1.ListObjectsRequest) -> list[v1.WarehouseObject]:
        with translated(_PEER):
            reply = await self._stub.ListObjects(request, timeout=self._calls.warehouse)
        return list(reply.objects)

    async def change_owner(self, uids: Sequence[int], owner: int, name: str) -> None:
        await self._change_owner(v1.ChangeOwnerRequest(uids=uids, owner=owner, owner_name=name))

    async def inherit(self, role: int, owner: int, name: str) -> None:
        await self._change_owner(
            v1.ChangeOwnerRequest(from_role=role, owner=owner, owner_name=name)
        )

    async def _change_owner(self, request: v1.ChangeOwnerRequest) -> None:
        with translated(_PEER):
            await self._stub.ChangeOwner(request, timeout=self._calls.warehouse)

    async def _apply(self, request: v1.ApplyDdlRequest) -> None:
        with translated(_PEER):
            await self._stub.ApplyDdl(request, timeout=self._calls.warehouse)


def _restrict(request: v1.ExecuteRequest, rights: Rights) -> None:
    request.restricted = True
    request.roles.extend(sorted(rights.roles))
    for (database, schema), privileges in sorted(rights.schemas.items()):
        request.schemas.add(database=database, schema=schema, privileges=sorted(privileges))
    for uid, privileges in sorted(rights.held.items()):
        request.held.add(object=uid, privileges=sorted(privileges))


def context_message(context: SessionContext) -> v1.SessionContext:
    return v1.SessionContext(
        user=context.user_name,
        role=context.role,
        role_uid=context.role_uid,
        user_uid=context.user_uid,
        warehouse=context.warehouse,
        database=context.database,
        schema=context.schema,
        account=context.account,
        organization=context.organization,
        parameters=context.parameters,
        client_app=context.client_app,
        client_version=context.client_version,
        last_query_id=context.last_query_id,
    )


@asynccontextmanager
async def open_warehouse(mesh: Mesh, calls: CallSettings) -> AsyncGenerator[Warehouse]:
    """Does not wait for the warehouse: what needs no ordinary SQL works without it."""
    address = mesh.grpc_address(Role.WAREHOUSE)
    async with grpc.connect(
        address, mesh.folder("tls"), me=Role.API, to=Role.WAREHOUSE
    ) as channel:
        stub = stubs.WarehouseServiceStub(channel)
        async with open_conversation(stub) as talk:
            yield Warehouse(stub, talk, calls)
