"""The gRPC ports for programs without certificates: who they are, and what they may."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from snowcave.client import Target, connect
from snowcave.model.errors import RemoteError
from snowcave.runtime.outcomes import translated
from snowcave.v1 import catalog_pb2, catalog_pb2_grpc, identity_pb2, identity_pb2_grpc
from snowcave.v1 import sql_pb2 as v1
from snowcave.v1 import sql_pb2_grpc as stubs
from tests.kit.rest import SPEC, Rest, running_rest

pytestmark = [pytest.mark.ours, pytest.mark.asyncio(loop_scope="module")]
TYPE = "x-snowflake-authorization-token-type"
ACCESS_TOKEN = "PROGRAMMATIC_ACCESS_TOKEN"
SETUP = (
    "CREATE ROLE reader",
    "CREATE USER bob DEFAULT_ROLE=reader",
    "GRANT ROLE reader TO USER bob",
    "GRANT USAGE ON DATABASE d TO ROLE reader",
    "GRANT USAGE ON SCHEMA d.s TO ROLE reader",
    f"CREATE SERVICE d.s.shown IN COMPUTE POOL p FROM SPECIFICATION $$ {SPEC} $$",
    f"CREATE SERVICE d.s.hidden IN COMPUTE POOL p FROM SPECIFICATION $$ {SPEC} $$",
    "GRANT MONITOR ON SERVICE d.s.shown TO ROLE reader",
)


@dataclass(frozen=True)
class Port:
    rest: Rest
    access_token: str

    @property
    def plain(self) -> str:
        return f"127.0.0.1:{self.rest.mesh.port('grpc')}"

    @asynccontextmanager
    async def channel(self) -> AsyncGenerator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(self.plain) as opened:
            yield opened

    def bearing(self, **more: str) -> tuple[tuple[str, str], ...]:
        said = {"authorization": f"Bearer {self.access_token}", TYPE: ACCESS_TOKEN, **more}
        return tuple(said.items())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Port]:
    async with running_rest(tmp_path_factory.mktemp("public")) as rest:
        await rest.place()
        for sql in SETUP:
            assert (await rest.sql(sql))["success"], sql
        made = await rest.sql("ALTER USER bob ADD PROGRAMMATIC ACCESS TOKEN t")
        yield Port(rest, made["data"]["rowset"][0][1])


async def test_a_user_logs_in_by_password_without_a_certificate(port: Port):
    encrypted = f"127.0.0.1:{port.rest.mesh.port('grpc-tls')}"
    authority = port.rest.mesh.folder("tls") / "ca.pem"
    for target in (Target(port.plain), Target(encrypted, authority=authority)):
        async with connect(target, "ADMIN", port.rest.password) as session:
            listed = await session.services()
        assert {"SHOWN", "HIDDEN"} <= {one.name for one in listed}
    with pytest.raises(RemoteError) as guessed:
        async with connect(Target(port.plain), "ADMIN", "guessed"):
            pass
    assert guessed.value.code == 390100


async def test_logs_are_followed_without_saying_from_how_many_lines_on(port: Port):
    async with connect(Target(port.plain), "ADMIN", port.rest.password) as session:
        followed = session.follow_logs("d.s.shown")
        with pytest.raises((TimeoutError, StopAsyncIteration)):
            async with asyncio.timeout(2):
                await anext(followed)


async def test_an_access_token_logs_in_and_its_role_counts(port: Port):
    login = {"authenticator": ACCESS_TOKEN, "token": port.access_token}
    async with connect(Target(port.plain), **login) as session:
        assert [one.name for one in await session.services()] == ["SHOWN"]
        with pytest.raises(RemoteError) as hidden:
            await session.service("d.s.hidden")
        assert (hidden.value.code, hidden.value.sqlstate) == (2003, "02000")


async def test_metadata_do_for_a_login(port: Port):
    async with port.channel() as opened:
        catalog: Any = catalog_pb2_grpc.ServiceCatalogStub(opened)
        wanted = catalog_pb2.ListServicesRequest()
        own = (("authorization", f'Snowflake Token="{port.rest.token}"'),)
        for metadata, names in ((port.bearing(), {"SHOWN"}), (own, {"SHOWN", "HIDDEN"})):
            found = await catalog.ListServices(wanted, metadata=metadata, timeout=10)
            assert {one.name for one in found.services} == names
        as_public = port.bearing(**{"x-snowflake-role": "public"})
        assert not (await catalog.ListServices(wanted, metadata=as_public, timeout=10)).services


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer nothing"), (TYPE, ACCESS_TOKEN)),
        (("authorization", "Bearer nothing"), (TYPE, "OAUTH")),
        (("authorization", 'Snowflake Token="nothing"'),),
        (("authorization", "Basic abc"),),
    ],
)
async def test_who_shows_nothing_good_is_refused(port: Port, metadata: Any):
    async with port.channel() as opened:
        sql: Any = stubs.SqlServiceStub(opened)
        catalog: Any = catalog_pb2_grpc.ServiceCatalogStub(opened)
        calls = (
            sql.Execute(v1.SqlRequest(sql="SHOW SERVICES"), metadata=metadata, timeout=10).read,
            sql.FollowLogs(
                v1.FollowLogsRequest(service="d.s.shown", tail_lines=1),
                metadata=metadata,
                timeout=10,
            ).read,
        )
        for call in calls:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call()
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        wanted = catalog_pb2.ListServicesRequest()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await catalog.ListServices(wanted, metadata=metadata, timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_session_that_all_calls_of_a_token_share_is_nobody_s_to_change(port: Port):
    async with port.channel() as opened:
        sql: Any = stubs.SqlServiceStub(opened)

        async def run(text: str) -> None:
            request = v1.SqlRequest(sql=text)
            async for _ in sql.Execute(request, metadata=port.bearing(), timeout=10):
                pass

        await run("USE SCHEMA d.s")
        await sql.Logout(v1.LogoutRequest(), metadata=port.bearing(), timeout=10)
        await run("DESC SERVICE d.s.shown")
        with pytest.raises(RemoteError), translated("api"):
            await run("DESC SERVICE shown")


async def test_what_daemons_ask_of_api_is_not_there(port: Port):
    async with port.channel() as opened:
        people: Any = identity_pb2_grpc.IdentityServiceStub(opened)
        errands: Any = stubs.CatalogServiceStub(opened)
        for call in (
            people.SignOut(identity_pb2.SignOutRequest(), timeout=10),
            errands.Resume(v1.ResumeRequest(uid=8), timeout=10),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as absent:
                await call
            assert absent.value.code() is grpc.StatusCode.UNIMPLEMENTED
