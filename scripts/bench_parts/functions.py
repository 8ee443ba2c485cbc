"""CREATE TABLE AS SELECT f(x) over two instances, against hand-written clients of the same containers.

The one that the targets are for has its rows in memory and keeps nothing. Beside it stands, without a target,
the same client that reads its rows from a table and keeps the answers in one, which is what the query does.
With `--long`: what api, functions and warehouse need in memory beyond their idle size for ten million rows.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.state import open_state
from snowcave.store.mirror import follow
from tests.kit.mesh import ROOT, Snowcave, build_image, eventually, running_mesh

ROWS = 300_000
MANY = 10_000_000
SHAPES = [(batch, pause) for pause in (0, 10) for batch in (100, 500, 2048)]
# The direct clients' programs; the first one is what the targets are for.
PEERS = ("_functions_peer.py", "_functions_table_peer.py")
TARGET = 0.8
MEMORY_MB = 300.0
_IMAGE = "bench_db/public/images/upper:latest"
_COMMAND = 'CMD ["/usr/bin/python3", "/app/service.py"]'
_SPEC = (
    f"spec: {{containers: [{{name: main, image: /{_IMAGE}, "
    "readinessProbe: {port: 8000, path: /ready}}], "
    "endpoints: [{name: api, port: 8000}]}"
)
_SETUP = (
    "CREATE DATABASE bench_db",
    "CREATE IMAGE REPOSITORY bench_db.public.images",
    "CREATE COMPUTE POOL bench_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_M",
)
_SERVICE = (
    "CREATE SERVICE bench_db.public.upper_service IN COMPUTE POOL bench_pool "
    f"FROM SPECIFICATION $${_SPEC}$$ MIN_INSTANCES=2 MAX_INSTANCES=2"
)
_FUNCTION = (
    "CREATE FUNCTION bench_db.public.upper_{batch}_{pause}(x VARCHAR) RETURNS VARCHAR "
    "SERVICE=bench_db.public.upper_service ENDPOINT=api MAX_BATCH_ROWS={batch} AS '/upper/{pause}'"
)
_TABLE = (
    "CREATE TABLE bench_db.public.t{rows} AS SELECT 'row number ' || SEQ4() AS x "
    "FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
)
_QUERY = (
    "CREATE OR REPLACE TABLE bench_db.public.r AS "
    "SELECT bench_db.public.upper_{batch}_{pause}(x) AS y FROM bench_db.public.t{rows}"
)
_TOO_LONG = 300.0


async def run(rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="snowcave-bench-") as folder:
        mesh = running_mesh(Path(folder) / "home")
        cave = await asyncio.to_thread(mesh.__enter__)
        try:
            addresses = await _prepare(cave, Path(folder))
            found = await _rates(cave, addresses, rounds)
            if os.environ.get("SNOWCAVE_BENCH_LONG"):
                found.append(await asyncio.to_thread(_memory, cave))
            return found
        finally:
            await asyncio.to_thread(mesh.__exit__, None, None, None)


async def _prepare(cave: Snowcave, folder: Path) -> list[str]:
    """The service, its functions and the table; answers the instances' addresses."""
    cursor = cave.connect().cursor()
    for statement in _SETUP:
        await asyncio.to_thread(cursor.execute, statement)
    image = await asyncio.to_thread(
        build_image,
        folder / "upper.tar",
        ["python3-aiohttp", "python3-uvloop"],
        [
            f"{ROOT / 'scripts/bench_parts/_functions_service.py'}:/app/service.py",
            f"{Path(orjson.__file__).parent}:/usr/lib/python3/dist-packages/orjson",
        ],
    )
    await asyncio.to_thread(cave.push, image, _IMAGE, _COMMAND)
    await asyncio.to_thread(cursor.execute, _SERVICE)
    for batch, pause in SHAPES:
        cursor.execute(_FUNCTION.format(batch=batch, pause=pause))
    await asyncio.to_thread(cursor.execute, _TABLE.format(rows=ROWS))
    async with AsyncExitStack() as stack:
        store = await open_state(cave.mesh, Role.ADMIN, Parts(stack, Health()))
        endpoints = await stack.enter_async_context(follow(store, keys.ENDPOINTS))
        async with asyncio.timeout(_TOO_LONG):
            await endpoints.wait(lambda mirror: sum(e.ready for e in mirror.values()) == 2)
        addresses = [endpoint.address for endpoint in endpoints.values()]
    query = _QUERY.format(batch=2048, pause=0, rows=ROWS)
    await eventually(lambda: _runs(cursor, query))
    return addresses


def _runs(cursor: Any, query: str) -> bool:
    try:
        cursor.execute(query)
    except Exception as error:  # the mirrors may not know of all that is ready yet
        print(f"  {error}", flush=True)
        return False
    return True


async def _rates(cave: Snowcave, addresses: list[str], rounds: int) -> list[dict[str, Any]]:
    cursor = cave.connect().cursor()
    found: dict[tuple[int, int, str], list[float]] = {}
    for number in range(rounds):
        for batch, pause in SHAPES:
            for side in ("ours", *PEERS)[:: 1 if number % 2 else -1]:
                rate = (
                    await asyncio.to_thread(_ours, cursor, batch, pause)
                    if side == "ours"
                    else await _peer(side, batch, pause, addresses)
                )
                found.setdefault((batch, pause, side), []).append(rate)
    return [_row(peer, batch, pause, found) for peer in PEERS for batch, pause in SHAPES]


def _ours(cursor: Any, batch: int, pause: int) -> float:
    """Rows a second."""
    began = time.perf_counter()
    cursor.execute(_QUERY.format(batch=batch, pause=pause, rows=ROWS))
    return ROWS / (time.perf_counter() - began)


async def _peer(program: str, batch: int, pause: int, addresses: list[str]) -> float:
    """Rows a second."""
    script = Path(__file__).parent / program
    words = (str(ROWS), str(batch), str(pause), *addresses)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), *words, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(_TOO_LONG):
        output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("The direct client failed.")
    return json.loads(output)


def _row(
    program: str, batch: int, pause: int, found: Mapping[tuple[int, int, str], list[float]]
) -> dict[str, Any]:
    ours = statistics.median(found[batch, pause, "ours"])
    peer = statistics.median(found[batch, pause, program])
    name, has_target = f"functions, batch {batch}, {pause} ms", program == PEERS[0]
    return {
        "name": name if has_target else f"{name}, tables",
        "ours": round(ours),
        "peer": round(peer),
        "unit": "rows/s",
        "ratio": round(ours / peer, 3),
        "target": f">={TARGET}" if has_target else "",
        "ok": not has_target or ours / peer >= TARGET,
    }


# ---------------------------------------------------------------- memory


def _memory(cave: Snowcave) -> dict[str, Any]:
    """The sum of each process's own peak, no less than the peak of the sum, less what they hold idle."""
    cursor = cave.connect().cursor()
    cursor.execute(_TABLE.format(rows=MANY))
    watched = [cave.pids()[name] for name in ("api", "functions", "warehouse")]
    idle = sum(_resident(pid, "VmRSS") for pid in watched)
    for pid in watched:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    cursor.execute(_QUERY.format(batch=2048, pause=0, rows=MANY))
    more = (sum(_resident(pid, "VmHWM") for pid in watched) - idle) / 1024
    return {
        "name": f"functions, memory for {MANY:,} rows",
        "ours": round(more, 1),
        "peer": None,
        "unit": "MB above idle",
        "ratio": None,
        "target": f"<{MEMORY_MB:g}",
        "ok": more < MEMORY_MB,
    }


def _resident(pid: int, what: str) -> int:
    """kB"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what + ":"))
