"""A whole Snowcave of the tests' own: `snowcave up` in a temporary home, with images to run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import snowflake.connector

from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh
from tests.kit.daemons import free_port_base

ROOT = Path(__file__).resolve().parents[2]
_UP = 150.0


def clean_environment() -> dict[str, str]:
    """What clients under test see: no proxy between them and this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return {
        **kept,
        "NO_PROXY": "127.0.0.0/8,127.0.0.1,localhost,.localhost",
        "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
    }


def run(*command: str, stdin: str = "", timeout: float = 120.0, check: bool = True) -> str:
    """Output of a program; a failure shows what it said."""
    ended = subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=clean_environment(),
        check=False,
    )
    if check and ended.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        )
    return ended.stdout


def snowcave(home: Path, command: str, *arguments: str, timeout: float = _UP) -> str:
    """A `snowcave` command on this home."""
    return run(
        sys.executable, "-m", "snowcave", command, "--home", str(home), *arguments, timeout=timeout
    )


@dataclass
class Snowcave:
    """A running mesh and ways to use it."""

    mesh: Mesh
    images: set[str] = field(default_factory=set[str])

    @property
    def password(self) -> str:
        return (self.mesh.home / "admin.password").read_text().strip()

    def connect(self, **arguments: Any) -> Any:
        """A connection of the connector in our own environment."""
        return snowflake.connector.connect(
            **{
                "account": f"{self.mesh.organization}-{self.mesh.account}",
                "user": "ADMIN",
                "password": self.password,
                "host": "127.0.0.1",
                "port": self.mesh.port("api"),
                "protocol": "http",
                **arguments,
            }
        )

    def docker(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """The docker client, on the engine that this mesh uses."""
        config = str(self.mesh.home / "docker-config")
        host = f"unix://{self.engine_socket}"
        return run(
            "docker", "--config", config, "--host", host, *arguments, stdin=stdin, check=check
        )

    @property
    def engine_socket(self) -> Path:
        own = self.mesh.own_engine_socket
        return own if (self.mesh.home / "engine").exists() else Path("/var/run/docker.sock")

    def push(self, tar: Path, path: str, *changes: str) -> None:
        """Import a root file system and push it as `path` (database/schema/repository/image:tag)."""
        tag = f"{self.mesh.registry_host}/{path}"
        options = [word for change in changes for word in ("--change", change)]
        self.docker("import", *options, str(tar), tag)
        self.docker(
            "login",
            self.mesh.registry_host,
            "-u",
            "ADMIN",
            "--password-stdin",
            stdin=self.password,
        )
        self.docker("push", "--quiet", tag)
        self.images.add(path)


@contextmanager
def running_mesh(home: Path) -> Generator[Snowcave]:
    """Up when entered; left when nothing of it is on the machine any more."""
    port_base = free_port_base()
    snowcave(home, "up", "--detach", "--port-base", str(port_base))
    try:
        yield Snowcave(read_mesh(home, {}))
    finally:
        snowcave(home, "down")


ECHO_COMMAND = 'CMD ["/usr/bin/python3", "/app/echo_service.py"]'


def build_echo(folder: Path) -> Path:
    """The tutorial's image as a root file system, made of Debian packages."""
    tar = folder / "echo.tar"
    service = ROOT / "deploy/images/echo/echo_service.py"
    run(
        sys.executable,
        str(ROOT / "deploy/images/rootfs.py"),
        str(tar),
        "--package",
        "python3",
        "--file",
        f"{service}:/app/echo_service.py",
    )
    return tar


async def eventually(look: Any, seconds: float = 60.0) -> Any:
    """What `look()` (blocking) returns once it is true; AssertionError with its last answer otherwise."""
    last: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not (last := await asyncio.to_thread(look)):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"still {last!r} after {seconds} s") from None
    return last
