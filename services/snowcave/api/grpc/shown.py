"""ServiceCatalog and NodeService: what SHOW and DESCRIBE have, as messages.

There is one account of each object, the statement's: a message takes from a row the columns that it has
fields for.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from snowcave.api.contract import Cell, QueryHandle, StatementRunner
from snowcave.api.grpc.callers import GrpcCallers
from snowcave.api.sql import tree
from snowcave.api.sql.cursor import parse_name
from snowcave.kit import ids
from snowcave.model.errors import ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import catalog_pb2 as v1
from snowcave.v1 import catalog_pb2_grpc as stubs

SERVICE_CATALOG, NODE_SERVICE = "snowcave.v1.ServiceCatalog", "snowcave.v1.NodeService"
_ACCOUNT = tree.Scope("account")
M = TypeVar("M", bound=Message)
Row = Mapping[str, Cell]


class Shows:
    """Statements that only look, in the name of a session."""

    def __init__(self, callers: GrpcCallers, runner: StatementRunner, limit: float) -> None:
        self._callers = callers
        self._runner = runner
        # Seconds.
        self._limit = limit

    async def look(self, token: str, call: Any, statement: tree.Statement) -> list[Row]:
        """`call`: gRPC's context. Raises SnowcaveError, TimeoutError."""
        context = await self._callers.context(token, call)
        handle = QueryHandle(ids.query_id(ids.system_random()), self._limit)
        async with asyncio.timeout(self._limit):
            done = await self._runner.perform(statement, context, handle)
        columns = [column.name for column in done.rows.columns]
        return [dict(zip(columns, row, strict=True)) for row in done.rows.rows]


class ServiceCatalogServicer(stubs.ServiceCatalogServicer):
    def __init__(self, shows: Shows) -> None:
        self._shows = shows

    async def ListServices(  # noqa: N802
        self, request: v1.ListServicesRequest, context: Any
    ) -> v1.ListServicesReply:
        show = tree.Show(
            "SERVICES",
            like=request.like or None,
            scope=_scope(request),
            limit=request.limit or None,
            from_name=request.after or None,
        )
        rows = await self._shows.look(request.token, context, show)
        return v1.ListServicesReply(services=messages(v1.ServiceInfo, rows))

    async def GetService(self, request: v1.ServiceRequest, context: Any) -> v1.ServiceInfo:  # noqa: N802
        statement = tree.Describe("service", named(request.service))
        (row,) = await self._shows.look(request.token, context, statement)
        return message(v1.ServiceInfo, row)

    async def ListEndpoints(  # noqa: N802
        self, request: v1.ServiceRequest, context: Any
    ) -> v1.ListEndpointsReply:
        rows = await self._parts("ENDPOINTS", request, context)
        return v1.ListEndpointsReply(endpoints=messages(v1.EndpointInfo, rows))

    async def ListInstances(  # noqa: N802
        self, request: v1.ServiceRequest, context: Any
    ) -> v1.ListInstancesReply:
        rows = await self._parts("SERVICE INSTANCES", request, context)
        found = (row for row in rows if row["instance_id"] is not None)
        return v1.ListInstancesReply(instances=messages(v1.InstanceInfo, found))

    async def ListContainers(  # noqa: N802
        self, request: v1.ServiceRequest, context: Any
    ) -> v1.ListContainersReply:
        rows = await self._parts("SERVICE CONTAINERS", request, context)
        # A service without instances is shown as one row that names none.
        found = (row for row in rows if row["container_name"] is not None)
        return v1.ListContainersReply(containers=messages(v1.ContainerInfo, found))

    async def _parts(self, kind: str, request: v1.ServiceRequest, context: Any) -> list[Row]:
        scope = tree.Scope("service", named(request.service))
        return await self._shows.look(request.token, context, tree.Show(kind, scope=scope))


class NodeServicer(stubs.NodeServiceServicer):
    def __init__(self, shows: Shows) -> None:
        self._shows = shows

    async def ListComputePools(  # noqa: N802
        self, request: v1.ListComputePoolsRequest, context: Any
    ) -> v1.ListComputePoolsReply:
        show = tree.Show("COMPUTE POOLS", like=request.like or None)
        rows = await self._shows.look(request.token, context, show)
        return v1.ListComputePoolsReply(compute_pools=messages(v1.ComputePoolInfo, rows))

    async def ListNodes(  # noqa: N802
        self, request: v1.ListNodesRequest, context: Any
    ) -> v1.ListNodesReply:
        scope = tree.Scope("compute_pool", named(request.compute_pool))
        rows = await self._shows.look(request.token, context, tree.Show("NODES", scope=scope))
        return v1.ListNodesReply(nodes=messages(v1.NodeInfo, rows))


def _scope(request: v1.ListServicesRequest) -> tree.Scope:
    if request.schema and request.compute_pool:
        raise ValueInvalid("schema", request.schema)
    if request.compute_pool:
        return tree.Scope("compute_pool", named(request.compute_pool))
    if not request.schema:
        return _ACCOUNT
    # The parser reads the last part of a name as the object's own.
    found = named(request.schema)
    return tree.Scope("schema", ObjectName(found.name, database=found.schema or ""))


def named(text: str) -> ObjectName:
    """Raises SnowcaveError."""
    return parse_name(text)


def messages(kind: type[M], rows: Iterable[Row]) -> list[M]:
    return [message(kind, row) for row in rows]


def message(kind: type[M], row: Row) -> M:
    """Columns without a field, and cells without a value, are left out."""
    made = kind()
    for field in made.DESCRIPTOR.fields:
        if (cell := row.get(field.name)) is not None:
            _set(made, field, cell)
    return made


def _set(made: Message, field: Any, cell: Cell) -> None:
    if field.message_type is not None:
        assert isinstance(cell, datetime)
        getattr(made, field.name).FromDatetime(cell.astimezone(UTC))
    elif field.type == FieldDescriptor.TYPE_BOOL:
        setattr(made, field.name, str(cell).lower() == "true")
    elif field.type == FieldDescriptor.TYPE_INT32:
        setattr(made, field.name, int(str(cell)))
    else:
        setattr(made, field.name, str(cell))
