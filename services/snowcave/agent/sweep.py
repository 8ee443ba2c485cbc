"""Removes every container of one home: for `snowcave down`, when no agent runs any more."""

import asyncio
from pathlib import Path

import structlog

from snowcave.agent.engine.api import Container
from snowcave.agent.engine.docker import DockerEngine, open_docker
from snowcave.model.errors import SnowcaveError

log = structlog.get_logger()

_GRACE = 10.0


async def remove_containers(socket: Path, label: str, *, grace: float = _GRACE) -> int:
    """Stop (SIGTERM, `grace` seconds, SIGKILL) and remove what has this `name=value` label.

    Returns how many; an engine that does not answer has nothing that could be removed now.
    """
    name, _, value = label.partition("=")
    async with open_docker(str(socket)) as engine:
        try:
            found = await engine.list({name: value})
        except SnowcaveError as error:
            log.warning("containers_not_swept", error=str(error))
            return 0
        await asyncio.gather(*(_remove(engine, one, grace) for one in found))
        return len(found)


async def _remove(engine: DockerEngine, container: Container, grace: float) -> None:
    try:
        await engine.stop(container.id, signal="SIGTERM", grace=grace)
        await engine.remove(container.id)
    except SnowcaveError as error:
        log.warning("container_not_removed", container=container.name, error=str(error))
