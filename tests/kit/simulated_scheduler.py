"""The scheduler's parts over a MemoryStore, without gRPC; and the api's part of the catalog."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import LoopClock
from snowcave.kit.tasks import background
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.mesh import AddressPlan
from snowcave.scheduler.autoscaling.evaluate import Pace
from snowcave.scheduler.autoscaling.measures import Collector, Measures
from snowcave.scheduler.autoscaling.scaler import Autoscaler
from snowcave.scheduler.ledger import Ledger
from snowcave.scheduler.main import CAMPAIGN, follow_all, own
from snowcave.scheduler.placing import Placing
from snowcave.scheduler.views import Views
from snowcave.scheduler.world import World
from snowcave.store.api import Delete
from snowcave.store.election import Reign, campaign
from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import VirtualClock
from tests.kit.memory_store import MemoryBackend, MemoryStore

PLAN = AddressPlan()
ROLE, DATABASE, SCHEMA = 1, 2, 3
MIB = 1 << 20


class PausableStore(MemoryStore):
    """`paused` holds every call on its way to the store, as a frozen process does; then it goes on."""

    def __init__(self, role: Role, backend: MemoryBackend) -> None:
        super().__init__(role, backend)
        self._open = asyncio.Event()
        self._open.set()
        # Calls that are held right now.
        self.held = 0

    def pause(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    async def _call(self) -> None:
        self.held += 1
        await self._open.wait()
        self.held -= 1
        await super()._call()


@dataclass
class Scheduler:
    store: PausableStore
    placing: Placing
    reign: Reign
    views: Views

    @property
    def bugs(self) -> int:
        return self.placing.reconciler.bugs


class Silent:
    """Nodes without a data point."""

    async def measure(self, node: state.Node, instances: Sequence[str]) -> Sequence[v1.DataPoint]:
        del node, instances
        return ()


@dataclass
class Catalog:
    """What api writes."""

    store: MemoryStore

    async def ground(self) -> None:
        await self.put("role", state.Object(uid=ROLE, name="OWNER", role=state.Role()))
        await self.put("database", state.Object(uid=DATABASE, name="DB"))
        schema = state.Object(uid=SCHEMA, name="SC", parent=DATABASE)
        schema.schema.dns_hash = "k3m6"
        await self.put("schema", schema)

    async def level(self, events: str) -> None:
        """LOG_EVENT_LEVEL of the account."""
        account = state.Object(name="SNOWCAVE", parameters={"LOG_EVENT_LEVEL": events})
        account.account.SetInParent()
        await self.put("account", account)

    async def pool(
        self,
        uid: int,
        least: int = 1,
        most: int = 3,
        suspended: bool = False,
        *,
        auto_suspend_secs: int = 0,
        placement_group: str = "",
    ) -> None:
        pool = state.Object(uid=uid, name=f"POOL_{uid}")
        pool.compute_pool.CopyFrom(
            state.ComputePool(
                instance_family="CPU_X64_XS",
                min_nodes=least,
                max_nodes=most,
                suspended=suspended,
                auto_suspend_secs=auto_suspend_secs,
                placement_group=placement_group,
            )
        )
        await self.put("compute_pool", pool)

    async def service(
        self,
        uid: int,
        pool: int,
        count: int,
        *,
        digest: str = "v1",
        cpu_milli: int = 500,
        suspended: bool = False,
        is_job: bool = False,
        cancelled: bool = False,
        most: int = 0,
        auto_suspend_secs: int = 0,
        policies: state.AutoScalingPolicies | None = None,
    ) -> None:
        service = state.Object(uid=uid, name=f"SVC_{uid}", parent=SCHEMA, owner_role=ROLE)
        service.service.CopyFrom(
            state.Service(
                compute_pool=pool,
                spec=spec(cpu_milli),
                spec_digest=digest,
                min_instances=count,
                max_instances=most or count,
                auto_suspend_secs=auto_suspend_secs,
                suspended=suspended,
                is_job=is_job,
                replicas=count if is_job else 0,
            )
        )
        if policies is not None:
            service.service.spec.auto_scaling.CopyFrom(policies)
        if cancelled:
            service.service.cancelled_on.GetCurrentTime()
        await self.put("service", service)

    async def put(self, domain: str, made: state.Object) -> None:
        key = keys.catalog(domain).key(made.uid)
        await self.store.put(key, made.SerializeToString())

    async def drop(self, domain: str, uid: int) -> None:
        key = keys.catalog(domain).key(uid)
        held = await self.store.get(key)
        assert held is not None
        made = state.Object.FromString(held.value)
        made.dropped_on.CopyFrom(Timestamp(seconds=1))
        await self.store.put(key, made.SerializeToString())

    async def forget(self, uid: int) -> None:
        writes = [Delete(keys.catalog(domain).key(uid)) for domain in ("service", "compute_pool")]
        await self.store.txn((), writes)

    async def suspend(self, uid: int, *, by_policy: bool = False) -> None:
        del by_policy
        for domain in ("service", "compute_pool"):
            held = await self.store.get(keys.catalog(domain).key(uid))
            if held is not None:
                made = state.Object.FromString(held.value)
                body = made.service if domain == "service" else made.compute_pool
                body.suspended = True
                await self.put(domain, made)


def spec(cpu_milli: int = 500, memory: int = 512 * MIB) -> state.ServiceSpec:
    requests = state.Resources(
        cpu_milli=cpu_milli, memory_bytes=memory, has_cpu=True, has_memory=True
    )
    return state.ServiceSpec(
        containers=[state.ContainerSpec(name="main", image="/db/sc/r/i", requests=requests)],
        endpoints=[state.EndpointSpec(name="web", port=8080)],
    )


@asynccontextmanager
async def simulated_scheduler(
    backend: MemoryBackend,
    catalog: Catalog,
    *,
    resync: float = 60.0,
    measures: Measures | None = None,
) -> AsyncGenerator[Scheduler]:
    store = PausableStore(Role.SCHEDULER, backend)
    async with AsyncExitStack() as stack:
        parts = Parts(stack, Health())
        mirrors = await follow_all(store, parts)
        world = World(mirrors, LoopClock(), 15.0)
        await parts.enter("world", world.watching())
        reign = await parts.enter("campaign", campaign(store, Role.SCHEDULER, CAMPAIGN))
        views = Views(world, PLAN, VirtualClock(), 300.0, 60.0)
        ledger = Ledger(store, reign, own(mirrors), 5.0)
        placing = Placing(views, ledger, catalog, resync)
        await parts.enter("listening", placing.listening(reign))
        await parts.enter("placing", background(placing.reconciler.run()))
        collector = Collector(measures or Silent())
        scaler = Autoscaler(views, placing, reign, collector, VirtualClock(), Pace())
        await parts.enter("autoscaling", background(scaler.run()))
        yield Scheduler(store, placing, reign, views)


async def until(condition: object, within: float = 300.0) -> None:
    """Virtual time passes until `condition()` holds."""
    assert callable(condition)
    async with asyncio.timeout(within):
        while not condition():  # virtual time
            await asyncio.sleep(0.05)
