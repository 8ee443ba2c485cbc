"""A WarehouseService that knows a few words instead of SQL, and a runner that hands them to it.

select 1 | rows N | types | sleep S | nothing here | insert N | binds | kept ID
Runner: show things | use database X | bug; everything else goes to the warehouse.
"""

import asyncio
import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from snowcave.api.contract import (
    Column,
    Done,
    Outcome,
    QueryHandle,
    Rows,
    SessionContext,
    ToWarehouse,
    status,
)
from snowcave.api.queries.encoding import read_stream, write_stream
from snowcave.api.sql import tree
from snowcave.model.errors import Conflict, ObjectNotFound, QueryCancelled
from snowcave.model.keys import Role
from snowcave.runtime.grpc import serve
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as v1
from snowcave.v1 import warehouse_pb2_grpc as stubs
from snowcave.warehouse.conversation import Conversation

Result = tuple[list[v1.ColumnType], pa.Table]

# Results with more rows than this have to be fetched.
INLINE = 100


def fixed(name: str, scale: int = 0) -> v1.ColumnType:
    return v1.ColumnType(name=name, type="fixed", nullable=True, precision=38, scale=scale)


def text(name: str) -> v1.ColumnType:
    return v1.ColumnType(name=name, type="text", nullable=True, length=16777216)


class FakeWarehouse(stubs.WarehouseServiceServicer):
    def __init__(self) -> None:
        self.results: dict[str, Result] = {}
        self.executed: list[v1.ExecuteRequest] = []
        self.closed: list[int] = []
        self.running: dict[str, asyncio.Event] = {}
        self.started = asyncio.Event()
        # What it says of any running statement.
        self.progress = v1.ProgressReply()

    async def OpenSession(self, request: Any, context: Any) -> v1.OpenWarehouseSessionReply:  # noqa: N802
        return v1.OpenWarehouseSessionReply()

    async def Progress(self, request: Any, context: Any) -> v1.ProgressReply:  # noqa: N802
        return self.progress if request.query_id in self.running else v1.ProgressReply()

    async def CloseSession(  # noqa: N802
        self, request: v1.CloseWarehouseSession, context: Any
    ) -> v1.CloseWarehouseSessionReply:
        self.closed.append(request.session)
        return v1.CloseWarehouseSessionReply()

    async def Converse(  # noqa: N802
        self, request_iterator: AsyncIterator[v1.Questions], context: Any
    ) -> AsyncIterator[v1.Answers]:
        talk = Conversation(
            lambda request: self.Execute(request, context),
            lambda request: self.KeepResult(request, context),
        )
        async with aclosing(talk.run(request_iterator)) as answers:
            async for answer in answers:
                yield answer

    async def Execute(self, request: v1.ExecuteRequest, context: Any) -> v1.ExecuteReply:  # noqa: N802
        if request.tentative and request.query_id in self.results:
            raise Conflict("It ran before.")
        self.executed.append(request)
        self.started.set()
        word, _, argument = request.sql.strip().rstrip(";").partition(" ")
        kind, affected = 4096, 0
        match word.lower():
            case "sleep":
                await self._sleep(request.query_id, float(argument))
                result = [fixed("SLEPT")], pa.table({"a": [1]})
            case "insert" if not request.bindings:
                kind, affected = 12544, int(argument)
                result = [], pa.table({})
            case "insert" if request.bindings:
                kind, affected = 12544, len(request.bindings[0].values)
                result = [], pa.table({})
            case "nothing":
                raise ObjectNotFound("Table", argument.upper())
            case "select" if "result_scan" in argument:
                result = self.results[argument.split("'")[1]]
            case _:
                result = self._rows(word.lower(), argument, request)
        columns, table = result
        self.results[request.query_id] = result
        return v1.ExecuteReply(
            columns=columns,
            rows=table.num_rows,
            statement_type=kind,
            database=request.context.database,
            schema=request.context.schema,
            rows_affected=affected,
            arrow_stream=write_stream(table) if table.num_rows <= INLINE else b"",
        )

    async def _sleep(self, query_id: str, seconds: float) -> None:
        cancelled = self.running[query_id] = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await cancelled.wait()
            raise QueryCancelled
        except TimeoutError:
            pass
        finally:
            del self.running[query_id]

    def _rows(self, word: str, argument: str, request: v1.ExecuteRequest) -> Result:
        match word:
            case "select":
                return [fixed(argument)], pa.table({"a": [int(argument)]})
            case "rows":
                numbers = range(int(argument))
                names = [f"row {n}" for n in numbers]
                return [fixed("N"), text("NAME")], pa.table({"n": list(numbers), "name": names})
            case "binds":
                shown = [f"{b.type}:{[v.value for v in b.values]}" for b in request.bindings]
                return [text("BIND")], pa.table({"b": shown})
            case "types":
                return types()
            case _:
                raise AssertionError(word)

    async def Cancel(self, request: v1.CancelRequest, context: Any) -> v1.CancelReply:  # noqa: N802
        running = self.running.get(request.query_id)
        if running:
            running.set()
        return v1.CancelReply(was_running=running is not None)

    async def FetchResult(  # noqa: N802
        self, request: v1.FetchResultRequest, context: Any
    ) -> AsyncGenerator[v1.ResultBatch]:
        if request.query_id not in self.results:
            raise ObjectNotFound("Result", request.query_id)
        columns, table = self.results[request.query_id]
        part = table.slice(request.offset, request.limit or None)
        yield v1.ResultBatch(
            columns=columns, total_rows=table.num_rows, arrow_stream=write_stream(part)
        )

    async def KeepResult(self, request: v1.KeepResultRequest, context: Any) -> v1.KeepResultReply:  # noqa: N802
        self.results[request.query_id] = (
            list(request.columns),
            read_stream(request.arrow_stream),
        )
        return v1.KeepResultReply()

    def serve(self, mesh: Mesh) -> Any:
        return serve(
            Role.WAREHOUSE,
            [mesh.grpc_address(Role.WAREHOUSE)],
            mesh.folder("tls"),
            [
                (
                    "snowcave.v1.WarehouseService",
                    partial(stubs.add_WarehouseServiceServicer_to_server, self),
                )
            ],
            callers=[Role.API],
            grace=0.0,
        )


def types() -> Result:
    aware = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, datetime.UTC)
    moment = aware.replace(tzinfo=None)
    cells: list[tuple[str, int, pa.Array]] = [
        ("fixed", 0, pa.array([12, None])),
        ("fixed", 2, pa.array([Decimal("1.50"), None])),
        ("real", 0, pa.array([2.5, None])),
        ("text", 0, pa.array(["héllo", None])),
        ("boolean", 0, pa.array([True, None])),
        ("date", 0, pa.array([moment.date(), None])),
        ("time", 9, pa.array([moment.time(), None])),
        ("timestamp_ntz", 9, pa.array([moment, None])),
        ("timestamp_ltz", 9, pa.array([aware, None])),
        ("timestamp_tz", 9, pa.array([aware, None])),
        ("binary", 0, pa.array([b"\x00\xff", None])),
        ("variant", 0, pa.array(['{"a": 1}', None])),
    ]
    columns = [
        v1.ColumnType(name=f"C{n}", type=kind, scale=scale, nullable=True)
        for n, (kind, scale, _) in enumerate(cells)
    ]
    return columns, pa.table({f"C{n}": array for n, (_, _, array) in enumerate(cells)})


class FakeRunner:
    async def run(self, sql: str, context: SessionContext, query: QueryHandle) -> Outcome:
        match sql.strip().rstrip(";").split():
            case ["show", "things"]:
                columns = (Column("name"), Column("is_good", "boolean"), Column("size", "fixed"))
                return Done(Rows(columns, [("a", True, 1), (None, False, 2)]), context)
            case ["use", "database", name]:
                context.database, context.schema = name.upper(), "PUBLIC"
                return Done(status("Statement executed successfully."), context)
            case ["wait", seconds]:
                await asyncio.sleep(float(seconds))
                return Done(status("waited"), context)
            case ["bug"]:
                raise ZeroDivisionError
            case _:
                return ToWarehouse(sql, context, bindings=query.bindings)

    async def perform(
        self, statement: tree.Statement, context: SessionContext, query: QueryHandle
    ) -> Done:
        return Done(status(type(statement).__name__), context)
