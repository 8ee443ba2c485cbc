"""Three stores that should be one: the embedded one, Debian's etcd, the one in memory that tests use."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from snowcave.model.keys import Role
from snowcave.store.api import LeaseId, Revision, Store
from snowcave.store.client import open_store
from snowcave.store.etcdpb import rpc_pb2 as pb
from snowcave.store.etcdpb import rpc_pb2_grpc
from snowcave.store.settings import StoreSettings
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.store_processes import StoreProcess, embedded, etcd, running

# Small pages and answers and a short patience, so that paging and reconnecting happen in tests too.
SETTINGS = StoreSettings(deadline=10.0, page=7, progress=0.5, silence=3.0, max_message=3 << 20)


class Raw:
    """What only an operator does, past the client."""

    def __init__(self, address: str) -> None:
        self._address = address

    @asynccontextmanager
    async def _stub(self, kind: Any) -> AsyncGenerator[Any]:
        async with grpc.aio.insecure_channel(self._address) as channel:
            yield kind(channel)

    async def compact(self, revision: Revision) -> None:
        async with self._stub(rpc_pb2_grpc.KVStub) as stub:
            await stub.Compact(pb.CompactionRequest(revision=revision, physical=True), timeout=10)

    async def revoke(self, lease: LeaseId) -> None:
        async with self._stub(rpc_pb2_grpc.LeaseStub) as stub:
            await stub.LeaseRevoke(pb.LeaseRevokeRequest(ID=lease), timeout=10)

    async def grant(self, ttl: int) -> LeaseId:
        async with self._stub(rpc_pb2_grpc.LeaseStub) as stub:
            return (await stub.LeaseGrant(pb.LeaseGrantRequest(TTL=ttl), timeout=10)).ID


class MemoryRaw:
    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    async def compact(self, revision: Revision) -> None:
        self._backend.compact(revision)

    async def revoke(self, lease: LeaseId) -> None:
        self._backend.revoke(lease)

    async def grant(self, ttl: int) -> LeaseId:
        return self._backend.grant(ttl)


class World:
    """One shared state: stores of any role over it, and the operator's hand."""

    def __init__(self, stack: AsyncExitStack, address: str) -> None:
        self._stack = stack
        self._backend = None if address else MemoryBackend(progress=SETTINGS.progress)
        self.address = address
        self.raw = MemoryRaw(self._backend) if self._backend else Raw(address)

    async def store(self, role: Role) -> Store:
        if self._backend:
            return MemoryStore(role, self._backend)
        return await self._stack.enter_async_context(
            open_store(self.address, role, settings=SETTINGS)
        )

    async def lease_of(self, store: Store, key: str) -> LeaseId:
        found = await store.get(key)
        assert found is not None
        return found.lease


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.fail(f"{program} is not installed: run scripts/test, which installs it")


@pytest.fixture(scope="session")
def embedded_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoreProcess]:
    with running(embedded(tmp_path_factory.mktemp("embedded"))) as process:
        yield process


@pytest.fixture(scope="session")
def etcd_process(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoreProcess]:
    need("etcd")
    with running(etcd(tmp_path_factory.mktemp("etcd"))) as process:
        yield process


@pytest.fixture(params=["embedded", "etcd", "memory"])
async def world(request: pytest.FixtureRequest) -> AsyncGenerator[World]:
    address = ""
    if request.param != "memory":
        process: StoreProcess = request.getfixturevalue(f"{request.param}_process")
        address = process.address
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        yield World(stack, address)


@pytest.fixture(params=["embedded", "etcd"])
def mortal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[StoreProcess]:
    """A process of the test's own, to be killed."""
    make = {"embedded": embedded, "etcd": etcd}[request.param]
    need("etcd")
    with running(make(tmp_path_factory.mktemp("mortal"))) as process:
        yield process


@pytest.fixture
def mine(request: pytest.FixtureRequest) -> str:
    """A text that is this test's own, for keys nobody else writes."""
    return request.node.name
