"""SELECT f(x): warehouse, router and a service, each behind its real protocol."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

from snowcave.functions.settings import FunctionsSettings, HttpSettings
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from snowcave.warehouse import main
from snowcave.warehouse.settings import WarehouseSettings
from tests.kit.ports import free_port_base
from tests.kit.service_functions import Router, Service, a_router, a_service, answer, echo, served

ECHO = 1


@dataclass
class Mesher:
    stub: Any
    router: Router
    service: Service
    bindings: list[pb.FunctionBinding]

    async def declare(
        self, uid: int, name: str, types: Sequence[str], returns: str, **more: Any
    ) -> None:
        arguments = [state.Argument(name=f"A{n}", type=t) for n, t in enumerate(types)]
        await self.router.catalog.add_function(uid, arguments=arguments, returns=returns, **more)
        await self.router.settled(uid, 1)
        self.bindings.append(
            pb.FunctionBinding(
                function=uid,
                database="TUTORIAL_DB",
                schema="DATA_SCHEMA",
                name=name,
                argument_types=types,
                returns=returns,
                spellings=[name, f"DATA_SCHEMA.{name}"],
            )
        )

    async def run(self, sql: str, **more: Any) -> pb.ExecuteReply:
        request = pb.ExecuteRequest(
            session=more.pop("session", 1),
            query_id=more.pop("query_id", str(uuid.uuid4())),
            sql=sql,
            context=pb.SessionContext(
                database="TUTORIAL_DB", schema="DATA_SCHEMA", role="TEST_ROLE", user="BOB"
            ),
            functions=self.bindings,
            **more,
        )
        with translated("warehouse"):
            return await self.stub.Execute(request, timeout=60)

    async def rows(self, sql: str, **more) -> list[Any]:
        reply = await self.run(sql, **more)
        read = pa.ipc.open_stream(reply.arrow_stream).read_all()
        columns = [read.column(n).to_pylist() for n in range(read.num_columns)]
        return list(zip(*columns, strict=True))


@asynccontextmanager
async def meshed(home, behave=echo):
    mesh = Mesh(home=home, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    settings = FunctionsSettings(
        mesh=mesh, http=HttpSettings(backoff_base=0.001, backoff_cap=0.01)
    )
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        service = await enter(a_service(behave))
        router = await enter(a_router(settings))
        await router.catalog.add_service(service)
        await enter(served(router, settings))
        await main.build(WarehouseSettings(mesh=mesh), Parts(stack, Health()))
        address = mesh.grpc_address(Role.WAREHOUSE)
        channel = await enter(connect(address, mesh.folder("tls"), me=Role.API, to=Role.WAREHOUSE))
        mesher = Mesher(stubs.WarehouseServiceStub(channel), router, service, [])
        await mesher.stub.ApplyDdl(pb.ApplyDdlRequest(create_database="TUTORIAL_DB"))
        name = pb.SchemaName(database="TUTORIAL_DB", schema="DATA_SCHEMA")
        await mesher.stub.ApplyDdl(pb.ApplyDdlRequest(create_schema=name))
        await mesher.declare(ECHO, "MY_ECHO_UDF", ["VARCHAR"], "VARCHAR")
        yield mesher


async def test_the_echo_tutorial_s_two_queries(tmp_path):
    async with meshed(tmp_path) as mesher:
        one = await mesher.run("SELECT my_echo_udf('hello!');")
        assert [c.name for c in one.columns] == ["MY_ECHO_UDF('HELLO!')"]
        assert await mesher.rows("SELECT my_echo_udf('hello!')") == [("Bob said hello!",)]
        await mesher.run(
            "CREATE TABLE messages AS SELECT column1 AS message_text "
            "FROM VALUES ('Thank you'), ('Hello'), ('Hello World')"
        )
        table = await mesher.run("SELECT my_echo_udf(message_text) FROM messages")
        assert [c.name for c in table.columns] == ["MY_ECHO_UDF(MESSAGE_TEXT)"]
        read = pa.ipc.open_stream(table.arrow_stream).read_all()
        assert read.column(0).to_pylist() == [
            "Bob said Thank you",
            "Bob said Hello",
            "Bob said Hello World",
        ]


BOB = "Bob said "
ANYWHERE: list[tuple[str, list[Any]]] = [
    (
        "SELECT id, upper(my_echo_udf(t)) AS u FROM m ORDER BY id",
        [(1, "BOB SAID A"), (2, "BOB SAID B"), (3, "BOB SAID C")],
    ),
    (
        "SELECT my_echo_udf(t) || id FROM m WHERE id > 1 ORDER BY id DESC",
        [(BOB + "c3",), (BOB + "b2",)],
    ),
    ("SELECT my_echo_udf(t) AS r FROM m ORDER BY r DESC LIMIT 1", [(BOB + "c",)]),
    ("SELECT my_echo_udf(t), id FROM m ORDER BY 1 DESC LIMIT 1 OFFSET 1", [(BOB + "b", 2)]),
    (
        "SELECT *, data_schema.my_echo_udf(t) AS r FROM m ORDER BY id LIMIT 1",
        [(1, "a", BOB + "a")],
    ),
    ("SELECT my_echo_udf(my_echo_udf(t)) FROM m ORDER BY id LIMIT 1", [(BOB + BOB + "a",)]),
    (
        "SELECT my_echo_udf(t), my_echo_udf(id) FROM m ORDER BY id LIMIT 1",
        [(BOB + "a", BOB + "1")],
    ),
    ("SELECT id FROM m WHERE my_echo_udf(t) = 'Bob said b'", [(2,)]),
    ("SELECT count(my_echo_udf(t)) FROM m", [(3,)]),
    (
        "SELECT x.id FROM m x JOIN m y ON my_echo_udf(x.t) = 'Bob said ' || y.t ORDER BY 1",
        [(1,), (2,), (3,)],
    ),
    ("WITH c AS (SELECT t FROM m WHERE id = 3) SELECT my_echo_udf(t) FROM c", [(BOB + "c",)]),
    ("SELECT r FROM (SELECT my_echo_udf(t) AS r FROM m) WHERE r LIKE '%b'", [(BOB + "b",)]),
    (
        "SELECT CASE WHEN id = 2 THEN my_echo_udf(t) ELSE 'no' END FROM m ORDER BY id",
        [("no",), (BOB + "b",), ("no",)],
    ),
    ("SELECT DISTINCT my_echo_udf('x') FROM m", [(BOB + "x",)]),
    (
        "SELECT id, my_echo_udf(t) AS d FROM m WHERE my_echo_udf(t) > 'Bob said b'",
        [(3, BOB + "c")],
    ),
    (
        "SELECT my_echo_udf(t), COUNT(*) FROM m GROUP BY my_echo_udf(t) ORDER BY 1 LIMIT 2",
        [(BOB + "a", 1), (BOB + "b", 1)],
    ),
    (
        "SELECT my_echo_udf(t) AS d, d || '!' FROM m WHERE d LIKE '%c'",
        [(BOB + "c", BOB + "c!")],
    ),
    (
        "SELECT id, ROW_NUMBER() OVER (ORDER BY my_echo_udf(t) DESC) AS r FROM m ORDER BY id",
        [(1, 3), (2, 2), (3, 1)],
    ),
    ("SELECT my_echo_udf(t) FROM m WHERE id > 100", []),
]


@pytest.mark.parametrize(("sql", "expected"), ANYWHERE)
async def test_calls_work_wherever_an_expression_may_stand(tmp_path, sql, expected):
    async with meshed(tmp_path) as mesher:
        await mesher.run(
            "CREATE TABLE m AS SELECT column1 AS id, column2 AS t FROM VALUES (1, 'a'), (2, 'b'), (3, 'c')"
        )
        assert await mesher.rows(sql) == expected


async def test_a_role_s_call_goes_on_though_something_was_defined_meanwhile(tmp_path):
    """Its rights are looked at again then, by the text that it was sent as."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def wait_first(request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        asked.set()
        await go_on.wait()
        return await echo(request, rows)

    async with meshed(tmp_path, wait_first) as mesher:
        rights = {
            "restricted": True,
            "schemas": [pb.SchemaName(database="TUTORIAL_DB", schema="DATA_SCHEMA")],
            "roles": [7],
        }
        calling = asyncio.create_task(mesher.rows("SELECT my_echo_udf('a')", **rights))
        async with asyncio.timeout(30):
            await asked.wait()
            await mesher.run("CREATE TABLE other AS SELECT 1 AS a", session=2)
            go_on.set()
            assert await calling == [("Bob said a",)]


async def test_only_the_rows_within_the_limit_are_sent(tmp_path):
    async with meshed(tmp_path) as mesher:
        await mesher.run(
            "CREATE TABLE m AS SELECT seq4() AS id FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
        )
        await mesher.rows("SELECT my_echo_udf(id) FROM m ORDER BY id LIMIT 3")
        assert [row[1] for row in mesher.service.rows] == ["0", "1", "2"]


async def test_answers_fill_tables(tmp_path):
    async with meshed(tmp_path) as mesher:
        await mesher.run("CREATE TABLE a AS SELECT my_echo_udf('x') AS r")
        await mesher.run("INSERT INTO a SELECT my_echo_udf('y')")
        await mesher.run("UPDATE a SET r = my_echo_udf('z') WHERE r LIKE '%y'")
        assert await mesher.rows("SELECT r FROM a ORDER BY 1") == [
            ("Bob said x",),
            ("Bob said z",),
        ]


async def test_every_row_goes_once_and_comes_back_in_its_place(tmp_path):
    async with meshed(tmp_path) as mesher:
        await mesher.run(
            "CREATE TABLE m AS SELECT seq4() AS id FROM TABLE(GENERATOR(ROWCOUNT => 30000))"
        )
        wrong = "SELECT count(*) FROM (SELECT id, my_echo_udf(id) AS r FROM m) WHERE r <> 'Bob said ' || id"
        await mesher.run("CREATE TABLE done AS SELECT id, my_echo_udf(id) AS r FROM m")
        assert len(mesher.service.rows) == 30_000
        assert {row[1] for row in mesher.service.rows} == {str(n) for n in range(30_000)}
        assert await mesher.rows("SELECT count(*) FROM done WHERE r = 'Bob said ' || id") == [
            (30_000,)
        ]
        assert await mesher.rows(wrong) == [(0,)]


@asynccontextmanager
async def writing(home):
    """A table is being filled with answers, of which all have come but the last; says how those end."""
    waits, refuse = asyncio.Event(), asyncio.Event()

    async def hold_the_last_back(
        request: web.Request, rows: list[list[Any]]
    ) -> web.StreamResponse:
        if any(row[1] == "49999" for row in rows):
            waits.set()
            await refuse.wait()
            return web.Response(status=400, text="not that one")
        return await echo(request, rows)

    async with meshed(home, hold_the_last_back) as mesher, asyncio.timeout(60):
        await mesher.run("CREATE TABLE done AS SELECT 1 AS old")
        await mesher.run(
            "CREATE TABLE m AS SELECT seq4() AS id FROM TABLE(GENERATOR(ROWCOUNT => 50000))"
        )
        sql = "CREATE OR REPLACE TABLE done AS SELECT id, my_echo_udf(id) AS r FROM m"
        running = asyncio.create_task(mesher.run(sql, query_id="q"))
        await waits.wait()
        while mesher.service.busy > 1:
            await asyncio.sleep(0.01)
        yield mesher, running, refuse
        assert await mesher.rows("SELECT * FROM done") == [(1,)]
        assert await mesher.rows("SELECT my_echo_udf('a')") == [("Bob said a",)]


async def test_a_failure_of_the_last_rows_leaves_the_table_as_it_was(tmp_path):
    async with writing(tmp_path) as (_, running, refuse):
        refuse.set()
        with pytest.raises(SnowcaveError, match="400 'not that one'") as failed:
            await running
        assert failed.value.code == 395090


async def test_a_table_that_is_being_filled_can_be_cancelled(tmp_path):
    async with writing(tmp_path) as (mesher, running, _):
        await mesher.stub.Cancel(pb.CancelRequest(session=1, query_id="q"))
        with pytest.raises(SnowcaveError) as cancelled:
            await running
        assert cancelled.value.code == 604
        while mesher.service.busy or not mesher.router.lanes.is_idle:
            await asyncio.sleep(0.01)


async def test_types_go_over_the_wire_as_documented_and_come_back_typed(tmp_path):
    async def identity(_request: web.Request, rows: list[Any]) -> web.StreamResponse:
        return answer([[row[0], row[1:]] for row in rows])

    async with meshed(tmp_path, identity) as mesher:
        types = (  # as api writes them
            "NUMBER(38,0) NUMBER(10,2) FLOAT BOOLEAN DATE TIMESTAMP_NTZ(9) BINARY(8388608) VARIANT "
            "VARCHAR(16777216)"
        )
        await mesher.declare(2, "ALL_OF", list(types.split()), "VARIANT")
        await mesher.rows(
            "SELECT all_of(1234567890123456789, 1.5, 0.25, true, '2014-01-01', "
            "'2014-01-01 16:00:00', TO_BINARY('AB', 'HEX'), PARSE_JSON('{\"a\":[1]}'), 'x')"
        )
        (_, headers, _), *_ = mesher.service.requests
        assert headers["sf-external-function-format"] == "json"
        assert mesher.service.rows == [
            [
                *(0, 1234567890123456789, 1.5, 0.25, True),
                *("2014-01-01", "2014-01-01 16:00:00", "AB", {"a": [1]}, "x"),
            ]
        ]


async def test_a_plan_shows_the_overload_that_would_be_called_and_calls_none(tmp_path):
    async with meshed(tmp_path) as mesher:
        await mesher.declare(2, "TWICE", ["VARCHAR"], "VARCHAR")
        await mesher.declare(3, "TWICE", ["NUMBER(38,0)"], "NUMBER(38,0)")
        await mesher.run(
            "CREATE TABLE m AS SELECT column1 AS n, column2 AS t FROM VALUES (1, 'a')"
        )
        for column, is_number in (("n", True), ("t", False)):
            sql = f"EXPLAIN USING TEXT SELECT twice({column}) AS a FROM m"
            ((plan,),) = await mesher.rows(sql)
            assert "TUTORIAL_DB.DATA_SCHEMA.TWICE(" in plan
            assert ("DECIMAL(38, 0)" in plan) is is_number
        rows = await mesher.rows("EXPLAIN SELECT my_echo_udf(t), COUNT(*) FROM m GROUP BY 1")
        assert any("TUTORIAL_DB.DATA_SCHEMA.MY_ECHO_UDF(" in (row[6] or "") for row in rows)
        assert mesher.service.requests == []


async def test_numbers_come_back_as_numbers(tmp_path):
    async def double(_request: web.Request, rows: list[Any]) -> web.StreamResponse:
        return answer([[row[0], row[1] * 2] for row in rows])

    async with meshed(tmp_path, double) as mesher:
        await mesher.declare(2, "TWICE", ["NUMBER(38,0)"], "NUMBER(38,0)")
        reply = await mesher.run("SELECT twice(21) + 1")
        assert reply.columns[0].type == "fixed"
        assert await mesher.rows("SELECT twice(21) + 1") == [(43,)]


async def test_a_failing_service_fails_the_query_with_its_reason(tmp_path):
    async def refuse(_request: web.Request, _rows: list[Any]) -> web.StreamResponse:
        return web.Response(status=400, text="no such word")

    async with meshed(tmp_path, refuse) as mesher:
        for sql in ("SELECT my_echo_udf('a')", "SELECT 1 WHERE my_echo_udf('a') = 'b'"):
            with pytest.raises(SnowcaveError, match="400 'no such word'") as failed:
                await mesher.run(sql)
            assert failed.value.code == 395090
        assert await mesher.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize("end", ["", "CREATE TABLE kept AS "])
async def test_a_failure_ends_the_other_calls_of_the_query(tmp_path, end):
    begun = asyncio.Event()

    async def refuse_or_hang(_request: web.Request, rows: list[Any]) -> web.StreamResponse:
        if rows[0][1] == "wait":
            begun.set()
            await asyncio.Event().wait()
        await begun.wait()
        return web.Response(status=400, text="no such word")

    async with meshed(tmp_path, refuse_or_hang) as mesher, asyncio.timeout(60):
        with pytest.raises(SnowcaveError, match="400 'no such word'"):
            await mesher.run(f"{end}SELECT my_echo_udf('wait') AS a, my_echo_udf('b') AS b")
        while mesher.service.busy or not mesher.router.lanes.is_idle:
            await asyncio.sleep(0.01)


async def test_a_failing_service_is_asked_once_where_its_calls_may_be_made_early(tmp_path):
    async def refuse(_request: web.Request, _rows: list[Any]) -> web.StreamResponse:
        return web.Response(status=400, text="no such word")

    async with meshed(tmp_path, refuse) as mesher:
        with pytest.raises(SnowcaveError, match="400 'no such word'"):
            await mesher.run("SELECT my_echo_udf('a') AS d, d || '!' AS e")
        assert len(mesher.service.requests) == 1


async def test_a_service_that_is_not_ready_is_named(tmp_path):
    async with meshed(tmp_path) as mesher:
        await mesher.router.catalog.set_endpoint(0, mesher.service.port, ready=False)
        await mesher.router.settled(ECHO, 0)
        # Every time, also where the refusal crosses the arguments on their way.
        for _ in range(50):
            with pytest.raises(SnowcaveError, match=r"ECHO_SERVICE.*not ready.*RUNNING"):
                await mesher.run("SELECT my_echo_udf('a')")


@pytest.mark.parametrize(
    "sql", ["SELECT my_echo_udf('a')", "SELECT 1 WHERE my_echo_udf('a') = 'b'"]
)
async def test_cancelling_ends_the_requests_at_once(tmp_path, sql):
    begun = asyncio.Event()

    async def hang(_request: web.Request, _rows: list[Any]) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with meshed(tmp_path, hang) as mesher, asyncio.timeout(20):
        running = asyncio.create_task(mesher.run(sql, query_id="q"))
        await begun.wait()
        await mesher.stub.Cancel(pb.CancelRequest(session=1, query_id="q"))
        with pytest.raises(SnowcaveError) as cancelled:
            await running
        assert cancelled.value.code == 604
        while mesher.service.busy:
            await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["session closed", "timeout", "client gone"])
@pytest.mark.parametrize(
    "sql", ["SELECT my_echo_udf('a')", "SELECT 1 WHERE my_echo_udf('a') = 'b'"]
)
async def test_a_statement_that_ends_early_leaves_nothing_at_the_service(tmp_path, sql, how):
    begun = asyncio.Event()

    async def hang(_request: web.Request, _rows: list[Any]) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with meshed(tmp_path, hang) as mesher, asyncio.timeout(60):
        limit = {"timeout_secs": 1.0} if how == "timeout" else {}
        running = asyncio.create_task(mesher.run(sql, **limit))
        await begun.wait()
        if how == "session closed":
            await mesher.stub.CloseSession(pb.CloseWarehouseSession(session=1))
        elif how == "client gone":
            running.cancel()
        await asyncio.wait([running])
        while mesher.service.busy or not mesher.router.lanes.is_idle:
            await asyncio.sleep(0.01)


async def test_a_wrong_number_of_arguments_is_said(tmp_path):
    async with meshed(tmp_path) as mesher:
        with pytest.raises(SnowcaveError, match="Invalid argument types for function") as wrong:
            await mesher.run("SELECT my_echo_udf('a', 'b')")
        assert wrong.value.code == 1044


async def test_overloads_are_told_apart_by_types_when_described_and_when_run(tmp_path):
    async def identity(_request: web.Request, rows: list[Any]) -> web.StreamResponse:
        return answer(rows)

    async with meshed(tmp_path, identity) as mesher:
        await mesher.declare(2, "SAME", ["NUMBER(38,0)"], "NUMBER(38,0)")
        await mesher.declare(3, "SAME", ["VARCHAR"], "VARCHAR")
        await mesher.run("CREATE TABLE m AS SELECT 7 AS id, 'x' AS t")
        sql = "SELECT same(id) AS a, same(t) AS b, same(same(1)) AS c, same(?) AS d FROM m"
        bound = [pb.Binding(type="TEXT", values=[pb.BoundValue(value="y")])]
        for described in (True, False):
            reply = await mesher.run(sql, describe_only=described, bindings=bound)
            assert [c.type for c in reply.columns] == ["fixed", "text", "fixed", "text"]
        assert await mesher.rows(sql, bindings=bound) == [(7, "x", 1, "y")]
        assert await mesher.rows("SELECT id FROM m WHERE same(t) = 'x' AND same(id) = 7") == [(7,)]
        with pytest.raises(SnowcaveError, match=r"'SAME': \(BINARY\)") as wrong:
            await mesher.run("SELECT same(TO_BINARY('AB', 'HEX'))")
        assert wrong.value.code == 1044


async def test_a_view_over_a_service_function_is_refused(tmp_path):
    async with meshed(tmp_path) as mesher:
        with pytest.raises(SnowcaveError, match="Unsupported feature"):
            await mesher.run("CREATE VIEW v AS SELECT my_echo_udf('a') AS r")


async def test_a_call_with_bindings_and_its_description(tmp_path):
    async with meshed(tmp_path) as mesher:
        bound = [pb.Binding(type="TEXT", values=[pb.BoundValue(value="it's")])]
        assert await mesher.rows("SELECT my_echo_udf(?)", bindings=bound) == [("Bob said it's",)]
        described = await mesher.run("SELECT my_echo_udf('a') AS r, 1", describe_only=True)
        assert [(c.name, c.type) for c in described.columns] == [("R", "text"), ("1", "fixed")]
        assert len(mesher.service.rows) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO bound VALUES (?, my_echo_udf(?))",
        "INSERT INTO bound SELECT :1, my_echo_udf(:2)",
    ],
)
async def test_many_rows_of_bindings_are_each_called_for(tmp_path, sql):
    def bound(kind: str, *values: str) -> pb.Binding:
        given = [pb.BoundValue(value=value) for value in values]
        return pb.Binding(type=kind, values=given, is_array=True)

    async with meshed(tmp_path) as mesher:
        await mesher.run("CREATE TABLE bound (n NUMBER, t VARCHAR)")
        given = [bound("FIXED", "1", "2", "3"), bound("TEXT", "a", "b", "it's")]
        assert (await mesher.run(sql, bindings=given)).rows_affected == 3
        assert await mesher.rows("SELECT * FROM bound ORDER BY n") == [
            *[(1, "Bob said a"), (2, "Bob said b")],
            (3, "Bob said it's"),
        ]
