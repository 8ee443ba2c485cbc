"""`snowcave up`, `down`, `status`."""

import asyncio
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from snowcave.cli import configuration
from snowcave.cli.options import home_option, read_home
from snowcave.cli.supervisor import engine, processes, readiness, supervise, teardown
from snowcave.cli.supervisor.home import AlreadyRunning, open_home
from snowcave.cli.supervisor.supervise import NotReady
from snowcave.hypervisor import fabric
from snowcave.runtime import settings
from snowcave.runtime.logging import configure
from snowcave.runtime.mesh import Mesh

_START_DEADLINE = 150.0
_STOP_DEADLINE = 120.0


@click.command()
@home_option
@click.option(
    "--port-base", type=int, help="First of the 100 ports of this instance.  [default: 8400]"
)
@click.option(
    "--detach", is_flag=True, help="Return when everything is ready; go on in the background."
)
def up(home: Path | None, port_base: int | None, detach: bool) -> None:
    """Start Snowcave on this machine and keep it running."""
    require_platform()
    try:
        mesh = open_home(home, port_base, settings.environment())
        configuration.check(mesh, settings.environment())
    except settings.SettingsInvalid as error:
        raise click.ClickException(str(error)) from error
    if detach:
        _detach(mesh)
    else:
        _run(mesh)


def require_platform() -> None:
    """One clear sentence where Snowcave cannot run. Raises ClickException."""
    if platform.system() != "Linux":
        raise click.ClickException(
            "Snowcave runs containers in Linux network namespaces: start it on Linux, or inside a "
            "Linux virtual machine or a privileged Linux container on this computer."
        )
    if os.geteuid() != 0:
        raise click.ClickException(
            "Snowcave makes network namespaces and cgroups, which needs root: "
            "run this command again with sudo."
        )


def _run(mesh: Mesh) -> None:
    configure("up", style=mesh.log_format, level=mesh.log_level)

    try:
        asyncio.run(supervise.supervise(mesh, click.echo, welcome(mesh)))
    except AlreadyRunning as error:
        raise click.ClickException(
            f"This home is in use already ({error}). `snowcave status` shows it; "
            "another instance needs another --home and --port-base."
        ) from error
    except NotReady as error:
        raise click.ClickException(str(error)) from error


def _detach(mesh: Mesh) -> None:
    """Start a supervisor of its own session and follow its words until it is ready."""
    running = processes.read_pid(mesh.folder("run") / "up.pid")
    marker = mesh.folder("run") / "ready"
    if running is not None and marker.exists():
        click.echo("Snowcave is running already.")
        return
    path = mesh.folder("log") / "up.log"
    if running is None:
        marker.unlink(missing_ok=True)
        with path.open("wb") as output:
            arguments = [sys.executable, "-m", "snowcave", "up", "--home", str(mesh.home)]
            child = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            running = processes.identify(child.pid)
    _follow_until_ready(path, marker, running)


def _follow_until_ready(path: Path, marker: Path, process: processes.ProcessId | None) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    with path.open() as words:
        while not marker.exists():
            click.echo(words.read(), nl=False)
            if process is None or not process.alive():
                click.echo(words.read(), nl=False)
                raise click.ClickException(f"Snowcave did not start; its words are in {path}.")
            if time.monotonic() > deadline:
                raise click.ClickException(f"Snowcave is not ready yet; its words are in {path}.")
            time.sleep(0.1)
        click.echo(words.read(), nl=False)


def welcome(mesh: Mesh) -> str:
    """URLs and how to log in, for a person."""
    api = f"http://127.0.0.1:{mesh.port('api')}"
    gateway = f"{mesh.ingress_domain}:{mesh.port('ingress')}"
    return (
        "\nSnowcave is ready.\n"
        f"  API        {api}\n"
        f"  Registry   {mesh.registry_host}\n"
        f"  Ingress    http://{gateway}, endpoints at http://<endpoint>.{gateway}\n"
        f"  User       ADMIN, password in {mesh.home / 'admin.password'}\n"
        f"  Clients    snowcave connection add{_home_argument(mesh)}\n"
        f"  Stop       snowcave down{_home_argument(mesh)}\n"
    )


def _home_argument(mesh: Mesh) -> str:
    default = settings.read_mesh(None, {}).home
    return "" if mesh.home == default else f" --home {mesh.home}"


@click.command()
@home_option
def down(home: Path | None) -> None:
    """Stop every daemon and container of this instance. What it stored stays."""
    require_platform()
    mesh = read_home(home)
    running = processes.read_pid(mesh.folder("run") / "up.pid")
    if running is None:
        configure("down", style=mesh.log_format, level="error")
        asyncio.run(_clear_up(mesh))
        click.echo("Snowcave was not running; nothing of it is left on this machine.")
        return
    click.echo("Stopping Snowcave")
    running.send(signal.SIGTERM)
    if not asyncio.run(processes.wait_gone(running, _STOP_DEADLINE)):
        raise click.ClickException(
            f"Snowcave (pid {running.pid}) is still stopping after {_STOP_DEADLINE:.0f} s."
        )
    click.echo("Snowcave has stopped.")


async def _clear_up(mesh: Mesh) -> None:
    """After a supervisor that was killed: what it left running goes too."""
    if not mesh.folder("run").exists():
        return
    await teardown.end_leftovers(mesh, keep=("engine",))
    await teardown.remove_instances(mesh, await engine.choose(mesh))
    await teardown.end_leftovers(mesh)
    await teardown.forget_engine(mesh)
    await fabric.remove(mesh)


@click.command()
@home_option
def status(home: Path | None) -> None:
    """Show the daemons of this instance and where they answer."""
    mesh = read_home(home)
    run = mesh.folder("run")
    if processes.read_pid(run / "up.pid") is None:
        click.echo(f"Snowcave in {mesh.home} is not running: `snowcave up` starts it.")
        sys.exit(1)
    answers = asyncio.run(readiness.ask_all(mesh))
    table = Table(box=None, pad_edge=False)
    for heading in ("daemon", "state", "pid", "admin"):
        table.add_column(heading)
    for answer in answers:
        process = processes.read_pid(run / f"{answer.role}.pid")
        admin = f"http://127.0.0.1:{mesh.admin_port(answer.role)}/readyz"
        table.add_row(
            str(answer.role), _state(answer), str(process.pid) if process else "-", admin
        )
    for path in sorted(run.glob("agent-*.pid")):
        process = processes.read_pid(path)
        table.add_row(
            path.stem, "running" if process else "dead", str(process.pid) if process else "-"
        )
    Console().print(table)
    if any(not answer.ready for answer in answers):
        sys.exit(1)


def _state(answer: readiness.Readiness) -> str:
    if answer.ready:
        return "ready"
    if answer.waiting_for == readiness.SILENT:
        return "does not answer"
    return "waiting for " + ", ".join(answer.waiting_for)
