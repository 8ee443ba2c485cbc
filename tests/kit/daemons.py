"""Real daemons of a mesh of the test's own: started, waited for, stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from snowcave.cli.supervisor.readiness import ask
from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh
from tests.kit.ports import free_port_base

_READY = 60.0


def a_mesh(home: Path) -> Mesh:
    """A home with a port base of its own, kept in mesh.toml where daemons read it."""
    base = free_port_base()
    (home / "mesh.toml").write_text(f"port_base = {base}\n")
    for name in ("state", "registry", "events", "warehouse", "run", "log"):
        (home / name).mkdir(exist_ok=True)
    return Mesh(home=home, port_base=base)


class Running:
    """A daemon process; what it wrote is in `<home>/log`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        self.process.kill()


@asynccontextmanager
async def running(
    mesh: Mesh, name: str, environment: dict[str, str] | None = None
) -> AsyncGenerator[Running]:
    """Entered when the daemon says that it is ready; left when it has drained."""
    log = mesh.folder("log") / f"{name}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "snowcave",
            "daemon",
            name,
            "--home",
            str(mesh.home),
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
        )
    try:
        async with asyncio.timeout(_READY):
            while not (await ask(mesh, Role(name))).ready:
                if process.returncode is not None:
                    raise RuntimeError(f"{name} ended:\n{log.read_text()[-4000:]}")
                await asyncio.sleep(0.05)
        yield Running(process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await process.wait()


async def scraped(mesh: Mesh, role: Role) -> dict[str, float]:
    """What `/metrics` of the daemon says, by name and labels."""
    reader, writer = await asyncio.open_connection("127.0.0.1", mesh.admin_port(role))
    writer.write(b"GET /metrics HTTP/1.0\r\nHost: admin\r\n\r\n")
    async with asyncio.timeout(20):
        lines = (await reader.read()).decode().splitlines()
    writer.close()
    samples = [line.rpartition(" ") for line in lines if " " in line and not line.startswith("#")]
    return {name: float(value) for name, _, value in samples if not value[:1].isalpha()}
