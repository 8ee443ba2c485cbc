"""The embedded store over mTLS: the certificate says who may write what, whatever the client believes."""

import asyncio
from contextlib import ExitStack, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from click.testing import CliRunner

from snowcave.cli.state import state as state_command
from snowcave.model import keys
from snowcave.model.errors import Unavailable
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.store.client import open_store
from snowcave.store.etcdpb import rpc_pb2 as pb
from snowcave.store.etcdpb import rpc_pb2_grpc
from snowcave.store.settings import StoreSettings
from snowcave.v1 import state_pb2 as state
from tests.kit.store_processes import StoreProcess, embedded, running

KEY = keys.NAMES.key("role", "p", "a")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory):
    with ExitStack() as stack:
        home = tmp_path_factory.mktemp("secure")
        tls.ensure(home / "tls")
        yield stack.enter_context(running(embedded(home, insecure=False)))


def connect(secure: StoreProcess, role: Role):
    return open_store(
        secure.address,
        role,
        credentials=tls.channel_credentials(secure.folder / "tls", role),
        target_name=tls.server_name(Role.STATESTORE),
    )


async def test_each_role_writes_its_keys_and_reads_all(secure):
    async with (
        asyncio.timeout(30),
        connect(secure, Role.API) as api,
        connect(secure, Role.ADMIN) as admin,
    ):
        await api.put(KEY, b"1")
        found = await admin.get(KEY)
        assert found is not None
        assert found.value == b"1"


def raw_channel(secure: StoreProcess, role: Role) -> grpc.aio.Channel:
    credentials = tls.channel_credentials(secure.folder / "tls", role)
    name = ("grpc.ssl_target_name_override", tls.server_name(Role.STATESTORE))
    return grpc.aio.secure_channel(secure.address, credentials, options=[name])


@pytest.mark.parametrize("role", [Role.SCHEDULER, Role.ADMIN])
async def test_the_store_refuses_what_a_client_lets_through(secure, role):
    put = pb.PutRequest(key=KEY.encode(), value=b"2")
    one, everything = (
        pb.DeleteRangeRequest(key=KEY.encode()),
        pb.DeleteRangeRequest(key=b"\0", range_end=b"\0"),
    )
    step = pb.RequestOp(request_put=put)
    async with asyncio.timeout(30), connect(secure, Role.API) as api, api.lease(30) as lease:
        await api.put(KEY, b"1")
        async with raw_channel(secure, role) as channel:
            store, leases = rpc_pb2_grpc.KVStub(channel), rpc_pb2_grpc.LeaseStub(channel)
            for call in (
                store.Put(put),
                store.DeleteRange(one),
                store.DeleteRange(everything),
                store.Txn(pb.TxnRequest(success=[step])),
                store.Txn(pb.TxnRequest(failure=[step])),
                store.Compact(pb.CompactionRequest(revision=2)),
                leases.LeaseRevoke(pb.LeaseRevokeRequest(ID=lease.id)),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        found = await api.get(KEY)
        assert found is not None
        assert found.value == b"1"


async def test_a_caller_without_a_certificate_is_not_answered(secure):
    with pytest.raises(Unavailable):
        async with open_store(secure.address, Role.API, settings=StoreSettings(connect=1.0)):
            pass
    bare = grpc.ssl_channel_credentials((secure.folder / "tls" / "ca.pem").read_bytes())
    with pytest.raises(Unavailable):
        async with open_store(
            secure.address,
            Role.API,
            credentials=bare,
            target_name=tls.server_name(Role.STATESTORE),
            settings=StoreSettings(connect=1.0),
        ):
            pass


async def test_a_request_that_is_too_large_is_refused(secure):
    async with asyncio.timeout(30), connect(secure, Role.API) as api:
        for size in (1_600_000, 8_000_000):
            with pytest.raises(Exception, match="large"):
                await api.put(KEY, bytes(size))
        await api.put(KEY, b"small")


async def test_methods_that_etcd_has_and_we_have_not_are_unimplemented(secure):
    async with raw_channel(secure, Role.ADMIN) as channel:
        call = channel.unary_unary("/etcdserverpb.Auth/AuthEnable", bytes, bytes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        nested = pb.TxnRequest(success=[pb.RequestOp(request_txn=pb.TxnRequest())])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc_pb2_grpc.KVStub(channel).Txn(nested, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_that_are_no_message_are_refused_without_a_traceback(secure):
    rubbish = b"\xff\xff\xff\x01rubbish"
    async with raw_channel(secure, Role.API) as channel:
        for method in ("KV/Put", "KV/Range", "KV/Txn", "Lease/LeaseGrant", "Maintenance/Status"):
            call = channel.unary_unary(f"/etcdserverpb.{method}", bytes, bytes)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(rubbish, timeout=10)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        for method in ("Watch/Watch", "Lease/LeaseKeepAlive"):
            open_stream: Any = channel.stream_stream(f"/etcdserverpb.{method}", bytes, bytes)
            stream = open_stream(timeout=10)
            await stream.write(rubbish)
            assert await stream.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in secure.log


async def test_what_is_no_grpc_gets_a_closed_connection(secure):
    host, port = secure.address.split(":")
    for rubbish in (b"GET / HTTP/1.1\r\n\r\n" * 1000, bytes(100_000)):
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(30):
            writer.write(rubbish)
            with suppress(ConnectionError):
                await reader.read()
            writer.close()
    async with asyncio.timeout(30), connect(secure, Role.API) as api:
        await api.put(KEY, b"still here")
    assert "Traceback" not in secure.log


async def test_the_command_line_shows_what_is_there(secure):
    entry = state.NameEntry(uid=4711)
    async with asyncio.timeout(30), connect(secure, Role.API) as api:
        await api.put(KEY, entry.SerializeToString())
        await api.put(keys.NAMES.key("role", "p", "odd"), b"\xff\xff")

    def snowcave(*arguments: str):
        port = secure.address.split(":")[1]
        environment = {"SNOWCAVE_MESH__PORT_BASE": str(int(port) - 79)}
        command = [*arguments, "--home", str(secure.folder)]
        return CliRunner().invoke(state_command, command, env=environment)

    listed = await asyncio.to_thread(snowcave, "ls", "name/")
    assert listed.exit_code == 0, listed.output
    assert [line.split()[1] for line in listed.output.splitlines()] == [
        "name/role/p/a",
        "name/role/p/odd",
    ]
    got = await asyncio.to_thread(snowcave, "get", KEY)
    assert "uid: 4711" in got.output
    as_json = await asyncio.to_thread(snowcave, "get", KEY, "--json")
    assert '"uid": "4711"' in as_json.output
    odd = await asyncio.to_thread(snowcave, "ls", "--values", "name/role/p/odd")
    assert "holds no NameEntry" in odd.output
    missing = await asyncio.to_thread(snowcave, "get", "name/role/p/none")
    assert missing.exit_code == 1
    assert "There is no key" in missing.output
