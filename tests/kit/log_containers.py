"""Containers with a log file, as far as who reads it knows them."""

from datetime import UTC, datetime
from pathlib import Path

from snowcave.agent.engine.api import Container, ContainerId, Phase
from snowcave.agent.instances.recipe import CONTAINER_LABEL

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def container(folder: Path, run: str = "run1") -> Container:
    path = folder / f"{run}-json.log"
    path.touch()
    return Container(
        ContainerId(run),
        run,
        {CONTAINER_LABEL: "main"},
        "image",
        Phase.RUNNING,
        NOW,
        started_at=NOW,
        log_path=path,
    )
