"""A registry on disk, with settings that a test may change."""

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from snowcave.registry.settings import Deadlines, Garbage, Limits, RegistrySettings
from snowcave.runtime.mesh import Mesh
from tests.kit.ports import free_port_base
from tests.kit.registries import Registry, running_registry


@pytest.fixture
def settings(tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(
        mesh=Mesh(home=tmp_path / "home", port_base=free_port_base()),
        deadlines=Deadlines(headers=0.5, idle=1.0, keepalive=1.0, handshake=1.0, store=2.0),
        garbage=Garbage(grace=0.0, upload=0.0),
        limits=Limits(uploads=4, chunk=64 << 10),
        reconcile=0.05,
    )


@pytest.fixture
async def registry(settings: RegistrySettings) -> AsyncGenerator[Registry]:
    async with running_registry(settings) as running:
        yield running


@pytest.fixture
async def http(registry: Registry) -> AsyncGenerator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(registry.url, timeout=timeout) as session:
        yield session
