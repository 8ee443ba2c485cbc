"""Statements through api: SELECT 1 against fakesnow's own server, SHOW of many services, DDL, the parser.

A mesh of statestore, api and warehouse, all real. SELECT 1 takes turns with the peer, both warm and by the
same load client; the other rows have limits of their own.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from scripts.bench_parts._child import output_of
from scripts.bench_parts._three_daemons import make_services, three_daemons
from snowcave.api.sql.parser import parse
from tests.kit.connectors import V4, python_with
from tests.kit.ports import free_port_base
from tests.kit.statement_corpus import STATEMENTS

SESSIONS = 8
SECONDS = 1.0
SERVICES = 1000
LISTINGS = 20
PARSES = 200
SELECT_RATIO, LISTING_MS, DDL_RATE, PARSE_US = 2.0, 60.0, 200.0, 80.0
_DDL = ("CREATE IMAGE REPOSITORY b.s.r{n}", "DROP IMAGE REPOSITORY b.s.r{n}")
_FOLDER = Path(__file__).parent
_TOO_LONG = 60.0


async def run(rounds: int) -> list[dict[str, object]]:
    selects: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory(prefix="bench-sql") as folder:
        async with three_daemons(Path(folder)) as (mesh, password), _peer() as peer:
            port = mesh.port("api")
            await _load(port, password, 0.0, "CREATE DATABASE b", "CREATE SCHEMA b.s", sessions=1)
            for number in range(rounds + 1):
                for side, where in (("ours", port), ("peer", peer))[:: 1 if number % 2 else -1]:
                    rate = await _load(where, password, SECONDS, "SELECT 1")
                    if number:  # the first round warms both up
                        selects[side].append(rate)
            ddl = [await _load(port, password, SECONDS, *_DDL) for _ in range(3)]
            select = await _connector(port, password, "SELECT 1#1", 200)
            await make_services(mesh, SERVICES)
            listings = await _connector(
                port, password, f"SHOW SERVICES IN ACCOUNT#{SERVICES}", LISTINGS
            )
    parses = _parses()
    return [
        _ratio("sql SELECT 1", selects["ours"], selects["peer"]),
        _limit("sql SELECT 1 by the connector", select, "ms", None),
        _limit(f"sql SHOW of {SERVICES} services", listings, "ms", LISTING_MS),
        _rate("sql CREATE + DROP", ddl),
        _limit("sql parser", parses, "us", PARSE_US),
    ]


def _ratio(name: str, ours: list[float], peer: list[float]) -> dict[str, object]:
    figures = statistics.median(ours), statistics.median(peer)
    ratio = figures[0] / figures[1]
    return {
        "name": name,
        "ours": round(figures[0]),
        "peer": round(figures[1]),
        "unit": "statements/s",
        "ratio": round(ratio, 3),
        "target": f">={SELECT_RATIO}",
        "ok": ratio >= SELECT_RATIO,
    }


def _limit(name: str, figures: list[float], unit: str, most: float | None) -> dict[str, object]:
    figure = statistics.median(figures)
    return {
        "name": name,
        "ours": round(figure, 2),
        "peer": None,
        "unit": f"{unit}, median",
        "ratio": None,
        "target": f"<={most:g}" if most else "",
        "ok": most is None or figure <= most,
    }


def _rate(name: str, figures: list[float]) -> dict[str, object]:
    figure = statistics.median(figures)
    return {
        "name": name,
        "ours": round(figure),
        "peer": None,
        "unit": "statements/s",
        "ratio": None,
        "target": f">={DDL_RATE:g}",
        "ok": figure >= DDL_RATE,
    }


# ---------------------------------------------------------------- measuring


async def _load(
    port: int, password: str, seconds: float, *statements: str, sessions: int = SESSIONS
) -> float:
    """Statements a second. No seconds: each statement once."""
    words = ("127.0.0.1", str(port), str(sessions), str(seconds), *statements)
    command = (sys.executable, str(_FOLDER / "_sql_load.py"), *words)
    return float(await output_of(*command, given=password + "\n", seconds=_TOO_LONG))


async def _connector(port: int, password: str, what: str, times: int) -> list[float]:
    """Milliseconds of execute and fetchall, each."""
    python = await asyncio.to_thread(python_with, V4)
    words = ("127.0.0.1", str(port), what, str(times))
    command = (str(python), str(_FOLDER / "_sql_connector.py"), *words)
    output = await output_of(*command, given=password + "\n", seconds=_TOO_LONG)
    return [seconds * 1000 for seconds in json.loads(output)]


def _parses() -> list[float]:
    """Microseconds a statement: the median of its times."""
    found: list[float] = []
    for sql in STATEMENTS:
        times: list[float] = []
        for _ in range(PARSES):
            began = time.perf_counter()
            parse(sql)
            times.append(time.perf_counter() - began)
        found.append(statistics.median(times) * 1e6)
    return found


# ---------------------------------------------------------------- servers


@contextlib.asynccontextmanager
async def _peer() -> AsyncGenerator[int]:
    port = free_port_base()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_FOLDER / "_sql_peer.py"),
        str(port),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_TOO_LONG):
            while not await _listens(port):
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True
