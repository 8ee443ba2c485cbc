"""The warehouse as api sees it: its own process parts over gRPC with real certificates."""

import asyncio
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pyarrow as pa
import pytest

from snowcave.model.errors import Kind, SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from snowcave.warehouse import main
from snowcave.warehouse.settings import ResultSettings, WarehouseSettings
from tests.kit.ports import free_port_base

SLOW = (
    "SELECT count(*) FROM range(100000) a, range(1000000) b WHERE hash(a.range, b.range) % 7 = 0"
)
HERE = {"database": "TUTORIAL_DB", "schema": "DATA_SCHEMA", "role": "TEST_ROLE", "user": "BOB"}


class Client:
    def __init__(self, stub, session: int = 1, mesh: Mesh | None = None):
        self.stub = stub
        self.mesh = mesh or Mesh()
        self.session = session

    async def run(self, sql: str, *, query_id: str = "", **more) -> pb.ExecuteReply:
        request = pb.ExecuteRequest(
            session=self.session,
            query_id=query_id or str(uuid.uuid4()),
            sql=sql,
            context=pb.SessionContext(**(HERE | more.pop("context", {}))),
            **more,
        )
        with translated("warehouse"):
            return await self.stub.Execute(request, timeout=60)

    async def rows(self, sql: str, **more) -> list[Any]:
        return table_rows(table(await self.run(sql, **more)))

    async def fetch(self, query_id: str, **more) -> list[pb.ResultBatch]:
        with translated("warehouse"):
            return [
                batch
                async for batch in self.stub.FetchResult(
                    pb.FetchResultRequest(query_id=query_id, **more), timeout=30
                )
            ]


def table(reply) -> pa.Table:
    return pa.ipc.open_stream(reply.arrow_stream).read_all()


def table_rows(read: pa.Table) -> list[Any]:
    columns = [read.column(index).to_pylist() for index in range(read.num_columns)]
    return list(zip(*columns, strict=True))


@asynccontextmanager
async def warehouse(home: Path, **settings):
    mesh = Mesh(home=home, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    async with AsyncExitStack() as stack:
        await main.build(WarehouseSettings(mesh=mesh, **settings), Parts(stack, Health()))
        address = mesh.grpc_address(Role.WAREHOUSE)
        channel = await stack.enter_async_context(
            connect(address, mesh.folder("tls"), me=Role.API, to=Role.WAREHOUSE)
        )
        yield Client(stubs.WarehouseServiceStub(channel), mesh=mesh)


@asynccontextmanager
async def tutorial(home: Path, **settings):
    async with warehouse(home, **settings) as client:
        await client.stub.ApplyDdl(pb.ApplyDdlRequest(create_database="TUTORIAL_DB"))
        name = pb.SchemaName(database="TUTORIAL_DB", schema="DATA_SCHEMA")
        await client.stub.ApplyDdl(pb.ApplyDdlRequest(create_schema=name))
        yield client


async def test_a_table_is_made_filled_and_read(tmp_path):
    async with tutorial(tmp_path) as client:
        made = await client.run("CREATE TABLE messages (message_text VARCHAR)")
        assert table_rows(table(made)) == [("Table MESSAGES successfully created.",)]
        added = await client.run("INSERT INTO messages VALUES ('Thank you'), ('Hello')")
        assert (added.statement_type, added.rows_affected) == (12544, 2)
        read = await client.run("SELECT message_text, 1+1 FROM messages ORDER BY 1")
        assert [c.name for c in read.columns] == ["MESSAGE_TEXT", "1+1"]
        assert [c.type for c in read.columns] == ["text", "fixed"]
        assert table_rows(table(read)) == [("Hello", 2), ("Thank you", 2)]
        assert (read.statement_type, read.rows) == (4096, 2)


async def test_databases_and_results_survive_a_restart(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("CREATE TABLE kept AS SELECT 7 AS n")
        await client.run("SELECT n * 6 AS answer FROM kept", query_id="before")
    async with warehouse(tmp_path) as client:
        assert await client.rows("SELECT n FROM kept") == [(7,)]
        (batch,) = await client.fetch("before")
        assert table_rows(table(batch)) == [(42,)]
        assert [c.name for c in batch.columns] == ["ANSWER"]


async def test_a_repeated_statement_is_answered_again_and_not_run_again(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("CREATE TABLE once (n INT)")
        first = await client.run("INSERT INTO once VALUES (1), (2)", query_id="insert")
        again = await client.run("INSERT INTO once VALUES (1), (2)", query_id="insert")
        assert again == first
        assert await client.rows("SELECT count(*) FROM once") == [(2,)]
    async with tutorial(tmp_path) as client:
        after = await client.run("INSERT INTO once VALUES (1), (2)", query_id="insert")
        assert after.rows_affected == first.rows_affected == 2
        assert await client.rows("SELECT count(*) FROM once") == [(2,)]


async def test_a_tentative_query_is_refused_once_anything_is_kept_under_its_id(tmp_path):
    async with tutorial(tmp_path) as client:
        for number in (1, 2):  # the second time its plan is known
            first = await client.run("SELECT 1 AS a", query_id=f"q{number}", tentative=True)
            assert table_rows(table(first)) == [(1,)]
        with pytest.raises(SnowcaveError) as refused:
            await client.run("SELECT 1 AS a", query_id="q2", tentative=True)
        assert refused.value.kind is Kind.CONFLICT
        # What it answered is no answer to one that is not tentative, whose rows take their place.
        again = await client.run("SELECT 2 AS a", query_id="q2")
        assert table_rows(table(again)) == [(2,)]
        (batch,) = await client.fetch("q2")
        assert table_rows(table(batch)) == [(2,)]


async def test_a_result_is_read_again_by_result_scan_as_a_relation(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run(
            "SELECT column1 AS n, PARSE_JSON('{\"a\":1}') AS v FROM VALUES (1), (2), (3)",
            query_id="q1",
        )
        again = "SELECT n + 1, v:a FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) WHERE n > 1 ORDER BY 1"
        assert await client.rows(again, context={"last_query_id": "q1"}) == [(3, "1"), (4, "1")]
        with pytest.raises(SnowcaveError) as missing:
            await client.run("SELECT * FROM TABLE(RESULT_SCAN('nothing'))")
        assert missing.value.code == 709


async def test_another_user_may_not_read_a_result(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("SELECT 1 AS n", query_id="q1", context={"user_uid": 7})
        again = "SELECT n FROM TABLE(RESULT_SCAN('q1'))"
        assert await client.rows(again, context={"user_uid": 7}) == [(1,)]
        with pytest.raises(SnowcaveError) as refused:
            await client.rows(again, context={"user_uid": 8})
        assert (refused.value.code, refused.value.message) == (709, "Statement q1 not found")


async def test_rows_that_api_made_can_be_scanned_and_fetched(tmp_path):
    async with tutorial(tmp_path) as client:
        shown = pa.table({"name": ["A", "B"], "status": ["RUNNING", "PENDING"]})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, shown.schema) as writer:
            writer.write_table(shown)
        columns = [pb.ColumnType(name=n, type="text") for n in ("name", "status")]
        await client.stub.KeepResult(
            pb.KeepResultRequest(
                query_id="show",
                columns=columns,
                arrow_stream=sink.getvalue().to_pybytes(),
                user_uid=7,
            )
        )
        sql = "SELECT \"name\" FROM TABLE(RESULT_SCAN('show')) WHERE \"status\" = 'RUNNING'"
        assert await client.rows(sql, context={"user_uid": 7}) == [("A",)]
        with pytest.raises(SnowcaveError):
            await client.rows(sql)


async def test_a_large_result_is_fetched_in_pieces(tmp_path):
    small = ResultSettings(inline_bytes=1000)
    async with tutorial(tmp_path, results=small) as client:
        reply = await client.run(
            "SELECT seq4() AS n FROM TABLE(GENERATOR(ROWCOUNT => 10000))", query_id="large"
        )
        assert reply.rows == 10_000
        assert not reply.arrow_stream
        batches = await client.fetch("large", offset=10, limit=5000, max_rows=2000)
        assert [table(b).num_rows for b in batches] == [2000, 2000, 1000]
        assert {b.total_rows for b in batches} == {10_000}
        assert [len(b.columns) for b in batches] == [1, 0, 0]
        assert table(batches[0]).column(0)[0].as_py() == 10


async def test_a_cancelled_statement_ends_and_the_session_goes_on(tmp_path):
    async with tutorial(tmp_path) as client:
        running = asyncio.create_task(client.run(SLOW, query_id="slow"))
        async with asyncio.timeout(20):
            while not (
                await client.stub.Cancel(pb.CancelRequest(session=1, query_id="slow"))
            ).was_running:
                await asyncio.sleep(0.01)
            with pytest.raises(SnowcaveError) as cancelled:
                await running
        assert (cancelled.value.code, cancelled.value.sqlstate) == (604, "57014")
        assert await client.rows("SELECT 1") == [(1,)]


async def test_closing_a_session_ends_what_it_runs(tmp_path):
    async with tutorial(tmp_path) as client:
        running = asyncio.create_task(client.run(SLOW))
        async with asyncio.timeout(20):
            while not running.done():
                await client.stub.CloseSession(pb.CloseWarehouseSession(session=1))
        with pytest.raises(SnowcaveError) as cancelled:
            await running
        assert (cancelled.value.code, cancelled.value.sqlstate) == (604, "57014")
        assert await client.rows("SELECT 1") == [(1,)]


async def test_a_statement_over_its_limit_is_ended(tmp_path):
    async with tutorial(tmp_path) as client:
        with pytest.raises(SnowcaveError) as late:
            await client.run(SLOW, timeout_secs=0.2)
        assert late.value.code == 630
        assert await client.rows("SELECT 1") == [(1,)]


async def test_bindings_by_position_and_by_rows(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("CREATE TABLE bound (n INT, t VARCHAR, d DATE)")
        columns = [("FIXED", ["1", "2", "3"]), ("TEXT", ["a", None, "c"]), ("DATE", ["0"] * 3)]
        bindings = [
            pb.Binding(
                type=kind,
                is_array=True,
                values=[pb.BoundValue(is_null=v is None, value=v or "") for v in values],
            )
            for kind, values in columns
        ]
        added = await client.run("INSERT INTO bound VALUES (?, ?, ?)", bindings=bindings)
        assert added.rows_affected == 3
        one = [pb.Binding(type="FIXED", values=[pb.BoundValue(value="2")])]
        assert await client.rows(
            "SELECT t, d::varchar FROM bound WHERE n >= ? ORDER BY n", bindings=one
        ) == [
            (None, "1970-01-01"),
            ("c", "1970-01-01"),
        ]


async def test_concurrent_updates_of_one_row_all_succeed(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("CREATE TABLE counter AS SELECT 0 AS n")
        others = [Client(client.stub, session) for session in range(2, 6)]

        async def add(other: Client) -> None:
            for _ in range(10):
                await other.run("UPDATE counter SET n = n + 1")

        await asyncio.gather(*(add(other) for other in others))
        assert await client.rows("SELECT n FROM counter") == [(40,)]


async def test_a_replaced_database_is_empty_and_a_dropped_one_is_gone(tmp_path):
    async with tutorial(tmp_path) as client:
        await client.run("CREATE TABLE t AS SELECT 1 AS a")
        await client.stub.ApplyDdl(pb.ApplyDdlRequest(create_database="TUTORIAL_DB", replace=True))
        with pytest.raises(SnowcaveError):
            await client.run("SELECT * FROM TUTORIAL_DB.DATA_SCHEMA.t")
        for _ in range(2):
            await client.stub.ApplyDdl(pb.ApplyDdlRequest(drop_database="TUTORIAL_DB"))
        assert not list((tmp_path / "warehouse" / "databases").iterdir())


async def test_sessions_that_nobody_uses_make_room(tmp_path):
    async with tutorial(tmp_path, max_sessions=2) as client:
        for session in (1, 2, 3, 4, 1):
            assert await Client(client.stub, session).rows("SELECT 1") == [(1,)]


async def test_only_api_and_admin_may_call(tmp_path):
    async with warehouse(tmp_path) as client:
        address = client.mesh.grpc_address(Role.WAREHOUSE)
        folder = client.mesh.folder("tls")
        async with connect(address, folder, me=Role.AGENT, to=Role.WAREHOUSE) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stubs.WarehouseServiceStub(channel).OpenSession(
                    pb.OpenWarehouseSession(session=1)
                )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
