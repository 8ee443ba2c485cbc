"""What a storm rages over: statements, schedulers, VMs, and all that is seen of them."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.agent.engine.simulated import Behaviour
from snowcave.api.bootstrap import bootstrap
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import Kind, SnowcaveError
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.agent_node import VirtualClock, reference
from tests.kit.memory_store import MemoryBackend, MemoryStore
from tests.kit.placement_invariants import Watcher, watched
from tests.kit.simulated_scheduler import Catalog, Scheduler, simulated_scheduler
from tests.kit.simulated_vms import Machine, Witness, simulated_machine
from tests.kit.statements import Account, open_account

# What each image's containers do.
IMAGES = {
    "good": Behaviour(pull=1.0, start=0.2),
    "slow": Behaviour(pull=8.0, start=2.0),
    "stubborn": Behaviour(stubborn=True),
    "missing": Behaviour(pull=1.0, pull_error="no such image"),
    "crashing": Behaviour(exits_after=2.0, exit_code=1),
    "short": Behaviour(exits_after=20.0),
    "hungry": Behaviour(exits_after=15.0, exit_code=137, oom=True),
}


@dataclass
class Api:
    """The api daemon's statements; it crashes and comes back with nothing but the store."""

    home: Path
    backend: MemoryBackend
    account: Account | None = None
    _stack: AsyncExitStack | None = None
    _store: MemoryStore | None = None

    async def start(self) -> None:
        """Once the store answers."""
        self._stack = AsyncExitStack()
        while self.account is None:
            # Its own chance each time: another api must not draw the same uids again.
            opened = open_account(self.home, self.backend, VirtualClock(), rng=random.Random())
            try:
                self.account = await self._stack.enter_async_context(opened)
            except SnowcaveError:
                await asyncio.sleep(1.0)
        for image in IMAGES:
            self.account.registry.push(f"d/public/r/{image}:latest")
        with suppress(SnowcaveError):  # at the very first start there is none
            await self.account.sql("USE SCHEMA d.public")

    async def stop(self) -> None:
        account, self.account = self.account, None
        if account is not None:
            account.store.reachable = False
        if self._stack is not None:
            await self._stack.aclose()
            self._stack = None


@dataclass
class Cluster:
    """Everything that a storm rages over."""

    rng: random.Random
    backend: MemoryBackend
    api: Api
    machine: Machine
    watcher: Watcher
    witness: Witness
    schedulers: list["Replica"] = field(default_factory=list["Replica"])
    # Statements that were refused with an error of ours, which must not happen.
    failures: list[str] = field(default_factory=list[str])
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    jobs: int = 0

    def check(self) -> None:
        """Raises AssertionError as soon as anything was seen that must never happen."""
        broken = [*self.watcher.broken, *self.witness.broken, *self.failures]
        if broken:
            raise AssertionError(f"{len(broken)} broken: {broken[:5]}")

    def objects(self, domain: str) -> list[state.Object]:
        listing = self.backend.listing(keys.catalog(domain).prefix)
        return [state.Object.FromString(item.value) for item in listing.items]

    def status(self, uid: int) -> state.ServiceStatus:
        held = self.backend.get(keys.SERVICE_STATUS.key(uid))
        return state.ServiceStatus.FromString(held.value if held else b"")

    def assignments(self) -> list[state.Assignment]:
        listing = self.backend.listing(keys.ASSIGNMENTS.prefix)
        return [state.Assignment.FromString(item.value) for item in listing.items]

    async def sql(self, statement: str) -> None:
        """Refusals are part of the game; errors of ours are not."""
        account = self.api.account
        if account is None:
            return
        try:
            async with asyncio.timeout(60):
                await account.sql(statement)
        except SnowcaveError as error:
            if error.kind is Kind.INTERNAL:
                self.failures.append(f"{statement}: {error.message}")
        except TimeoutError:
            if account is self.api.account:
                self.failures.append(f"no answer: {statement}")


@dataclass
class Replica:
    """One of the scheduler's places; a scheduler that crashed is followed by another."""

    backend: MemoryBackend
    catalog: Catalog
    scheduler: Scheduler | None = None
    bugs: int = 0
    _life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        up = asyncio.Event()

        async def live() -> None:
            while True:
                try:
                    await self._live(up)
                except SnowcaveError:
                    await asyncio.sleep(1.0)  # the store was away at its start

        self._life = asyncio.get_running_loop().create_task(live())
        await up.wait()

    async def _live(self, up: asyncio.Event) -> None:
        async with simulated_scheduler(self.backend, self.catalog) as scheduler:
            self.scheduler = scheduler
            up.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.bugs += scheduler.bugs

    async def crash(self) -> None:
        """As by SIGKILL: its reign runs out by itself."""
        if self.scheduler is not None:
            self.scheduler.store.resume()
            self.scheduler.store.reachable = False
        await self.stop()

    async def stop(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        self._life = self.scheduler = None


_template: list[tuple[str, bytes]] = []


@asynccontextmanager
async def cluster(rng: random.Random, home: Path) -> AsyncGenerator[Cluster]:
    slowest = rng.choice([0.002, 0.02, 0.2])
    backend = MemoryBackend(latency=lambda: rng.uniform(0.0005, slowest), progress=15.0)
    await _begin(backend, home)
    witness = Witness(backend)
    api = Api(home, backend)
    catalog = Catalog(MemoryStore(Role.API, backend))
    async with (
        watched(backend) as watcher,
        simulated_machine("local", backend, rng, witness) as machine,
    ):
        machine.behaviours.update(_behaviours())
        schedulers = [Replica(backend, catalog) for _ in range(2)]
        made = Cluster(rng, backend, api, machine, watcher, witness, schedulers)
        try:
            await api.start()
            for replica in schedulers:
                await replica.start()
            yield made
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)
            await api.stop()
            for replica in schedulers:
                await replica.stop()


async def _begin(backend: MemoryBackend, home: Path) -> None:
    """The first start hashes a password, which is slow on purpose: once a process is enough."""
    if not _template:
        first = MemoryBackend()
        await bootstrap(MemoryStore(Role.API, first), home, random.Random(1), LoopClock())
        _template.extend((item.key, item.value) for item in first.listing("").items)
    store = MemoryStore(Role.API, backend)
    for key, value in _template:
        await store.put(key, value)


def _behaviours() -> dict[str, Behaviour]:
    """By reference, as agents pull them."""
    from tests.kit.statements import Registry

    registry = Registry()
    return {
        reference_of(registry.push(f"d/public/r/{image}:latest"), image): does
        for image, does in IMAGES.items()
    }


def reference_of(digest: str, image: str) -> str:
    return reference(image, digest).replace("/shop/", "/d/public/r/")
