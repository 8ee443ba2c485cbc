"""Which container engine: the machine's where it answers, else one of our own in its own namespace."""

import asyncio
import json
import shutil
from pathlib import Path

from snowcave.cli.supervisor.children import Command
from snowcave.cli.supervisor.processes import start_time
from snowcave.runtime.mesh import Mesh

MACHINE_SOCKET = Path("/var/run/docker.sock")
_DEADLINE = 5.0


async def answers(socket: Path) -> bool:
    """Whether an engine answers a ping on this socket."""
    try:
        async with asyncio.timeout(_DEADLINE):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def choose(mesh: Mesh) -> Path:
    """The socket to use. Our own engine's, even while it is not up yet, where no other answers."""
    if mesh.engine_socket:
        return Path(mesh.engine_socket)
    # Containers of ours outlive a restart: an engine that we once started stays ours.
    if (mesh.home / "engine").exists():
        return mesh.own_engine_socket
    return MACHINE_SOCKET if await answers(MACHINE_SOCKET) else mesh.own_engine_socket


def installed() -> bool:
    return shutil.which("dockerd") is not None


def own_engine(mesh: Mesh) -> Command:
    """dockerd in the engine's namespace, with roots and socket of its own and live-restore."""
    root = mesh.home / "engine"
    run = mesh.folder("run") / "engine"
    root.mkdir(exist_ok=True, mode=0o700)
    run.mkdir(exist_ok=True, mode=0o700)
    configuration = root / "daemon.json"
    configuration.write_text(json.dumps({"live-restore": True}))
    return Command(
        "engine",
        (
            "nsenter",
            f"--net=/run/netns/{mesh.engine_namespace}",
            "dockerd",
            f"--config-file={configuration}",
            f"--data-root={root / 'data'}",
            f"--exec-root={run}",
            f"--pidfile={run / 'dockerd.pid'}",
            f"--host=unix://{mesh.own_engine_socket}",
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--log-level=warn",
        ),
        cleanup=lambda: _forget_dead(run),
    )


def _forget_dead(run: Path) -> None:
    """dockerd refuses to start while a pid file names a dead process of a killed predecessor."""
    for path in (run / "dockerd.pid", run / "containerd" / "containerd.pid"):
        try:
            pid = int(path.read_text())
        except (FileNotFoundError, ValueError):
            continue
        if start_time(pid) is None:
            path.unlink(missing_ok=True)
