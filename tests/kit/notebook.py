"""A notebook in a client's own environment: cells in, what they print out."""

import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from textwrap import dedent

from tests.kit.mesh import Connector, clean_environment

_END = 30.0


class Notebook:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, cell: str) -> str:
        """What the cell printed. Raises AssertionError where it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"cell": dedent(cell)}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert not answer["error"], answer["error"]
        return answer["said"].strip()


@contextmanager
def notebook(client: Connector) -> Generator[Notebook]:
    """Left when its process has ended."""
    process = subprocess.Popen(
        client.command("notebook.py"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        yield Notebook(process)
    finally:
        process.communicate(timeout=_END)
