"""Sides of the ingress benchmark: our daemon in a mesh of its own, nginx and Caddy, before one instance."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench_parts._child import output_of
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.state import open_state
from tests.kit.daemons import a_mesh, running
from tests.kit.ports import free_port
from tests.kit.published_endpoint import endpoint_host, fill_catalog, fill_instances

CONNECTIONS = 64
BODY = 200
LARGE = 1 << 30
TOO_LONG = 60.0
_LOOPBACK = "127.0.0.1"


@dataclass
class Side:
    """One gateway, and what was measured of it."""

    port: int
    host: str
    token: str
    requests: list[float] = field(default_factory=list[float])
    new_headers: list[float] = field(default_factory=list[float])
    p99: list[float] = field(default_factory=list[float])
    download: list[float] = field(default_factory=list[float])

    def headers(self) -> list[str]:
        credential = f'Authorization: Snowflake Token="{self.token}"'
        return ["-H", f"Host: {self.host}", "-H", credential]

    def url(self, path: str) -> str:
        return f"http://{_LOOPBACK}:{self.port}{path}"


@asynccontextmanager
async def all_sides(folder: Path) -> AsyncGenerator[dict[str, Side]]:
    home = folder / "home"
    home.mkdir()
    (folder / "large").touch()
    with (folder / "large").open("r+b") as large:
        large.truncate(LARGE)
    token = secrets.token_urlsafe(48)
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(_nginx(folder, "instance", _INSTANCE))
        side = Side(instance, _LOOPBACK, token)
        await _answering(side)
        found = {
            "ours": await stack.enter_async_context(_ours(home, instance, token)),
            "nginx": Side(
                await stack.enter_async_context(_nginx(folder, "peer", _proxy(instance))),
                _LOOPBACK,
                token,
            ),
            "caddy": Side(
                await stack.enter_async_context(_caddy(folder, instance)), _LOOPBACK, token
            ),
        }
        for side in found.values():
            await _answering(side)
        yield found


async def _answering(side: Side) -> None:
    asked = ("curl", "-s", "-m", "1", *side.headers(), side.url("/"))
    async with asyncio.timeout(30):
        # Another process.
        while len(await output_of(*asked, seconds=TOO_LONG, check=False)) != BODY:
            await asyncio.sleep(0.1)


_INSTANCE = """
  server {{
    listen {address} reuseport;
    location / {{ default_type text/plain; return 200 "{body}"; }}
    location = /large {{ root {folder}; default_type application/octet-stream; }}
  }}
"""


def _proxy(instance: int) -> str:
    return (
        f"\n  upstream instance {{{{ server {_LOOPBACK}:{instance}; keepalive 64; "
        "keepalive_requests 100000000; }}"
        """
  server {{
    listen {address};
    location / {{
      proxy_pass http://instance;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_max_temp_file_size 0;
    }}
  }}
"""
    )


@asynccontextmanager
async def _nginx(folder: Path, name: str, servers: str) -> AsyncGenerator[int]:
    port = free_port()
    address = f"{_LOOPBACK}:{port}"
    config = folder / f"{name}.conf"
    config.write_text(
        "user root;\n"
        "daemon off;\n"
        "worker_processes 1;\n"
        f"pid {folder}/{name}.pid;\n"
        f"error_log {folder}/{name}.log;\n"
        "events { worker_connections 1024; }\n"
        "http {\n"
        "  access_log off;\n"
        "  sendfile on;\n"
        "  tcp_nodelay on;\n"
        "  keepalive_requests 100000000;\n"
        f"{servers.format(address=address, body='x' * BODY, folder=folder)}"
        "}\n"
    )
    async with _running("nginx", "-c", str(config), "-e", f"{folder}/{name}.log"):
        yield port


@asynccontextmanager
async def _caddy(folder: Path, instance: int) -> AsyncGenerator[int]:
    port = free_port()
    config = folder / "Caddyfile"
    config.write_text(
        "{\n  admin off\n  auto_https off\n}\n"
        f"http://:{port} {{\n"
        f"  reverse_proxy {_LOOPBACK}:{instance} {{\n"
        f"    transport http {{\n      keepalive_idle_conns_per_host {CONNECTIONS}\n    }}\n"
        "  }\n}\n"
    )
    # It keeps what it was told last below the user's home.
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = ("caddy", "run", "--adapter", "caddyfile", "--config", str(config))
    async with _running(*command, environment=home):
        yield port


@asynccontextmanager
async def _running(
    *command: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _ours(home: Path, instance: int, token: str) -> AsyncGenerator[Side]:
    """Our daemon, which has service, user and session from a state store as it would in a mesh."""
    mesh = a_mesh(home)
    async with running(mesh, "statestore"), AsyncExitStack() as stack:
        parts = Parts(stack, Health())
        await fill_catalog(await open_state(mesh, Role.API, parts), instance, {token: "ALICE"})
        await fill_instances(await open_state(mesh, Role.SCHEDULER, parts), [_LOOPBACK])
        async with running(mesh, "ingress"):
            yield Side(mesh.port("ingress"), endpoint_host(mesh), token)
