"""Requests a second through the ingress, against Debian's Caddy and nginx (one worker), asked by wrk.

Every side is one process before the same instance; all run throughout and take turns. Ours knows who asks and
whether they may, the others pass anybody on. An answer that is not the instance's fails the benchmark.
"""

import re
import statistics
import tempfile
from pathlib import Path

from scripts.bench_parts._child import output_of
from scripts.bench_parts._ingress_sides import CONNECTIONS, LARGE, TOO_LONG, Side, all_sides

SECONDS = 2
PEERS = {"caddy": 2.0, "nginx": 0.5}
DOWNLOAD_TARGET = 0.4

_NEW_HEADERS = """
local number = 0
request = function()
  number = number + 1
  wrk.headers["X-Number"] = number
  return wrk.format()
end
"""


async def run(rounds: int) -> list[dict[str, object]]:
    """A row for each peer, the slowest answers, and one download of a gigabyte."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "new_headers.lua"
        script.write_text(_NEW_HEADERS)
        async with all_sides(Path(folder)) as sides:
            for _ in range(rounds):
                for side in sides.values():
                    side.requests.append(await _load(side))
                for side in (sides["ours"], sides["nginx"]):
                    side.new_headers.append(await _load(side, "-s", str(script)))
                for side in (sides["ours"], sides["nginx"]):
                    side.download.append(await _download(side))
    ours = sides["ours"]
    rows = [
        _row(f"requests, {name}", ours.requests, sides[name].requests, "requests/s", target)
        for name, target in PEERS.items()
    ]
    nginx = sides["nginx"]
    # What is remembered of earlier requests does not help here.
    new = _row(
        "headers never seen, nginx", ours.new_headers, nginx.new_headers, "requests/s", None
    )
    slowest = _row("slowest 1%, nginx", ours.p99, nginx.p99, "ms", None)
    large = _row("1 GB, nginx", ours.download, nginx.download, "MB/s", DOWNLOAD_TARGET)
    return [*rows, new, slowest, large]


def _row(
    name: str, ours: list[float], peer: list[float], unit: str, target: float | None
) -> dict[str, object]:
    figures = statistics.median(ours), statistics.median(peer)
    ratio = figures[0] / figures[1]
    return {
        "name": name,
        "ours": round(figures[0], 2),
        "peer": round(figures[1], 2),
        "unit": unit,
        "ratio": round(ratio, 3),
        "target": f">={target}" if target else "",
        "ok": target is None or ratio >= target,
    }


async def _load(side: Side, *more: str) -> float:
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", *side.headers(), *more]
    output = await output_of("wrk", *options, side.url("/"), seconds=TOO_LONG)
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"not every request was answered well:\n{output}")
    if not more:
        side.p99.append(_milliseconds(output))
    return _figure(r"Requests/sec:\s+([\d.]+)", output)


def _milliseconds(output: str) -> float:
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", output)
    if found is None:
        raise RuntimeError(f"no 99% in:\n{output}")
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]


async def _download(side: Side) -> float:
    wanted = ["-o", "/dev/null", "-w", "%{http_code} %{size_download} %{speed_download}"]
    command = ("curl", "-s", *wanted, *side.headers(), side.url("/large"))
    output = await output_of(*command, seconds=TOO_LONG)
    status, size, speed = output.split()
    if status != "200" or int(size) != LARGE:
        raise RuntimeError(f"the download failed: {output}")
    return float(speed) / 1e6


def _figure(pattern: str, text: str) -> float:
    if (found := re.search(pattern, text)) is None:
        raise RuntimeError(f"nothing like {pattern} in:\n{text}")
    return float(found.group(1))
