"""Puts a second and watch lag, the embedded store against Debian's etcd, by the same client.

Both stores run throughout on the same disk and take turns; the client is a process of its own.
"""

import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.bench_parts._child import output_of
from tests.kit.store_processes import embedded, etcd, running

TARGET_PUTS = 0.5
TARGET_LAG = 20.0
SECONDS = 2.0
_CHILD = Path(__file__).with_name("_store_child.py")


async def run(rounds: int) -> list[dict[str, object]]:
    """Rows `store puts` and `store lag`."""
    puts: dict[str, list[float]] = {"ours": [], "peer": []}
    lags: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        addresses: dict[str, str] = {}
        for side, make in (("ours", embedded), ("peer", etcd)):
            home = Path(folder) / side
            home.mkdir()
            addresses[side] = stack.enter_context(running(make(home))).address
        for number in range(rounds + 1):
            for side, address in addresses.items():
                put, lag = await _measure("puts", address), await _measure("lag", address)
                if number:  # the first round warms both up
                    puts[side].append(put)
                    lags[side].append(lag)
    return [_puts(puts), _lag(lags)]


def _puts(figures: dict[str, list[float]]) -> dict[str, object]:
    ours, peer = statistics.median(figures["ours"]), statistics.median(figures["peer"])
    return {
        "name": "store puts",
        "ours": round(ours),
        "peer": round(peer),
        "unit": "puts/s",
        "ratio": round(ours / peer, 3),
        "target": f">={TARGET_PUTS}",
        "ok": ours / peer >= TARGET_PUTS,
    }


def _lag(figures: dict[str, list[float]]) -> dict[str, object]:
    ours, peer = statistics.median(figures["ours"]), statistics.median(figures["peer"])
    return {
        "name": "store lag",
        "ours": round(ours, 2),
        "peer": round(peer, 2),
        "unit": "ms, p99",
        "ratio": round(ours / peer, 3),
        "target": f"<={TARGET_LAG:g} ms",
        "ok": ours <= TARGET_LAG,
    }


async def _measure(what: str, address: str) -> float:
    command = (sys.executable, str(_CHILD), what, address, str(SECONDS))
    output = await output_of(*command, seconds=SECONDS + 60)
    return float(json.loads(output))
