"""The event table: lines in, a printed line seen, the documented query over ten million, bytes on disk.

Ingest: one generator over an agent's gRPC stream, batches of 500, acknowledged after fsync. A line is printed
by appending it to a container's log file; the agent's own shipper sends it, a connector's SELECT finds it.
"""

import asyncio
import contextlib
import gzip
import json
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

from scripts.bench_parts import _events_rows
from scripts.bench_parts._child import output_of
from snowcave.agent.logs.ledger import Entry, Ledger
from snowcave.agent.logs.shipper import LogSettings, open_shipper
from snowcave.agent.peers import EventCollector
from snowcave.kit.clock import LoopClock
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import events_pb2 as v1
from tests.kit.connectors import V4, python_with
from tests.kit.daemons import a_mesh, running

ROWS = 10_000_000
SAMPLE = 200_000
BATCHES, AHEAD = 1200, 24
PRINTED = 200
QUERIES = 20
INGEST, SEEN_MS, QUERY_MS = 300_000, 1000.0, 150.0
DOCUMENTED = """SELECT TIMESTAMP, RESOURCE_ATTRIBUTES, RECORD_ATTRIBUTES, VALUE
FROM snowflake.telemetry.events
WHERE timestamp > dateadd(hour, -1, current_timestamp())
AND RESOURCE_ATTRIBUTES:"snow.executable.type" = 'SnowparkContainers'
ORDER BY timestamp DESC
LIMIT 10"""
_FOLDER = Path(__file__).parent
_TOO_LONG = 300.0


async def run(rounds: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="bench-events") as folder:
        root = Path(folder)
        ingest = [await _ingest(root / f"ingest-{n}") for n in range(3)]
        async with _daemons(root / "mesh", fill=ROWS) as (mesh, password):
            queries = await _queries(mesh, password)
            seen = await _seen(mesh, password)
        bytes_a_line = await asyncio.to_thread(_sizes, root)
    p99 = sorted(seen)[int(len(seen) * 0.99)]
    return [
        _row(
            "events ingest, one stream", statistics.median(ingest), "lines/s", INGEST, least=True
        ),
        _row("events printed until seen, p99", p99, "ms", SEEN_MS),
        _row(
            f"events documented query, {ROWS:,} rows", statistics.median(queries), "ms", QUERY_MS
        ),
        *(_row(f"events on disk, {name}", size, "bytes a line") for name, size in bytes_a_line),
    ]


def _row(
    name: str, figure: float, unit: str, limit: float | None = None, *, least: bool = False
) -> dict[str, object]:
    sign = ">=" if least else "<="
    return {
        "name": name,
        "ours": round(figure, 1),
        "peer": None,
        "unit": unit,
        "ratio": None,
        "target": f"{sign}{limit:g}" if limit else "",
        "ok": limit is None or (figure >= limit if least else figure <= limit),
    }


# ---------------------------------------------------------------- lines in


async def _ingest(home: Path) -> float:
    mesh = _mesh(home)
    tls.ensure(mesh.folder("tls"))
    async with running(mesh, "events"):
        # Once for warmth.
        for name, batches in (("warm", BATCHES // 4), ("counts", BATCHES)):
            words = ("-m", "scripts.bench_parts._events_generator", str(home), str(batches))
            command = (sys.executable, *words, str(AHEAD), name)
            rate = float(await output_of(*command, seconds=_TOO_LONG))
    shutil.rmtree(home)
    return rate


# ---------------------------------------------------------------- rows out


async def _queries(mesh: Mesh, password: str) -> list[float]:
    """Milliseconds of execute and fetchall, warm."""
    python = await asyncio.to_thread(python_with, V4)
    words = ("127.0.0.1", str(mesh.port("api")), DOCUMENTED + "#10", str(QUERIES + 3))
    command = (str(python), str(_FOLDER / "_sql_connector.py"), *words)
    output = await output_of(*command, given=password + "\n", seconds=_TOO_LONG)
    return [seconds * 1000 for seconds in json.loads(output)[3:]]


async def _seen(mesh: Mesh, password: str) -> list[float]:
    """Milliseconds from a line being written to the answer of the first SELECT that has it."""
    path = mesh.folder("run") / "bench-json.log"
    path.touch()
    said_by = v1.Resource(service=1, service_name="PRINTER", container_run_id="printer")
    ledger = Ledger(mesh.folder("run") / "bench-logs")
    ledger.save(Entry("printer", path, said_by, "INFO"))
    address, folder = mesh.grpc_address(Role.EVENTS), mesh.folder("tls")
    python = await asyncio.to_thread(python_with, V4)
    async with (
        connect(address, folder, me=Role.AGENT, to=Role.EVENTS) as channel,
        open_shipper(
            ledger, EventCollector(channel), _nobody, LogSettings(), LoopClock(), random.Random(1)
        ),
    ):
        words = ("127.0.0.1", str(mesh.port("api")), str(path), str(PRINTED))
        command = (str(python), str(_FOLDER / "_events_seen.py"), *words)
        return json.loads(await output_of(*command, given=password + "\n", seconds=_TOO_LONG))


def _nobody(*_: object) -> v1.Resource:
    return v1.Resource()


@contextlib.asynccontextmanager
async def _daemons(home: Path, *, fill: int) -> AsyncGenerator[tuple[Mesh, str]]:
    mesh = _mesh(home)
    tls.ensure(mesh.folder("tls"))
    now = datetime.now(UTC)
    await asyncio.to_thread(_events_rows.fill, mesh.folder("events"), fill, now)
    async with contextlib.AsyncExitStack() as stack:
        for daemon in ("statestore", "events", "warehouse", "api"):
            await stack.enter_async_context(running(mesh, daemon))
        yield mesh, (home / "admin.password").read_text().strip()


def _mesh(home: Path) -> Mesh:
    home.mkdir()
    return a_mesh(home)


# ---------------------------------------------------------------- on disk


def _sizes(root: Path) -> list[tuple[str, float]]:
    """The same number of lines by each; ours with all its columns, gzip with the bare lines."""
    _events_rows.fill(root / "ours", SAMPLE, datetime.now(UTC))
    ours = sum(file.stat().st_size for file in (root / "ours").rglob("*.parquet"))
    lines = list(_events_rows.sample(SAMPLE))
    said_by = _events_rows.resources()
    with contextlib.closing(sqlite3.connect(root / "peer.db")) as peer:
        peer.execute(
            "CREATE TABLE e (ts INTEGER, service INTEGER, resource INTEGER, stream TEXT, value TEXT)"
        )
        peer.execute("CREATE INDEX i ON e (service, ts)")
        rows = (
            (n, said_by[n % len(said_by)].service, n % len(said_by), "stdout", line)
            for n, line in enumerate(lines)
        )
        peer.executemany("INSERT INTO e VALUES (?, ?, ?, ?, ?)", rows)
        peer.commit()
    zipped = gzip.compress("\n".join(lines).encode())
    found = (ours, (root / "peer.db").stat().st_size, len(zipped))
    return list(
        zip(
            ("ours", "SQLite", "gzip of the lines"), (size / SAMPLE for size in found), strict=True
        )
    )
