"""The snow CLI of an environment of its own, with a home of its own that has connections to a mesh."""

import json
import os
import subprocess
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tests.kit.mesh import CLIENTS, ROOT, Snowcave, clean_environment

PYTHON = CLIENTS / "cli/bin/python"
_SERVER = ROOT / "tests/clients/programs/snow.py"
# Of commands that run at one time.
_LIMIT = 150.0


@dataclass(frozen=True)
class Ended:
    """What a command has said, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)

    def status(self) -> str:
        """Of a command that prints one row of one column."""
        found = self.json()
        row = found[0] if isinstance(found, list) else found
        return cast("dict[str, str]", row)["status"]

    def error(self) -> str:
        """What stands in the box around an error, on one line."""
        assert self.code == 1, self
        lines = (line.strip("╭╮╰╯─│ ") for line in self.err.splitlines())
        return " ".join(line for line in lines if line and line != "Error")


@dataclass
class SnowCli:
    """`cwd`: where commands are run, unless they say otherwise."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    home: Path
    cwd: Path
    docker_config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.docker_config = self.home / "docker"

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        return self._run([self._order(arguments, stdin, environment)])[0]

    def json(self, *arguments: str) -> Any:
        return self(*arguments, "--format", "json").json()

    def together(self, *commands: Sequence[str]) -> list[Ended]:
        """Commands that do not need each other, at one time; their answers as JSON."""
        return self._run([self._order((*one, "--format", "json"), "", {}) for one in commands])

    def _order(self, arguments: Iterable[str], stdin: str, environment: dict[str, str]) -> Any:
        env = {"DOCKER_CONFIG": str(self.docker_config), **environment}
        return {"args": list(arguments), "cwd": str(self.cwd), "stdin": stdin, "env": env}

    def _run(self, orders: list[Any]) -> list[Ended]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        limit = threading.Timer(_LIMIT, self.process.kill)
        limit.start()
        try:
            self.process.stdin.write(json.dumps(orders) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        finally:
            limit.cancel()
        assert answer, f"the CLI's process is gone, or {orders} took longer than {_LIMIT} s"
        return [Ended(**one) for one in json.loads(answer)]


def write_connections(home: Path, connections: dict[str, dict[str, Any]]) -> None:
    """A config.toml; the first connection is the default."""
    home.mkdir(exist_ok=True)
    lines = [f'default_connection_name = "{next(iter(connections))}"', "[cli]"]
    # Or it asks a package index.
    lines.append("ignore_new_version_warning = true")
    for name, keys in connections.items():
        lines.append(f"[connections.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    path = home / "config.toml"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


@contextmanager
def snow_cli(
    folder: Path, cave: Snowcave, *, other: dict[str, dict[str, Any]] | None = None, **keys: Any
) -> Generator[SnowCli]:
    """Connected as the administrator, or as `keys` of a connection say; `other` are further connections."""
    home = folder / "snow-home"
    write_connections(home, {"local": cave.api(**keys), **(other or {})})
    environment = {
        **clean_environment(),
        "SNOWFLAKE_HOME": str(home),
        # Wide enough that no line of a message is broken.
        "COLUMNS": "1000",
        "TERMINAL_WIDTH": "1000",
        "NO_COLOR": "1",
        "HOME": os.environ.get("HOME", "/root"),
    }
    with subprocess.Popen(
        [str(PYTHON), str(_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield SnowCli(process, environment, home, folder)
        finally:
            process.kill()
