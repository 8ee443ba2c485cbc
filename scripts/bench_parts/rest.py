"""The REST API: a service, a list of a thousand, by a raw keep-alive client; and what snowflake.core takes.

A mesh of statestore, api and warehouse, all real. The raw client waits for each answer before it asks again.
"""

import asyncio
import http.client
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.bench_parts._child import output_of
from scripts.bench_parts._three_daemons import make_services, three_daemons
from tests.kit.mesh import ROOT, clean_environment

SERVICES = 1000
FETCHES, LISTINGS = 300, 20
FETCH_MS, LIST_MS = 5.0, 80.0
_WARM = 10
_TOO_LONG = 120.0
_PLACE = "/api/v2/databases/b/schemas/s/services"


async def run(rounds: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="bench-rest") as folder:
        async with three_daemons(Path(folder)) as (mesh, password):
            port = mesh.port("api")
            await asyncio.to_thread(_set_up, port, password)
            await make_services(mesh, SERVICES)
            raw = await asyncio.to_thread(_measure, port, password, rounds)
            core = await _core(port, password)
    return [
        _row("rest GET of a service", raw["fetch"], FETCH_MS),
        _row(f"rest list of {SERVICES} services", raw["list"], LIST_MS),
        _row("snowflake.core fetch of a service", core["fetch"], None),
        _row(f"snowflake.core list of {SERVICES} services", core["list"], None),
    ]


def _row(name: str, seconds: list[float], most: float | None) -> dict[str, object]:
    figure = statistics.median(seconds) * 1000
    return {
        "name": name,
        "ours": round(figure, 2),
        "peer": None,
        "unit": "ms, median",
        "ratio": None,
        "target": f"<={most:g}" if most else "",
        "ok": most is None or figure <= most,
    }


class _Client:
    """One connection, kept open."""

    def __init__(self, port: int, password: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TOO_LONG)
        data = {"LOGIN_NAME": "ADMIN", "PASSWORD": password}
        answer = self._ask("POST", "/session/v1/login-request", {"data": data}, {})
        token = json.loads(answer)["data"]["token"]
        self._headers = {"Authorization": f'Snowflake Token="{token}"'}

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        return self._ask(method, path, body, self._headers)

    def _ask(self, method: str, path: str, body: object, headers: dict[str, str]) -> bytes:
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, sent, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def times(self, path: str, count: int) -> list[float]:
        taken: list[float] = []
        for number in range(_WARM + count):
            began = time.perf_counter()
            self.ask("GET", path)
            if number >= _WARM:
                taken.append(time.perf_counter() - began)
        return taken


def _set_up(port: int, password: str) -> None:
    client = _Client(port, password)
    client.ask("POST", "/api/v2/databases", {"name": "b"})
    client.ask("POST", "/api/v2/databases/b/schemas", {"name": "s"})


def _all_listed(client: _Client) -> list[dict[str, Any]]:
    """They were put into the store, from where api learns of them a moment later."""
    until = time.monotonic() + _TOO_LONG
    while len(listed := json.loads(client.ask("GET", _PLACE))) != SERVICES:
        if time.monotonic() > until:
            raise RuntimeError(f"{len(listed)} services, not {SERVICES}")
    return listed


def _measure(port: int, password: str, rounds: int) -> dict[str, list[float]]:
    client = _Client(port, password)
    listed = _all_listed(client)
    found: dict[str, list[float]] = {"fetch": [], "list": []}
    for _ in range(max(1, rounds // 10)):
        found["fetch"] += client.times(f"{_PLACE}/{listed[500]['name']}", FETCHES)
        found["list"] += client.times(_PLACE, LISTINGS)
    return found


async def _core(port: int, password: str) -> dict[str, list[float]]:
    """In the environment of clients that scripts/bench makes."""
    python = ROOT / ".venvs/connector5/bin/python"
    command = (str(python), str(Path(__file__).parent / "_rest_core.py"), str(port))
    output = await output_of(
        *command, given=password + "\n", environment=clean_environment(), seconds=_TOO_LONG
    )
    return json.loads(output)
