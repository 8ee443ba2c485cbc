"""SqlService and CatalogService over gRPC."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pyarrow as pa
import pytest
import structlog.testing

from snowcave.api.queries.encoding import read_stream
from snowcave.api.settings import ApiSettings, QuerySettings
from snowcave.client import Session
from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound, RemoteError
from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import identity_pb2, identity_pb2_grpc, warehouse_pb2
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc as stubs
from snowcave.v1 import state_pb2 as state
from tests.kit.fronts import RunningFront, running_front

PIECES = ApiSettings(Mesh(), queries=QuerySettings(inline_rows=120, chunk_rows=100))


@asynccontextmanager
async def channel(front: RunningFront, role: Role) -> AsyncGenerator[grpc.aio.Channel]:
    mesh = front.mesh
    address, folder = mesh.grpc_address(Role.API), mesh.folder("tls")
    async with connect(address, folder, me=role, to=Role.API) as opened:
        yield opened


@asynccontextmanager
async def sql(front: RunningFront) -> AsyncGenerator[tuple[Any, str]]:
    async with channel(front, Role.ADMIN) as opened:
        stub: Any = stubs.SqlServiceStub(opened)
        wish = v1.LoginRequest(user="ADMIN", password=front.password)
        reply = await stub.Login(wish, timeout=10)
        yield stub, reply.token


async def rows(stub: Any, token: str, text: str) -> tuple[list[Any], list[Any]]:
    replies = [r async for r in stub.Execute(v1.SqlRequest(token=token, sql=text), timeout=10)]
    tables = [read_stream(reply.arrow_stream) for reply in replies]
    return replies, pa.concat_tables(tables).to_pylist()


async def test_a_statement_answers_in_pieces_with_its_columns_first(tmp_path: Path) -> None:
    async with running_front(tmp_path, PIECES) as front, sql(front) as (stub, token):
        replies, found = await rows(stub, token, "rows 300")
        _, shown = await rows(stub, token, "show things")
    assert [column.name for column in replies[0].columns] == ["N", "NAME"]
    assert replies[0].total_rows == 300
    assert [row["n"] for row in found] == list(range(300))
    assert [row["name"] for row in shown] == ["a", None]


async def test_the_audit_knows_from_where_a_session_was_opened(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front:
        with structlog.testing.capture_logs() as logged:
            async with sql(front):
                pass
    opened = [line for line in logged if line["event"] == "session_opened"]
    assert [(line["user"], line["peer"]) for line in opened] == [("ADMIN", "127.0.0.1")]


async def test_failures_keep_their_codes(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, sql(front) as (stub, token):
        with pytest.raises(RemoteError) as failed, translated("api"):
            await rows(stub, token, "nothing here")
        with pytest.raises(RemoteError) as unknown, translated("api"):
            await rows(stub, "no token", "select 1")
    assert failed.value.code == ObjectNotFound.code
    assert unknown.value.code == 390104


async def test_a_caller_that_goes_away_cancels_its_statement(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, sql(front) as (stub, token):
        call = stub.Execute(v1.SqlRequest(token=token, sql="sleep 60"), timeout=30)
        reading = asyncio.ensure_future(call.read())
        async with asyncio.timeout(10):
            await front.warehouse.started.wait()
            call.cancel()
            while front.warehouse.running:
                await asyncio.sleep(0.01)
        await asyncio.wait([reading])


async def test_a_program_is_told_how_far_the_functions_of_its_statement_have_come(
    tmp_path: Path,
) -> None:
    settings = ApiSettings(Mesh(), queries=QuerySettings(progress=0.01))
    told: list[tuple[int, int]] = []
    async with running_front(tmp_path, settings) as front, channel(front, Role.ADMIN) as opened:
        stub: Any = stubs.SqlServiceStub(opened)
        wish = v1.LoginRequest(user="ADMIN", password=front.password)
        token = (await stub.Login(wish, timeout=10)).token

        def on_progress(progress: v1.SqlProgress) -> None:
            told.append((progress.rows, progress.retries))

        running = asyncio.ensure_future(Session(opened, token).execute("sleep 60", on_progress))
        async with asyncio.timeout(60):
            await front.warehouse.started.wait()
            for rows, retries in ((5, 0), (9, 1)):
                front.warehouse.progress = warehouse_pb2.ProgressReply(rows=rows, retries=retries)
                while (rows, retries) not in told:
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait([running])
    # Only what is new, and nothing of a statement that has called nothing yet.
    assert told == [(5, 0), (9, 1)]


async def test_a_session_ends_with_its_logout(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, sql(front) as (stub, token):
        await stub.Logout(v1.LogoutRequest(token=token), timeout=10)
        with pytest.raises(RemoteError), translated("api"):
            await rows(stub, token, "select 1")


async def test_no_daemon_may_call_what_is_for_programs(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front:
        for role in (Role.AGENT, Role.INGRESS, Role.SCHEDULER):
            async with channel(front, role) as opened:
                programs: Any = stubs.SqlServiceStub(opened)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await programs.Login(v1.LoginRequest(user="ADMIN"), timeout=10)
            assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        async with channel(front, Role.AGENT) as opened:
            people: Any = identity_pb2_grpc.IdentityServiceStub(opened)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await people.SignOut(identity_pb2.SignOutRequest(), timeout=10)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_service_and_its_pool_are_woken_together_and_only_where_they_want_it(
    tmp_path: Path,
) -> None:
    pool = state.Object(
        uid=7, name="P", compute_pool=state.ComputePool(suspended=True, auto_resume=True)
    )
    service = state.Object(
        uid=8, name="S", service=state.Service(suspended=True, auto_resume=True, compute_pool=7)
    )
    stubborn = state.Object(uid=9, name="T", service=state.Service(suspended=True))
    async with running_front(tmp_path) as front, channel(front, Role.INGRESS) as opened:
        for domain, one in (("compute_pool", pool), ("service", service), ("service", stubborn)):
            await front.store.put(keys.CATALOG.key(domain, one.uid), one.SerializeToString())
        stub: Any = stubs.CatalogServiceStub(opened)
        assert (await stub.Resume(v1.ResumeRequest(uid=8), timeout=10)).resumed
        assert not (await stub.Resume(v1.ResumeRequest(uid=8), timeout=10)).resumed
        assert not (await stub.Resume(v1.ResumeRequest(uid=9), timeout=10)).resumed
        woken = await _object(front, "service", 8)
        under = await _object(front, "compute_pool", 7)
    assert woken is not None
    assert not woken.service.suspended
    assert woken.service.HasField("resumed_on")
    assert under is not None
    assert not under.compute_pool.suspended


async def test_only_what_was_dropped_is_forgotten_and_the_grants_on_it_with_it(
    tmp_path: Path,
) -> None:
    service = state.Object(uid=8, name="S", service=state.Service())
    key = keys.CATALOG.key("service", 8)
    async with running_front(tmp_path) as front, channel(front, Role.SCHEDULER) as opened:
        stub: Any = stubs.CatalogServiceStub(opened)
        await front.store.put(key, service.SerializeToString())
        with pytest.raises(RemoteError, match="has not been dropped"), translated("api"):
            await stub.Forget(v1.ForgetRequest(uid=8), timeout=10)
        service.dropped_on.GetCurrentTime()
        await front.store.put(key, service.SerializeToString())
        about, other = (keys.GRANTS.key("role", 1, "service", uid, "USAGE") for uid in (8, 9))
        for uid, grant in ((8, about), (9, other)):
            body = state.Grant(grantee_kind="role", grantee=1, domain="service", securable=uid)
            await front.store.put(grant, body.SerializeToString())
        for _ in range(2):
            await stub.Forget(v1.ForgetRequest(uid=8), timeout=10)
        assert await _object(front, "service", 8) is None
        assert await front.store.get(about) is None
        assert await front.store.get(other) is not None


async def _object(front: RunningFront, domain: str, uid: int) -> state.Object | None:
    kept = await front.store.get(keys.CATALOG.key(domain, uid))
    return state.Object.FromString(kept.value) if kept else None
