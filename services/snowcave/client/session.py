"""A session with Snowcave: statements one after another, and what they would show as messages."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from grpc.aio import Channel

from snowcave.client.functions import Functions
from snowcave.runtime.outcomes import translated
from snowcave.v1 import catalog_pb2, catalog_pb2_grpc, sql_pb2_grpc, warehouse_pb2
from snowcave.v1 import sql_pb2 as v1

# Seconds.
LOGIN = 30.0
_LOOK = 60.0


@dataclass(slots=True)
class Result:
    """All rows of one statement."""

    columns: list[warehouse_pb2.ColumnType] = field(default_factory=list[warehouse_pb2.ColumnType])
    rows: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    query_id: str = ""


class Session:
    """Made by `connect`. Names are identifiers as in SQL: unquoted ones are folded to upper case."""

    def __init__(self, channel: Channel, token: str) -> None:
        self._sql = sql_pb2_grpc.SqlServiceStub(channel)
        self._catalog = catalog_pb2_grpc.ServiceCatalogStub(channel)
        self._nodes = catalog_pb2_grpc.NodeServiceStub(channel)
        self._token = token
        # Service functions, called on rows without SQL.
        self.functions = Functions(channel, token)

    # ------------------------------------------------------------ statements

    async def execute(
        self, sql: str, on_progress: Callable[[v1.SqlProgress], None] | None = None
    ) -> Result:
        """Raises SnowcaveError. Cancelling it cancels the statement.

        `on_progress` is told now and then how far its service functions have come.
        """
        result = Result()
        async for reply in self._replies(sql):
            if reply.HasField("progress"):
                if on_progress is not None:
                    on_progress(reply.progress)
                continue
            if reply.query_id:
                result.query_id = reply.query_id
            if reply.columns:
                result.columns = list(reply.columns)
            if reply.arrow_stream:
                table = pa.ipc.open_stream(reply.arrow_stream).read_all()
                columns = [column.to_pylist() for column in table.columns]
                result.rows += zip(*columns, strict=True)
        return result

    async def _replies(self, sql: str) -> AsyncIterator[v1.SqlReply]:
        with translated("The api"):
            async for reply in self._sql.Execute(v1.SqlRequest(token=self._token, sql=sql)):
                yield reply

    async def follow_logs(
        self, service: str, instance_id: int = 0, container: str = "", *, tail_lines: int = 100
    ) -> AsyncIterator[bytes]:
        """What a container says, as it says it, after its last lines (1 to 1000). Raises SnowcaveError."""
        request = v1.FollowLogsRequest(
            token=self._token,
            service=service,
            instance_id=instance_id,
            container=container,
            tail_lines=tail_lines,
        )
        with translated("The api"):
            async for reply in self._sql.FollowLogs(request):
                yield reply.text

    # ------------------------------------------------------------ what there is

    async def services(
        self,
        *,
        like: str = "",
        schema: str = "",
        compute_pool: str = "",
        limit: int = 0,
        after: str = "",
    ) -> Sequence[catalog_pb2.ServiceInfo]:
        """Of the account, a schema or a pool, in the order of their names. Raises SnowcaveError."""
        request = catalog_pb2.ListServicesRequest(
            token=self._token,
            like=like,
            schema=schema,
            compute_pool=compute_pool,
            limit=limit,
            after=after,
        )
        with translated("The api"):
            return (await self._catalog.ListServices(request, timeout=_LOOK)).services

    async def service(self, name: str) -> catalog_pb2.ServiceInfo:
        """Raises SnowcaveError."""
        with translated("The api"):
            return await self._catalog.GetService(self._of(name), timeout=_LOOK)

    async def endpoints(self, service: str) -> Sequence[catalog_pb2.EndpointInfo]:
        """Raises SnowcaveError."""
        with translated("The api"):
            reply = await self._catalog.ListEndpoints(self._of(service), timeout=_LOOK)
        return reply.endpoints

    async def instances(self, service: str) -> Sequence[catalog_pb2.InstanceInfo]:
        """Raises SnowcaveError."""
        with translated("The api"):
            reply = await self._catalog.ListInstances(self._of(service), timeout=_LOOK)
        return reply.instances

    async def containers(self, service: str) -> Sequence[catalog_pb2.ContainerInfo]:
        """Raises SnowcaveError."""
        with translated("The api"):
            reply = await self._catalog.ListContainers(self._of(service), timeout=_LOOK)
        return reply.containers

    async def compute_pools(self, *, like: str = "") -> Sequence[catalog_pb2.ComputePoolInfo]:
        """Raises SnowcaveError."""
        request = catalog_pb2.ListComputePoolsRequest(token=self._token, like=like)
        with translated("The api"):
            return (await self._nodes.ListComputePools(request, timeout=_LOOK)).compute_pools

    async def nodes(self, compute_pool: str) -> Sequence[catalog_pb2.NodeInfo]:
        """Raises SnowcaveError."""
        request = catalog_pb2.ListNodesRequest(token=self._token, compute_pool=compute_pool)
        with translated("The api"):
            return (await self._nodes.ListNodes(request, timeout=_LOOK)).nodes

    def _of(self, service: str) -> catalog_pb2.ServiceRequest:
        return catalog_pb2.ServiceRequest(token=self._token, service=service)
