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
from collections.abc import Callable
from pathlib import Path

import structlog

from snowcave.model import keys
from tests.kit.seeded_loop import run
from tests.kit.storm_cluster import Cluster, cluster
from tests.kit.storm_commands import MOST_NODES, POOLS, SERVICES, command, create_pool, spec
from tests.kit.storm_faults import FAULTS

COMMANDS = 30
# Virtual seconds in which everything has to become quiet once the faults are over.
CALM = 900.0


async def rage(made: Cluster, commands: int = COMMANDS) -> None:
    rng = made.rng
    for statement in ("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r"):
        await made.sql(statement)
    for pool in POOLS:
        await made.sql(create_pool(pool, MOST_NODES))
    for service in SERVICES:
        pool = rng.choice(POOLS)
        await made.sql(f"CREATE SERVICE {service} IN COMPUTE POOL {pool} {spec('good', 0.3)}")
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
        await settled_sql(made, create_pool(pool, MOST_NODES))
        await settled_sql(made, f"ALTER COMPUTE POOL {pool} SET MIN_NODES=1 MAX_NODES=8")
        await settled_sql(made, f"ALTER COMPUTE POOL {pool} RESUME")
    for service in SERVICES:
        await settled_sql(made, f"ALTER SERVICE {service} {spec('good', 0.1)}")
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
