"""500 simulated nodes and 10,000 instances, from CREATE to READY, by a real scheduler and store: one round.

The rate counts from the first service's key to the moment in which the scheduler says the last is READY.
Nodes live in a process of their own, each with its own watch. Memory is PSS, as the kernel counts it.
"""

import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh
from snowcave.store.api import Put, Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running
from tests.kit.store_roles import store_as

NODES = 500
SERVICES = 500
EACH = 20
INSTANCES = SERVICES * EACH
TARGET_RATE = 500.0
TARGET_MEMORY = 1.5e9
POOL, FIRST = 10, 1000
_PLAN = '[plan]\ninstances = "10.128.0.0/14"\n'
_BATCH = 50
_PATIENCE = 300.0
_WATCHERS, _A_CHANNEL, _WRITES = 200, 50, 100
_BUCKET = re.compile(r'snowcave_scheduler_step_seconds_bucket\{le="([^"]+)"\} (\S+)')


async def run(rounds: int) -> list[dict[str, Any]]:
    del rounds  # one is long enough
    with tempfile.TemporaryDirectory(prefix="snowcave-scale-") as folder:
        base = a_mesh(Path(folder)).port_base
        text = f'port_base = {base}\nlog_level = "warning"\n{_PLAN}'
        (Path(folder) / "mesh.toml").write_text(text)
        mesh = read_mesh(Path(folder), {})
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(running(mesh, "statestore"))
            scheduler = await stack.enter_async_context(running(mesh, "scheduler"))
            await stack.enter_async_context(_nodes(mesh))
            placed, ready = await _place(mesh)
            pids = (store.process.pid, scheduler.process.pid)
            memory = sum(_pss(pid) for pid in pids)
            p99 = await _step_p99(mesh)
            events, lag = await _fan_out(mesh)
    return [
        _row("placements until READY", INSTANCES / ready, "/s", TARGET_RATE, most=False),
        _row("placements until assigned", INSTANCES / placed, "/s"),
        _row("memory of scheduler and store", memory / 1e6, "MB", TARGET_MEMORY / 1e6, most=True),
        _row("reconcile p99", 1000 * p99, "ms"),
        _row(f"watch fan-out, {_WATCHERS} watches", events, "events/s"),
        _row("watch fan-out, median lag", 1000 * lag, "ms"),
    ]


def _row(
    name: str, ours: float, unit: str, target: float | None = None, *, most: bool = False
) -> dict[str, Any]:
    met = target is None or (ours <= target if most else ours >= target)
    words = "" if target is None else f"{'<' if most else '>='}{target:,.0f}"
    return {
        "name": name,
        "ours": ours,
        "peer": None,
        "unit": unit,
        "ratio": None,
        "target": words,
        "ok": met,
    }


@asynccontextmanager
async def _nodes(mesh: Mesh) -> AsyncGenerator[None]:
    """Entered when all nodes are up."""
    async with store_as(mesh, Role.API) as api, store_as(mesh, Role.HYPERVISOR) as hypervisor:
        await _ground(api)
        host = state.Host(name="local").SerializeToString()
        await hypervisor.put(keys.HOSTS.key("local"), host)
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "scripts.bench_parts._scale_nodes",
                str(mesh.home),
                str(NODES),
            ),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(_PATIENCE):
                said = await process.stdout.readline()
            if said.strip() != b"up":
                raise RuntimeError("the simulated nodes did not come up")
            yield
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ground(api: Store) -> None:
    schema = state.Object(uid=3, name="SC", parent=2, schema=state.Schema(dns_hash="k3m6"))
    pool = state.Object(uid=POOL, name="POOL")
    pool.compute_pool.CopyFrom(
        state.ComputePool(instance_family="CPU_X64_S", min_nodes=NODES, max_nodes=NODES)
    )
    for domain, made in (
        ("role", state.Object(uid=1, name="OWNER")),
        ("database", state.Object(uid=2, name="DB")),
        ("schema", schema),
        ("compute_pool", pool),
    ):
        await api.put(keys.catalog(domain).key(made.uid), made.SerializeToString())


def _service(uid: int) -> state.Object:
    made = state.Object(uid=uid, name=f"SVC_{uid}", parent=3, owner_role=1)
    requests = state.Resources(cpu_milli=50, memory_bytes=128 << 20, has_cpu=True, has_memory=True)
    container = state.ContainerSpec(name="main", image="/db/sc/r/i", requests=requests)
    endpoint = state.EndpointSpec(name="web", port=8080)
    made.service.CopyFrom(
        state.Service(
            compute_pool=POOL,
            spec=state.ServiceSpec(containers=[container], endpoints=[endpoint]),
            spec_digest="d" * 64,
            min_instances=EACH,
            max_instances=EACH,
        )
    )
    return made


async def _place(mesh: Mesh) -> tuple[float, float]:
    """Seconds until everything was assigned, and until everything was READY."""
    async with (
        store_as(mesh, Role.API) as api,
        store_as(mesh, Role.ADMIN) as admin,
        follow(admin, keys.SERVICE_STATUS) as statuses,
        asyncio.timeout(_PATIENCE),
    ):
        began = time.monotonic()
        space = keys.catalog("service")
        for at in range(0, SERVICES, _BATCH):
            made = [_service(FIRST + number) for number in range(at, min(at + _BATCH, SERVICES))]
            await api.txn((), [Put(space.key(one.uid), one.SerializeToString()) for one in made])
        await statuses.wait(lambda mirror: _total(mirror, "current_instances") == INSTANCES)
        placed = time.monotonic() - began
        await statuses.wait(lambda mirror: _total(mirror, "ready_instances") == INSTANCES)
        ready = time.monotonic() - began
    print(f"  {INSTANCES} assigned after {placed:.1f} s, ready after {ready:.1f} s", flush=True)
    return placed, ready


def _total(mirror: Mirror[state.ServiceStatus], what: str) -> int:
    return sum(getattr(status, what) for status in mirror.values())


def _pss(pid: int) -> int:
    """Bytes of memory of a process, shared pages counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the kernel tells no PSS of {pid}")


async def _step_p99(mesh: Mesh) -> float:
    """Upper bound of the bucket that holds the 99th of a hundred steps."""
    url = f"http://127.0.0.1:{mesh.admin_port(Role.SCHEDULER)}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        found = _BUCKET.findall(await answer.text())
    buckets: Sequence[tuple[float, float]] = [(float(le), float(count)) for le, count in found]
    wanted = 0.99 * buckets[-1][1]
    return next(le for le, count in buckets if count >= wanted)


async def _fan_out(mesh: Mesh) -> tuple[float, float]:
    """One writer, many watches: events a second in all, and the median time from write to hearing."""
    lags: list[float] = []
    async with (
        store_as(mesh, Role.AGENT) as writer,
        AsyncExitStack() as stack,
        asyncio.timeout(_PATIENCE),
    ):
        sent: dict[str, float] = {}
        done = asyncio.Event()

        def heard(key: tuple[str, ...], _node: state.Node | None) -> None:
            if key[0] in sent:
                lags.append(time.monotonic() - sent[key[0]])
                if len(lags) == _WATCHERS * _WRITES:
                    done.set()

        for _ in range(_WATCHERS // _A_CHANNEL):
            reader = await stack.enter_async_context(store_as(mesh, Role.ADMIN))
            for _ in range(_A_CHANNEL):
                mirror = await stack.enter_async_context(follow(reader, keys.NODES))
                mirror.subscribe(heard)
        began = time.monotonic()
        for number in range(_WRITES):
            name = f"fan-{number}"
            sent[name] = time.monotonic()
            await writer.put(keys.NODES.key(name), state.Node(name=name).SerializeToString())
        await done.wait()
        seconds = time.monotonic() - began
    return _WATCHERS * _WRITES / seconds, statistics.median(lags)
