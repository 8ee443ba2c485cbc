"""A specification from its template and its values, rendered in a process of its own.

Bounded: the template's size, the specification's, the worker's memory and time, and how many work at once. A
worker is killed at its deadline, also where the statement that wanted it has gone.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
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
        # Of its own: what waits for a worker holds up nothing else.
        self._threads = ThreadPoolExecutor(self._settings.workers, "rendering")

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
        loop = asyncio.get_running_loop()
        said = await loop.run_in_executor(self._threads, self._work, json.dumps(task).encode())
        try:
            answer: dict[str, str] = json.loads(said)
        except ValueError:
            raise TemplateFailed("it takes too much time or memory.") from None
        if "error" in answer:
            raise TemplateFailed(answer["error"])
        # Half of a surrogate pair, which JSON can name, is no character of a specification.
        return answer["text"].encode(errors="replace").decode()

    def _work(self, task: bytes) -> bytes:
        """What the worker said before its deadline. Blocks: a process of the loop's own would share its pipes
        with a loop that closes them too early at times.
        """
        try:
            done = subprocess.run(
                [sys.executable, "-m", "snowcave.api.rendering.worker"],
                input=task,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._settings.deadline,
                check=False,
                env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
            )
        except subprocess.TimeoutExpired:
            raise TemplateFailed("it takes too long.") from None
        return done.stdout
