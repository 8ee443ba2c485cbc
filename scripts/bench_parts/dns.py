"""Answered queries a second, ours against unbound with one thread, asked by dnsperf with 4 clients.

Both sides run throughout and take turns; a run that loses a query fails the benchmark.
"""

import asyncio
import re
import statistics
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from scripts.bench_parts._child import output_of
from snowcave.model import keys
from snowcave.model.keys import KeySpace, M, Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.state import open_state
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state
from tests.kit.daemons import a_mesh, running
from tests.kit.ports import free_port

NAMES = 100
CLIENTS = 4
SECONDS = 2
TARGET = 0.7
ZONE = "bench.svc.spcs.internal"
_LOOPBACK = "127.0.0.1"


async def run(rounds: int) -> list[dict[str, object]]:
    """The benchmark's one row."""
    ours: list[float] = []
    peer: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        home, questions = Path(folder) / "home", Path(folder) / "questions"
        home.mkdir()
        questions.write_text("".join(f"{name(n)} A\n{name(n)} AAAA\n" for n in range(NAMES)))
        async with _ours(home) as our_port, _unbound(Path(folder)) as peer_port:
            for _ in range(rounds):
                ours.append(await _measure(our_port, questions))
                peer.append(await _measure(peer_port, questions))
    figures = statistics.median(ours), statistics.median(peer)
    ratio = figures[0] / figures[1]
    return [
        {
            "name": "dns",
            "ours": round(figures[0]),
            "peer": round(figures[1]),
            "unit": "answers/s",
            "ratio": round(ratio, 3),
            "target": f">={TARGET}",
            "ok": ratio >= TARGET,
        }
    ]


def name(number: int) -> str:
    return f"svc-{number}.{ZONE}"


async def _measure(port: int, questions: Path) -> float:
    options = ["-s", _LOOPBACK, "-p", str(port), "-d", str(questions)]
    command = ("dnsperf", *options, "-c", str(CLIENTS), "-l", str(SECONDS))
    output = await output_of(*command, seconds=SECONDS + 30)
    lost = int(_figure(r"Queries lost:\s+(\d+)", output))
    if lost or "NOERROR" not in output or "NXDOMAIN" in output:
        raise RuntimeError(f"{lost} queries lost, or answered wrongly:\n{output}")
    return _figure(r"Queries per second:\s+([\d.]+)", output)


def _figure(pattern: str, text: str) -> float:
    if (found := re.search(pattern, text)) is None:
        raise RuntimeError(f"dnsperf said nothing like {pattern}:\n{text}")
    return float(found.group(1))


@asynccontextmanager
async def _running(*command: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _ours(home: Path) -> AsyncGenerator[int]:
    """Our daemon, which has the names from a state store as it would in a mesh."""
    mesh = a_mesh(home)
    async with running(mesh, "statestore"), AsyncExitStack() as stack:
        parts = Parts(stack, Health())
        await _fill(
            await open_state(mesh, Role.API, parts), await open_state(mesh, Role.SCHEDULER, parts)
        )
        async with running(mesh, "dns"):
            await _answering(mesh.port("dns"))
            yield mesh.port("dns")


async def _fill(api: Store, scheduler: Store) -> None:
    """Each role writes what is its own: the service, and the address it was given."""
    schema = state.Schema(dns_hash=ZONE.partition(".")[0])
    await _put(api, keys.catalog("database"), state.Object(uid=1, name="BENCH"), 1)
    await _put(
        api, keys.catalog("schema"), state.Object(uid=2, name="PUBLIC", parent=1, schema=schema), 2
    )
    for number in range(NAMES):
        uid = 100 + number
        service = state.Object(uid=uid, name=f"SVC_{number}", parent=2, service=state.Service())
        await _put(api, keys.catalog("service"), service, uid)
        status = state.ServiceStatus(service_address=f"10.245.1.{number + 1}")
        await _put(scheduler, keys.SERVICE_STATUS, status, uid)


async def _put(store: Store, space: KeySpace[M], message: M, *parts: object) -> None:
    await store.put(space.key(*parts), message.SerializeToString())


@asynccontextmanager
async def _unbound(folder: Path) -> AsyncGenerator[int]:
    port = free_port()
    data = "".join(f'  local-data: "{name(n)}. 5 IN A 10.245.1.{n + 1}"\n' for n in range(NAMES))
    config = folder / "unbound.conf"
    config.write_text(
        "server:\n"
        "  num-threads: 1\n"
        f"  interface: {_LOOPBACK}@{port}\n"
        "  do-daemonize: no\n"
        "  use-syslog: no\n"
        '  username: ""\n'
        '  chroot: ""\n'
        f'  directory: "{folder}"\n'
        f'  pidfile: "{folder}/unbound.pid"\n'
        "  so-rcvbuf: 4m\n"
        f'  local-zone: "{ZONE}." static\n'
        f"{data}"
        "remote-control:\n"
        "  control-enable: no\n"
    )
    async with _running("unbound", "-d", "-c", str(config)):
        await _answering(port)
        yield port


async def _answering(port: int) -> None:
    probe = ("dig", f"@{_LOOPBACK}", "-p", str(port), "+short", "+tries=1", "+time=1", name(0))
    async with asyncio.timeout(30):
        # Another process.
        while "10.245" not in await output_of(*probe, seconds=30.0, check=False):
            await asyncio.sleep(0.1)
