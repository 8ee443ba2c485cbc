"""A simulated mesh for the scheduler: catalog, machine, agents, and the invariants watched meanwhile."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.scheduler.autoscaling.measures import Measures
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.placement_invariants import watched
from tests.kit.seeded_loop import run
from tests.kit.simulated_nodes import Host, simulated_host
from tests.kit.simulated_scheduler import Catalog, Scheduler, Silent, simulated_scheduler

POOL, SERVICE = 10, 100


@dataclass
class Ground:
    backend: MemoryBackend
    catalog: Catalog
    host: Host
    rng: random.Random

    def status(self, service: int = SERVICE) -> state.ServiceStatus:
        held = self.backend.get(keys.SERVICE_STATUS.key(service))
        return state.ServiceStatus.FromString(held.value if held else b"")

    def pool(self) -> state.PoolStatus:
        held = self.backend.get(keys.POOL_STATUS.key(POOL))
        return state.PoolStatus.FromString(held.value if held else b"")

    def assignments(self) -> list[state.Assignment]:
        listing = self.backend.listing(keys.ASSIGNMENTS.prefix)
        return [state.Assignment.FromString(item.value) for item in listing.items]

    def ready(self, service: int = SERVICE) -> int:
        listing = self.backend.listing(keys.ENDPOINTS.under(service))
        return sum(state.Endpoint.FromString(item.value).ready for item in listing.items)

    def is_running(self, count: int, service: int = SERVICE) -> bool:
        told = self.status(service)
        return (told.status, self.ready(service), told.is_upgrading) == ("RUNNING", count, False)

    def leftovers(self) -> list[str]:
        """Keys of the scheduler, but for its ledger and its reign."""
        prefixes = ("status/pool/", "status/service/", "vm/", "assign/", "endpoint/")
        return [
            item.key for item in self.backend.listing("").items if item.key.startswith(prefixes)
        ]


@asynccontextmanager
async def ground(rng: random.Random, most_nodes: int = 3) -> AsyncGenerator[Ground]:
    backend = MemoryBackend(latency=lambda: rng.uniform(0.001, 0.05))
    catalog = Catalog(MemoryStore(Role.API, backend))
    await catalog.ground()
    async with (
        watched(backend, {POOL: most_nodes}),
        simulated_host("local", backend, rng) as host,
    ):
        yield Ground(backend, catalog, host, rng)


def scenario(
    seed: int,
    body: Callable[[Ground, Scheduler], Awaitable[None]],
    most_nodes: int = 3,
    measures: Measures | None = None,
) -> None:
    async def main(rng: random.Random) -> None:
        async with (
            ground(rng, most_nodes) as world,
            simulated_scheduler(
                world.backend, world.catalog, measures=measures or Silent()
            ) as scheduler,
        ):
            await body(world, scheduler)
            assert scheduler.bugs == 0

    run(seed, main)
