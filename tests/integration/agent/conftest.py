import asyncio
from collections.abc import AsyncGenerator

import pytest

from snowcave.agent.engine.docker import DockerDeadlines, DockerEngine, open_docker
from snowcave.agent.instances.recipe import HOME_LABEL
from tests.kit.docker_engine import PrivateDocker, docker_engine

__all__ = ["docker_engine"]


@pytest.fixture(scope="session")
def web_digest(docker_engine: PrivateDocker) -> str:
    """Of a busybox image in the engine's registry, `shop/web`."""
    docker_engine.start_registry()
    return docker_engine.push_busybox("shop/web")


@pytest.fixture
async def engine(docker_engine: PrivateDocker) -> AsyncGenerator[DockerEngine]:
    async with open_docker(docker_engine.socket, DockerDeadlines(look=20.0)) as engine:
        yield engine
        left = await engine.list({HOME_LABEL: "beef"})
        await asyncio.gather(*(engine.remove(c.id) for c in left))
