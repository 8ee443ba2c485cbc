"""statestore, scheduler and dns as processes; the test plays api, hypervisor and agent."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from snowcave.model import keys
from snowcave.model.errors import ObjectNotFound, RemoteError
from snowcave.model.keys import KeySpace, M, Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.store.api import Store
from snowcave.store.client import open_store
from snowcave.v1 import nodes_pb2, nodes_pb2_grpc
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running
from tests.kit.simulated_scheduler import MIB, ROLE, SCHEMA

POOL, SERVICE = 10, 100
NAME = "svc-100.k3m6.svc.spcs.internal"


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    return a_mesh(tmp_path)


@asynccontextmanager
async def store_as(mesh: Mesh, role: Role) -> AsyncGenerator[Store]:
    async with open_store(
        mesh.store_address,
        role,
        credentials=tls.channel_credentials(mesh.folder("tls"), role),
        target_name=tls.server_name(Role.STATESTORE),
    ) as store:
        yield store


async def put(store: Store, space: KeySpace[M], message: M, *parts: object) -> None:
    await store.put(space.key(*parts), message.SerializeToString())


async def ask_for_a_service(api: Store, count: int) -> None:
    database, schema = keys.catalog("database"), keys.catalog("schema")
    await put(api, keys.catalog("role"), state.Object(uid=ROLE, name="OWNER"), ROLE)
    await put(api, database, state.Object(uid=2, name="DB"), 2)
    made = state.Object(uid=SCHEMA, name="SC", parent=2, schema=state.Schema(dns_hash="k3m6"))
    await put(api, schema, made, SCHEMA)
    pool = state.Object(uid=POOL, name="POOL")
    pool.compute_pool.CopyFrom(
        state.ComputePool(instance_family="CPU_X64_XS", min_nodes=1, max_nodes=1)
    )
    await put(api, keys.catalog("compute_pool"), pool, POOL)
    service = state.Object(uid=SERVICE, name="SVC_100", parent=SCHEMA, owner_role=ROLE)
    requests = state.Resources(cpu_milli=100, memory_bytes=64 * MIB, has_cpu=True, has_memory=True)
    container = state.ContainerSpec(name="main", image="/db/sc/r/i", requests=requests)
    service.service.CopyFrom(
        state.Service(
            compute_pool=POOL,
            spec=state.ServiceSpec(containers=[container]),
            spec_digest="d",
            min_instances=count,
            max_instances=count,
        )
    )
    await put(api, keys.catalog("service"), service, SERVICE)


async def listed(store: Store, space: KeySpace[M]) -> list[M]:
    listing = await store.list(space.prefix)
    return [space.message.FromString(item.value) for item in listing.items]


async def wait_listed(
    store: Store, space: KeySpace[M], holds: Callable[[list[M]], bool]
) -> list[M]:
    async with asyncio.timeout(40):
        while not holds(found := await listed(store, space)):
            await asyncio.sleep(0.02)
    return found


async def play_node(hypervisor: Store, agent: Store) -> None:
    """One machine, and the node that the pool asks for."""
    await put(hypervisor, keys.HOSTS, state.Host(name="local"), "local")
    (vm,) = await wait_listed(agent, keys.VMS, lambda vms: len(vms) == 1)
    await put(agent, keys.NODES, state.Node(name=vm.node, host="local"), vm.node)


async def play_instances(agent: Store, count: int) -> list[state.Assignment]:
    assigned = await wait_listed(agent, keys.ASSIGNMENTS, lambda found: len(found) == count)
    for one in assigned:
        report = state.InstanceReport(
            instance=one.instance, node=one.node, service=SERVICE, status="READY"
        )
        await put(agent, keys.REPORTS, report, one.node, one.instance)
    return assigned


async def dig(mesh: Mesh, name: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *("dig", "@127.0.0.1", "-p", str(mesh.port("dns")), "+short", "+tries=1", "+time=2", name),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(10):
        output, _ = await process.communicate()
    return sorted(output.decode().split())


async def wait_dig(mesh: Mesh, name: str, expected: list[str]) -> None:
    async with asyncio.timeout(20):
        while await dig(mesh, name) != expected:  # another process
            await asyncio.sleep(0.05)


async def bugs(mesh: Mesh) -> float:
    url = f"http://127.0.0.1:{mesh.admin_port(Role.SCHEDULER)}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        lines = (await answer.text()).splitlines()
    return next(float(li.split()[1]) for li in lines if li.startswith("snowcave_scheduler_bugs "))


async def test_a_service_is_placed_answered_by_name_and_outlives_each_daemon(mesh: Mesh):
    async with AsyncExitStack() as stack:
        statestore = await stack.enter_async_context(AsyncExitStack())
        await statestore.enter_async_context(running(mesh, "statestore"))
        api = await stack.enter_async_context(store_as(mesh, Role.API))
        hypervisor = await stack.enter_async_context(store_as(mesh, Role.HYPERVISOR))
        agent = await stack.enter_async_context(store_as(mesh, Role.AGENT))
        scheduler = await stack.enter_async_context(AsyncExitStack())
        await scheduler.enter_async_context(running(mesh, "scheduler"))
        names = await stack.enter_async_context(AsyncExitStack())
        first = await names.enter_async_context(running(mesh, "dns"))

        await ask_for_a_service(api, 2)
        await play_node(hypervisor, agent)
        assigned = await play_instances(agent, 2)
        endpoints = await wait_listed(
            agent, keys.ENDPOINTS, lambda found: sum(e.ready for e in found) == 2
        )
        (told,) = await wait_listed(
            agent, keys.SERVICE_STATUS, lambda found: [s.status for s in found] == ["RUNNING"]
        )
        addresses = sorted(one.address for one in assigned)
        assert {e.service_address for e in endpoints} == {told.service_address}
        await wait_dig(mesh, NAME, [told.service_address])
        await wait_dig(mesh, f"instances.{NAME}", addresses)
        await wait_dig(mesh, "svc-100.sc.db.snowflakecomputing.internal", [told.service_address])
        await explained(mesh)
        assert await bugs(mesh) == 0

        first.kill()
        await names.aclose()
        await names.enter_async_context(running(mesh, "dns"))
        await wait_dig(mesh, NAME, [told.service_address])

        await scheduler.aclose()
        await scheduler.enter_async_context(running(mesh, "scheduler"))
        await ask_for_a_service(api, 3)
        await play_instances(agent, 3)
        later = await wait_listed(
            agent, keys.ENDPOINTS, lambda found: sum(e.ready for e in found) == 3
        )
        assert {one.instance for one in assigned} < {e.instance for e in later}
        assert await bugs(mesh) == 0

        await wait_dig(mesh, f"instances.{NAME}", sorted(e.address for e in later))
        await statestore.aclose()
        assert await dig(mesh, NAME) == [told.service_address]
        await scheduler.aclose()


async def explained(mesh: Mesh) -> None:
    """The scheduler says in sentences what stands where."""
    channel = connect(
        mesh.grpc_address(Role.SCHEDULER), mesh.folder("tls"), me=Role.ADMIN, to=Role.SCHEDULER
    )
    async with channel as open_channel:
        stub = nodes_pb2_grpc.SchedulerServiceStub(open_channel)
        said = await stub.Explain(nodes_pb2.ExplainRequest(service=SERVICE), timeout=5)
        assert "2 of 2 instances are ready" in said.sentences[0]
        with pytest.raises(RemoteError) as failure, translated("scheduler"):
            await stub.Explain(nodes_pb2.ExplainRequest(service=1), timeout=5)
        assert failure.value.code == ObjectNotFound.code
