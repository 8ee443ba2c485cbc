"""A storm: random statements, crashes, delays and lost answers over a whole simulated cluster, then calm.

The statements, schedulers and agents are the real ones; store, engines and time are not. One number decides
everything:

    storm(seed)                        # raises AssertionError where an invariant broke
    python -m tests.kit.storm 17       # the same, alone (PYTHONHASHSEED=0 makes it the same each time)

Safety (S1, S2, S10; nobody in traffic is stopped; no job runs twice) is looked at in every revision;
once the storm is over everything must become what was asked for (L1), and nothing may be left of it
when it has been dropped (L4).
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

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
from tests.kit.seeded_loop import run
from tests.kit.simulated_scheduler import Catalog, Scheduler, simulated_scheduler
from tests.kit.simulated_vms import Machine, SimulatedVm, Witness, simulated_machine
from tests.kit.statements import Account, open_account

COMMANDS = 30
SERVICES = ("s0", "s1", "s2")
POOLS = ("p0", "p1")
MOST_NODES = 3
# Virtual seconds in which everything has to become quiet once the faults are over.
CALM = 900.0

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
_OF_SERVICES = ("good", "good", "slow", "stubborn", "missing", "crashing", "hungry")
_OF_JOBS = ("short", "short", "crashing", "hungry", "missing", "good")


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
            opened = open_account(self.home, self.backend, VirtualClock())
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


# ------------------------------------------------------------------ what users do


def _spec(image: str, cpu: float) -> str:
    resources = f"resources: {{requests: {{cpu: {cpu}, memory: 256Mi}}}}"
    return (
        "FROM SPECIFICATION $$spec: {containers: "
        f"[{{name: main, image: /d/public/r/{image}, {resources}}}], "
        "endpoints: [{name: web, port: 8080}]}$$"
    )


def _job_spec(image: str, cpu: float) -> str:
    return _spec(image, cpu).replace(", endpoints: [{name: web, port: 8080}]", "")


def command(rng: random.Random, job: int) -> str:
    """One statement; many are refused, as they come in any order."""
    service, pool = rng.choice(SERVICES), rng.choice(POOLS)
    cpu, least = rng.choice([0.1, 0.3, 0.6]), rng.randint(1, 3)
    counts = f"MIN_INSTANCES={least} MAX_INSTANCES={least + rng.randint(0, 1)}"
    image, ends = rng.choice(_OF_SERVICES), rng.choice(_OF_JOBS)
    nodes = rng.randint(1, MOST_NODES)
    choices = [
        (6, f"CREATE SERVICE {service} IN COMPUTE POOL {pool} {_spec(image, cpu)} {counts}"),
        (3, f"ALTER SERVICE {service} {_spec(image, cpu)}"),
        (2, f"ALTER SERVICE {service} SET {counts}"),
        (2, f"ALTER SERVICE {service} SUSPEND"),
        (3, f"ALTER SERVICE {service} RESUME"),
        (2, f"DROP SERVICE {service}"),
        (
            3,
            f"EXECUTE JOB SERVICE IN COMPUTE POOL {pool} NAME=j{job} ASYNC=TRUE "
            f"REPLICAS={rng.randint(1, 2)} {_job_spec(ends, cpu)}",
        ),
        (1, f"SELECT SYSTEM$CANCEL_JOB('J{rng.randint(0, max(0, job))}')"),
        (1, f"DROP SERVICE j{rng.randint(0, max(0, job))}"),
        (2, f"ALTER COMPUTE POOL {pool} SUSPEND"),
        (3, f"ALTER COMPUTE POOL {pool} RESUME"),
        (1, f"ALTER COMPUTE POOL {pool} STOP ALL"),
        (2, f"ALTER COMPUTE POOL {pool} SET MIN_NODES=1 MAX_NODES={nodes}"),
        (1, f"DROP COMPUTE POOL {pool}"),
        (3, _create_pool(pool, nodes)),
    ]
    return rng.choices([sql for _, sql in choices], [weight for weight, _ in choices])[0]


def _create_pool(pool: str, nodes: int) -> str:
    return (
        f"CREATE COMPUTE POOL IF NOT EXISTS {pool} MIN_NODES=1 MAX_NODES={nodes} "
        "INSTANCE_FAMILY=CPU_X64_XS"
    )


# ------------------------------------------------------------------ what breaks


Fault = Callable[[Cluster], Awaitable[None]]


async def _scheduler_crashes(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if replica.scheduler is None:
        return  # it is down already
    await replica.crash()
    await asyncio.sleep(cluster.rng.uniform(0, 5))
    await replica.start()


async def _leader_pauses(cluster: Cluster) -> None:
    leaders = [
        r.scheduler for r in cluster.schedulers if r.scheduler and r.scheduler.reign.leading
    ]
    for leader in leaders:
        leader.store.pause()
        await asyncio.sleep(cluster.rng.uniform(1, 20))
        leader.store.resume()


async def _scheduler_loses_answers(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if (scheduler := replica.scheduler) is not None:
        scheduler.store.losing_answers = True
        await asyncio.sleep(cluster.rng.uniform(0, 3))
        scheduler.store.losing_answers = False


async def _scheduler_is_cut_off(cluster: Cluster) -> None:
    replica = cluster.rng.choice(cluster.schedulers)
    if (scheduler := replica.scheduler) is not None:
        scheduler.store.reachable = False
        await asyncio.sleep(cluster.rng.uniform(0, 20))
        if replica.scheduler is scheduler:
            scheduler.store.reachable = True


def _a_vm(cluster: Cluster) -> SimulatedVm | None:
    names = sorted(cluster.machine.vms)
    return cluster.machine.vms[cluster.rng.choice(names)] if names else None


async def _agent_crashes(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        await vm.crash_agent(cluster.rng.choice([0.0, 2.0, 20.0, 40.0]))


async def _vm_crashes(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        await vm.crash(cluster.rng.choice([0.5, 5.0, 60.0]))


async def _vm_is_cut_off(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        vm.cut()
        await asyncio.sleep(cluster.rng.choice([2.0, 12.0, 40.0]))
        vm.heal()


async def _engine_goes_away(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        engine = vm.engine
        engine.go_away()
        await asyncio.sleep(cluster.rng.uniform(0, 10))
        engine.come_back()


async def _programs_end(cluster: Cluster) -> None:
    if (vm := _a_vm(cluster)) is not None:
        for found in vm.engine.programs():
            if cluster.rng.random() < 0.5:
                vm.engine.exit(found.id, cluster.rng.choice([0, 1, 137]))


async def _api_crashes(cluster: Cluster) -> None:
    if cluster.api.account is None:
        return
    await cluster.api.stop()
    await asyncio.sleep(cluster.rng.uniform(0, 3))
    await cluster.api.start()


async def _api_loses_answers(cluster: Cluster) -> None:
    if (account := cluster.api.account) is not None:
        account.store.losing_answers = True
        await asyncio.sleep(cluster.rng.uniform(0, 2))
        account.store.losing_answers = False


async def _store_is_away(cluster: Cluster) -> None:
    if not cluster.backend.available:
        return
    cluster.backend.available = False
    await asyncio.sleep(cluster.rng.uniform(0, 8))
    cluster.backend.available = True


async def _store_forgets_history(cluster: Cluster) -> None:
    cluster.backend.compact()


FAULTS: tuple[Fault, ...] = (
    _scheduler_crashes,
    _leader_pauses,
    _scheduler_loses_answers,
    _scheduler_is_cut_off,
    _agent_crashes,
    _agent_crashes,
    _vm_crashes,
    _vm_is_cut_off,
    _engine_goes_away,
    _programs_end,
    _api_crashes,
    _api_loses_answers,
    _store_is_away,
    _store_forgets_history,
)


# ------------------------------------------------------------------ the storm


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


async def rage(made: Cluster, commands: int = COMMANDS) -> None:
    rng = made.rng
    for statement in ("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r"):
        await made.sql(statement)
    for pool in POOLS:
        await made.sql(_create_pool(pool, MOST_NODES))
    for service in SERVICES:
        pool = rng.choice(POOLS)
        await made.sql(f"CREATE SERVICE {service} IN COMPUTE POOL {pool} {_spec('good', 0.3)}")
    await asyncio.sleep(rng.uniform(0, 30))
    harshness = rng.choice([0.0, 0.2, 0.5])
    for _ in range(commands):
        statement = command(rng, made.jobs)
        made.jobs += "EXECUTE JOB" in statement
        made.tasks.append(asyncio.ensure_future(made.sql(statement)))
        if rng.random() < harshness:
            made.tasks.append(asyncio.ensure_future(rng.choice(FAULTS)(made)))
        await asyncio.sleep(rng.choice([0.0, 0.1, 1.0, 5.0, 20.0]))
        made.check()
    await asyncio.gather(*made.tasks)
    made.tasks.clear()


async def calm(made: Cluster) -> None:
    """Faults are over; something sensible is asked for; it must come about (L1)."""
    for pool in POOLS:
        await settled_sql(made, _create_pool(pool, MOST_NODES))
        await settled_sql(made, f"ALTER COMPUTE POOL {pool} SET MIN_NODES=1 MAX_NODES=8")
        await settled_sql(made, f"ALTER COMPUTE POOL {pool} RESUME")
    for service in SERVICES:
        await settled_sql(made, f"ALTER SERVICE {service} {_spec('good', 0.1)}")
        await settled_sql(made, f"ALTER SERVICE {service} RESUME")
    for number in range(made.jobs):
        await settled_sql(made, f"SELECT SYSTEM$CANCEL_JOB('J{number}')")
    await until(made, lambda: _differences(made), "did not become what was asked for")


async def clear(made: Cluster) -> None:
    """Everything is dropped, and nothing may be left (L4)."""
    for service in (*SERVICES, *(f"j{number}" for number in range(made.jobs))):
        await settled_sql(made, f"DROP SERVICE IF EXISTS {service}")
    for pool in POOLS:
        await settled_sql(made, f"ALTER COMPUTE POOL {pool} STOP ALL")
        await settled_sql(made, f"DROP COMPUTE POOL {pool}")
    await until(made, lambda: _leftovers(made), "was left over")
    await until(made, lambda: _unsettled(made), "was not settled")


async def settled_sql(made: Cluster, statement: str) -> None:
    """Some things have to wait for others, such as a DROP for what still stops."""
    await made.sql(statement)


async def until(
    made: Cluster, look: Callable[[], list[str]], words: str, within: float = CALM
) -> None:
    """Virtual time passes until nothing is found; AssertionError with what is, otherwise."""
    deadline = asyncio.get_running_loop().time() + within
    while found := look():
        made.check()
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"{words} within {within:g} s: {found}")
        await asyncio.sleep(0.5)
    made.check()


def _differences(made: Cluster) -> list[str]:
    """Between what is asked for and what is."""
    found: list[str] = []
    running = {
        one.labels["io.snowcave.instance"]
        for vm in made.machine.vms.values()
        for one in vm.engine.programs()
    }
    assigned = made.assignments()
    pools = {p.uid for p in made.objects("compute_pool") if not p.HasField("dropped_on")}
    for one in made.objects("service"):
        told = made.status(one.uid)
        name = one.name
        if one.HasField("dropped_on"):
            found.append(f"{name} is {told.status}, though dropped")
        elif one.service.is_job:
            if not told.HasField("ended_on"):
                found.append(f"job {name} is {told.status}")
        elif one.service.compute_pool not in pools:
            # Its pool was dropped while it was suspended: so it stays.
            found += (
                [] if told.status == "SUSPENDED" else [f"{name} is {told.status}, without pool"]
            )
        elif told.status != "RUNNING" or told.is_upgrading:
            found.append(f"{name} is {told.status}, upgrading: {told.is_upgrading}")
        elif told.ready_instances != told.target_instances:
            found.append(f"{name} has {told.ready_instances} of {told.target_instances}")
        else:
            mine = [a for a in assigned if a.service == one.uid]
            if {a.spec_digest for a in mine} != {one.service.spec_digest}:
                found.append(f"{name} has old instances")
            found += [f"{a.instance} does not run" for a in mine if a.instance not in running]
    kept = {one.instance for one in assigned}
    found += [f"{instance} runs for nobody" for instance in sorted(running - kept)]
    return found


def _leftovers(made: Cluster) -> list[str]:
    prefixes = ("status/", "vm/", "assign/", "endpoint/", "report/", "node/")
    ledger = keys.LEDGER.prefix
    found = [
        item.key
        for item in made.backend.listing("").items
        if item.key.startswith(prefixes) and not item.key.startswith(ledger)
    ]
    found += [f"{one.name} in the catalog" for one in made.objects("service")]
    found += [f"{one.name} in the catalog" for one in made.objects("compute_pool")]
    return found + [f"VM {name}" for name in made.machine.vms]


def _unsettled(made: Cluster) -> list[str]:
    """Queues that are not empty, mirrors that differ from the store."""
    found: list[str] = []
    for replica in made.schedulers:
        scheduler = replica.scheduler
        if scheduler is None:
            found.append("a scheduler is not there")
            continue
        if len(scheduler.placing.reconciler.queue):
            found.append("a queue holds keys")
        mirrors = scheduler.views.world.mirrors
        for space, mirror in (
            (keys.catalog("service"), mirrors.services),
            (keys.ASSIGNMENTS, mirrors.assignments),
            (keys.ENDPOINTS, mirrors.endpoints),
            (keys.REPORTS, mirrors.reports),
            (keys.NODES, mirrors.nodes),
        ):
            held = {item.key for item in made.backend.listing(space.prefix).items}
            if held != {space.key(*parts) for parts, _ in mirror.items()}:
                found.append(f"a mirror of {space.prefix} differs")
    leases = len(made.backend.leases)
    if leases > 2:  # the leader's and the machine's
        found.append(f"{leases} leases")
    return found


def storm(seed: int, commands: int = COMMANDS, home: Path | None = None) -> str:
    """Raises AssertionError where something broke. Returns a digest of all that was written."""
    folder = home or Path(tempfile.mkdtemp(prefix="snowcave-storm-"))
    try:
        with structlog.testing.capture_logs():
            return run(seed, lambda rng: _storm(rng, commands, folder))
    finally:
        if home is None:
            shutil.rmtree(folder)


async def _storm(rng: random.Random, commands: int, home: Path) -> str:
    async with cluster(rng, home) as made:
        await rage(made, commands)
        await calm(made)
        await clear(made)
    assert made.machine.bugs == 0
    assert [replica.bugs for replica in made.schedulers] == [0, 0]
    return f"{made.backend.revision} {made.watcher.digest.hexdigest()[:16]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+", help="a seed, or first and last of a range")
    options = parser.parse_args()
    first, last = options.seeds[0], options.seeds[-1]
    broken = 0
    for seed in range(first, last + 1):
        try:
            told = storm(seed)
        except Exception as error:
            broken += 1
            print(f"seed {seed} broke: {type(error).__name__}: {str(error)[:2000]}", flush=True)
        else:
            if first == last:
                print(f"seed {seed} held: {told}")
    print(f"{last - first + 1 - broken} of {last - first + 1} seeds held")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
