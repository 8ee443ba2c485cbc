"""CREATE SERVICE until its endpoint is ready, against aiodocker alone starting the same two containers."""

import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiodocker

from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.runtime.daemon import Health, Parts
from snowcave.runtime.state import open_state
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state
from tests.kit.mesh import ECHO_COMMAND, Snowcave, build_echo, eventually, running_mesh

_TARGET = 2.0
_IMAGE = "bench_db/public/images/echo:latest"
_SPEC = f"spec: {{containers: [{{name: main, image: /{_IMAGE}}}]}}"
SETUP = (
    "CREATE DATABASE bench_db",
    "CREATE IMAGE REPOSITORY bench_db.public.images",
    "CREATE COMPUTE POOL bench_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_S",
)


async def run(rounds: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="snowcave-bench-") as folder:
        mesh = running_mesh(Path(folder) / "home")
        cave = await asyncio.to_thread(mesh.__enter__)
        try:
            return [await _measure(cave, Path(folder), rounds)]
        finally:
            await asyncio.to_thread(mesh.__exit__, None, None, None)


async def _measure(cave: Snowcave, folder: Path, rounds: int) -> dict[str, Any]:
    cursor = cave.connect().cursor()
    for statement in SETUP:
        cursor.execute(statement)
    cave.push(build_echo(folder), _IMAGE, ECHO_COMMAND)
    ours: list[float] = []
    peer: list[float] = []
    async with AsyncExitStack() as stack:
        store = await open_state(cave.mesh, Role.ADMIN, Parts(stack, Health()))
        endpoints = await stack.enter_async_context(follow(store, keys.ENDPOINTS))
        docker = await stack.enter_async_context(
            aiodocker.Docker(url=f"unix://{cave.engine_socket}")
        )
        # The first one brings the VM up and pulls the image.
        recipes = (await _one_service(cursor, endpoints, docker, 0))[1]
        for number in range(1, rounds + 1):
            ours.append((await _one_service(cursor, endpoints, docker, number))[0])
            peer.append(await _two_containers(docker, recipes, number))
            print(f"  round {number}: {ours[-1]:.3f} s, alone {peer[-1]:.3f} s", flush=True)
    ratio = statistics.median(ours) / statistics.median(peer)
    return {
        "name": "CREATE SERVICE to ready",
        "ours": statistics.median(ours),
        "peer": statistics.median(peer),
        "unit": "s",
        "ratio": ratio,
        "target": f"<={_TARGET}",
        "ok": ratio <= _TARGET,
    }


async def _one_service(
    cursor: Any, endpoints: Mirror[state.Endpoint], docker: aiodocker.Docker, number: int
) -> tuple[float, list[dict[str, Any]]]:
    """Seconds until ready, and the containers as the engine knows them."""
    began = time.monotonic()
    sql = (
        f"CREATE SERVICE bench_db.public.svc_{number} IN COMPUTE POOL bench_pool "
        f"FROM SPECIFICATION $${_SPEC}$$"
    )
    created = asyncio.create_task(asyncio.to_thread(cursor.execute, sql))
    async with asyncio.timeout(120):
        await endpoints.wait(lambda mirror: any(one.ready for one in mirror.values()))
        seconds = time.monotonic() - began
        await created
        await _listening(docker)
        shown = [await one.show() for one in await docker.containers.list(all=True)]
        await asyncio.to_thread(cursor.execute, f"DROP SERVICE bench_db.public.svc_{number}")
        await endpoints.wait(lambda mirror: not list(mirror.values()))
    await eventually(lambda: _none_left(cursor, number))
    while await docker.containers.list(all=True):
        await asyncio.sleep(0.05)
    return seconds, shown


async def _listening(docker: aiodocker.Docker) -> None:
    """Until then the program would not hear SIGTERM, as the first process of its container, for 30 s."""
    async with asyncio.timeout(60):
        for container in await docker.containers.list():
            if "sandbox" not in (await container.show())["Name"]:
                while not any("listens" in li for li in await container.log(stdout=True)):
                    await asyncio.sleep(0.05)


def _none_left(cursor: Any, number: int) -> bool:
    return not cursor.execute(f"SHOW SERVICES LIKE 'SVC_{number}' IN DATABASE bench_db").fetchall()


async def _two_containers(
    docker: aiodocker.Docker, shown: list[dict[str, Any]], number: int
) -> float:
    """The same sandbox and application, with the same limits, and nothing else."""
    sandbox, application = sorted(shown, key=lambda one: "sandbox" not in one["Name"])
    began = time.monotonic()
    first = await docker.containers.create(_recipe(sandbox), name=f"bench-sandbox-{number}")
    await first.start()
    recipe = _recipe(application)
    recipe["HostConfig"]["NetworkMode"] = f"container:{first.id}"
    second = await docker.containers.create(recipe, name=f"bench-application-{number}")
    await second.start()
    seconds = time.monotonic() - began
    for container in (second, first):
        await container.delete(force=True)
    return seconds


def _recipe(shown: dict[str, Any]) -> dict[str, Any]:
    host, config = shown["HostConfig"], shown["Config"]
    kept = (
        "NetworkMode",
        "Memory",
        "NanoCpus",
        "PidsLimit",
        "CapDrop",
        "SecurityOpt",
        "LogConfig",
    )
    return {
        "Image": config["Image"],
        "Cmd": config["Cmd"],
        "Entrypoint": config["Entrypoint"],
        "Env": config["Env"],
        "HostConfig": {name: host[name] for name in kept if host.get(name)},
    }
