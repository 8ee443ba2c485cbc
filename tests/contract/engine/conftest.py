"""Both engines, each with an image that stays until it is told to leave."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from snowcave.agent.engine.api import ContainerId, Engine, Recipe, SandboxNames
from snowcave.agent.engine.docker import DockerDeadlines, open_docker
from snowcave.agent.engine.simulated import Behaviour, SimulatedEngine
from tests.kit.docker_engine import PrivateDocker, docker_engine

__all__ = ["docker_engine"]

SHELL = "snowcave-test/shell:1"


@dataclass
class Bench:
    """An engine under test and the recipes that make it do each thing."""

    engine: Engine
    registry: str
    # Reference by digest of an image that can be pulled.
    remote: str
    label: dict[str, str]
    simulated: SimulatedEngine | None

    def recipe(self, name: str, does: str = "stays", **changes: Any) -> Recipe:
        return Recipe(
            name=f"{self.label['io.snowcave.test']}-{name}",
            image=SHELL if self.simulated is None else does,
            labels=self.label,
            entrypoint=("/bin/sh", "-c", _SCRIPTS[does]) if does != "cannot" else ("/no/such",),
            sandbox=None if "joins" in changes else SandboxNames(hostname=name),
            **changes,
        )

    async def run(self, name: str, does: str = "stays", **changes: Any) -> ContainerId:
        made = await self.engine.create(self.recipe(name, does, **changes))
        await self.engine.start(made)
        return made


_SCRIPTS = {
    "stays": "trap 'exit 143' TERM; while :; do sleep 0.05; done",
    "ends": "exit 7",
    "stubborn": "trap '' TERM; while :; do sleep 0.05; done",
    "cannot": "",
}
_BEHAVIOURS = {
    "stays": Behaviour(),
    "ends": Behaviour(exits_after=0.01, exit_code=7),
    "stubborn": Behaviour(stubborn=True),
    "cannot": Behaviour(start_error="exec: /no/such: no such file or directory"),
}


@asynccontextmanager
async def _simulated(label: dict[str, str]) -> AsyncGenerator[Bench]:
    engine = SimulatedEngine()
    engine.behaviours = dict(_BEHAVIOURS)
    engine.images = set(_BEHAVIOURS)
    missing = "localhost:5000/absent@sha256:" + "0" * 64
    engine.behaviours[missing] = Behaviour(pull_error="manifest unknown")
    yield Bench(engine, "localhost:5000", "localhost:5000/there@sha256:" + "1" * 64, label, engine)


@asynccontextmanager
async def _docker(label: dict[str, str], private: PrivateDocker) -> AsyncGenerator[Bench]:
    if private.registry is None:
        private.start_registry()
        private.import_busybox(SHELL)
    digest = private.push_busybox("shop/web")
    deadlines = DockerDeadlines(look=20.0, change=30.0, pull=60.0)
    async with open_docker(private.socket, deadlines) as engine:
        yield Bench(engine, "localhost:5000", f"localhost:5000/shop/web@{digest}", label, None)
        left = await engine.list(label)
        await asyncio.gather(*(engine.remove(c.id) for c in left))


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.docker)])
async def bench(request: pytest.FixtureRequest) -> AsyncGenerator[Bench]:
    label = {"io.snowcave.test": f"t{abs(hash(request.node.name)) % 10**8}"}
    if request.param == "simulated":
        async with _simulated(label) as bench:
            yield bench
    else:
        async with _docker(label, request.getfixturevalue("docker_engine")) as bench:
            yield bench
