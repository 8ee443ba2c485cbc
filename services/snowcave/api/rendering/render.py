"""A specification from its template and its values, rendered in a process of its own.

Bounded: the template's size, the specification's, the worker's memory and time, and how many work at once. A
worker is killed at its deadline and with the statement that waits for it.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.model.errors import TemplateFailed
from snowcave.model.spec.values import read_value


@dataclass(frozen=True)
class RenderSettings:
    """Templates of specifications."""

    # Characters of a template, and of what it gives.
    longest: int = 1 << 20
    # Seconds for one template, the start of its worker included; of processor time it has no more than that.
    deadline: float = 10.0
    cpu: int = 4
    # Bytes of address space of a worker.
    memory: int = 512 << 20
    # Workers at once; further templates wait.
    workers: int = 2


class Renderer:
    def __init__(self, settings: RenderSettings | None = None) -> None:
        self._settings = settings or RenderSettings()
        self._slots = asyncio.Semaphore(self._settings.workers)

    async def render(self, template: str, values: Mapping[str, tuple[str, bool]]) -> str:
        """`values` are texts, each with whether it was quoted. Raises TemplateFailed."""
        settings = self._settings
        if len(template) > settings.longest:
            raise TemplateFailed(f"it is longer than {settings.longest} characters.")
        read = {key: read_value(key, *value) for key, value in values.items()}
        task = {
            "template": template,
            "values": read,
            "longest": settings.longest,
            "memory": settings.memory,
            "cpu": settings.cpu,
        }
        async with self._slots:
            said = await self._work(json.dumps(task).encode())
        try:
            answer: dict[str, str] = json.loads(said)
        except ValueError:
            raise TemplateFailed("it takes too much time or memory.") from None
        if "error" in answer:
            raise TemplateFailed(answer["error"])
        # Half of a surrogate pair, which JSON can name, is no character of a specification.
        return answer["text"].encode(errors="replace").decode()

    async def _work(self, task: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "snowcave.api.rendering.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        )
        try:
            async with asyncio.timeout(self._settings.deadline):
                said, _ = await process.communicate(task)
                return said
        except TimeoutError:
            raise TemplateFailed("it takes too long.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())
