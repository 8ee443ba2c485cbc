"""A whole Snowcave of the tests' own: `snowcave up` in a temporary home, with images to run."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import snowflake.connector

from snowcave.cli.supervisor import processes
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh
from tests.kit.ports import free_port_base

ROOT = Path(__file__).resolve().parents[2]
_UP = 150.0
_FEED = 240.0


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
    """A `snowcave` command (of one word or two) on this home."""
    program = (sys.executable, "-m", "snowcave", *command.split(), "--home", str(home))
    return run(*program, *arguments, timeout=timeout)


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
        return snowflake.connector.connect(**self.api(**arguments))

    def api(self, **arguments: Any) -> dict[str, Any]:
        """Arguments of `snowflake.connector.connect`, for whichever version of it."""
        return {
            "account": f"{self.mesh.organization}-{self.mesh.account}",
            "user": "ADMIN",
            "password": self.password,
            "host": "127.0.0.1",
            "port": self.mesh.port("api"),
            "protocol": "http",
            **arguments,
        }

    def docker(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """The docker client, on the engine that this mesh uses."""
        return run(*self.docker_command(*arguments), stdin=stdin, check=check)

    def docker_command(self, *arguments: str, config: str = "docker-config") -> list[str]:
        """`config` is a folder of the home: who is logged in."""
        folder = str(self.mesh.home / config)
        return ["docker", "--config", folder, "--host", f"unix://{self.engine_socket}", *arguments]

    def pids(self) -> dict[str, int]:
        """The daemons' processes, by name."""
        found = {
            path.stem: processes.read_pid(path) for path in self.mesh.folder("run").glob("*.pid")
        }
        return {name: process.pid for name, process in found.items() if process}

    def logs(self) -> dict[str, str]:
        """What the daemons wrote, by name."""
        folder = self.mesh.folder("log")
        return {path.stem: path.read_text(errors="replace") for path in folder.glob("*.log")}

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


# Environments of the clients: as scripts/test installs them, or with other releases (scripts/newest).
CLIENTS = Path(os.environ.get("SNOWCAVE_TEST_CLIENTS", ROOT / ".venvs"))
# The connector and what it needs; images run the Python of this machine's Debian.
CONNECTOR_PACKAGES = ROOT / ".venvs/connector4/lib/python3.11/site-packages"
ECHO_COMMAND = 'CMD ["/usr/bin/python3", "/app/echo_service.py"]'


def build_image(tar: Path, packages: Sequence[str], files: Sequence[str]) -> Path:
    """A root file system of Debian packages and of files, as LOCAL:/inside."""
    run(
        sys.executable,
        str(ROOT / "deploy/images/rootfs.py"),
        str(tar),
        *(word for package in packages for word in ("--package", package)),
        *(word for file in files for word in ("--file", file)),
    )
    return tar


def build_echo(folder: Path, *files: str, packages: Sequence[str] = ()) -> Path:
    """The tutorial's image as a root file system, of Debian `packages`; more `files` as LOCAL:/inside."""
    service = f"{ROOT / 'deploy/images/echo/echo_service.py'}:/app/echo_service.py"
    return build_image(folder / "echo.tar", ["python3", *packages], [service, *files])


def until(look: Any, seconds: float = 60.0) -> Any:
    """What `look()` returns once it is true; AssertionError with its last answer otherwise."""
    deadline = time.monotonic() + seconds
    while not (last := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {last!r} after {seconds} s")
        time.sleep(0.1)
    return last


async def eventually(look: Any, seconds: float = 60.0) -> Any:
    """`until`, beside a running loop."""
    return await asyncio.to_thread(until, look, seconds)


def rows(connection: Any, sql: str) -> list[dict[str, Any]]:
    """A statement's rows, by column name."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Connector:
    """A version of Snowflake's connector, in an environment of its own (`scripts/test` makes them)."""

    name: str

    @property
    def python(self) -> Path:
        return CLIENTS / self.name / "bin/python"

    def command(self, program: str, *arguments: str) -> tuple[str, ...]:
        """Of a program of tests/clients/programs."""
        folder = ROOT / "tests/clients/programs"
        return (
            str(self.python),
            str(folder / "uncollected.py"),
            str(folder / program),
            *arguments,
        )

    def run(self, program: str, order: dict[str, Any]) -> dict[str, Any]:
        """What the program answers."""
        return json.loads(run(*self.command(program, json.dumps(order))))

    def feed(self, program: str, order: dict[str, Any]) -> dict[str, Any]:
        """`run` with an order that is too long for an argument: the program reads it from its input."""
        return json.loads(run(*self.command(program), stdin=json.dumps(order), timeout=_FEED))

    def execute(self, cave: Snowcave, statements: Sequence[Any], **connect: Any) -> list[Any]:
        """Results in order, errors among them, of one session."""
        order = {"connect": cave.api(**connect), "statements": list(statements)}
        return self.run("session.py", order)["results"]


def leftovers(mesh: Mesh) -> list[str]:
    """What stands on the machine in this instance's name. A mesh that is down has none."""
    found = [f"namespace {name}" for name in _words("ip", "netns", "list") if mesh.id in name]
    links = [line.split(": ")[1] for line in run("ip", "-o", "link").splitlines()]
    found += [f"link {name}" for name in links if name.startswith(mesh.root_link)]
    tables = run("nft", "list", "tables").splitlines()
    found += [f"nft {line}" for line in tables if mesh.id in line]
    ways = run("iptables", "-S", "FORWARD").splitlines()
    found += [f"iptables {line}" for line in ways if mesh.root_link in line.split()]
    groups = Path("/sys/fs/cgroup").glob(f"**/snowcave-{mesh.id}*")
    found += [f"cgroup {path}" for path in groups]
    mounts = Path("/proc/mounts").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if str(mesh.home) in line]
    loops = run("losetup", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()
    found += [f"loop {line}" for line in loops if str(mesh.home) in line]
    return found + [f"process {line}" for line in _processes(str(mesh.home))]


def _words(*command: str) -> list[str]:
    return [line.split()[0] for line in run(*command).splitlines() if line.strip()]


def _processes(home: str) -> list[str]:
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
        if home in command and path.parent.name != str(os.getpid()):
            found.append(f"{path.parent.name} {command}")
    return found
