"""One registry a test: on disk, or before Debian's docker-registry."""

import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import aiohttp
import pytest

from snowcave.registry.settings import RegistrySettings, Upstream
from snowcave.runtime.mesh import Mesh
from tests.kit.ports import free_port, free_port_base
from tests.kit.registries import Registry, running_registry


def wait_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError("docker-registry did not start")


@pytest.fixture(scope="session")
def upstream_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's docker-registry, on loopback."""
    program = shutil.which("docker-registry")
    assert program, "install docker-registry"
    folder = tmp_path_factory.mktemp("upstream")
    port = free_port()
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', secret: not-one}}\n"
    )
    process = subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_listening(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["disk", "proxy"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, upstream_url: str
) -> RegistrySettings:
    mesh = Mesh(home=tmp_path / "home", port_base=free_port_base())
    # Each test its own part of the one upstream.
    prefix = f"t{abs(hash(tmp_path)) % 10**9}"
    upstream = Upstream(url=upstream_url, prefix=prefix, answer=5.0)
    return RegistrySettings(mesh=mesh, backend=request.param, upstream=upstream)


@pytest.fixture
async def registry(settings: RegistrySettings) -> AsyncGenerator[Registry]:
    async with running_registry(settings) as running:
        yield running


@pytest.fixture
async def http(registry: Registry) -> AsyncGenerator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(registry.url, timeout=timeout) as session:
        yield session
