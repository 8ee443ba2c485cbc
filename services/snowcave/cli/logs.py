"""`snowcave logs`: what a service's containers said, or a daemon of ours."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from snowcave.cli.options import home_option, read_home
from snowcave.cli.session import (
    context_options,
    describe,
    open_session,
    password_of,
    user_options,
)
from snowcave.model.errors import ContextMissing, SnowcaveError
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import sql_pb2 as v1

_TAIL = 64 << 10
_PAUSE = 0.25
_NOT_SAID = (
    "Where is {0}? Name it DB.SCHEMA.{0}, give --database and --schema, "
    "or set the user's DEFAULT_NAMESPACE."
)


@click.command()
@home_option
@click.argument("service", required=False)
@click.option(
    "--daemon", help="A daemon of Snowcave instead of a service (`up` and `engine` too)."
)
@click.option("--instance", default="0", show_default=True)
@click.option("--container", default="", help="Default: the service's first container.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(1, 1000))
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@user_options
@context_options
def logs(
    home: Path | None,
    service: str | None,
    daemon: str | None,
    instance: str,
    container: str,
    lines: int,
    follow: bool,
    user: str,
    password: str | None,
    **context: str,
) -> None:
    """Show the last lines of a SERVICE's container (DB.SCHEMA.NAME), or of a daemon of ours.

    What the name leaves out is --database and --schema, or the user's DEFAULT_NAMESPACE.

    With --follow a service's lines go on over restarts of its container, those of a job until it is over.
    """
    mesh = read_home(home)
    if (service is None) == (daemon is None):
        raise click.UsageError("Name a SERVICE, or a daemon with --daemon.")
    if daemon is not None:
        path = daemon_log(mesh, daemon)
        size = path.stat().st_size
        click.echo("\n".join(daemon_lines(path, size, lines)))
        if follow:
            for text in daemon_growth(path, size):
                _show(text)
        return
    login = v1.LoginRequest(user=user, password=password_of(mesh, user, password), **context)
    try:
        if follow:
            wanted = v1.FollowLogsRequest(
                service=service or "",
                instance_id=_number(instance),
                container=container,
                tail_lines=lines,
            )
            asyncio.run(_follow(mesh, login, wanted))
            return
        click.echo(
            asyncio.run(_service_lines(mesh, login, service or "", instance, container, lines))
        )
    except SnowcaveError as error:
        if error.code == ContextMissing.code:
            raise click.ClickException(_NOT_SAID.format(service)) from error
        raise click.ClickException(describe(error)) from error
    except KeyboardInterrupt:
        # How following ends; nothing went wrong.
        sys.exit(128 + signal.SIGINT)


def daemon_log(mesh: Mesh, daemon: str) -> Path:
    """Raises ClickException where there is no such log."""
    folder = mesh.folder("log")
    path = folder / f"{daemon}.log"
    if path.parent != folder or not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.log")))
        raise click.ClickException(f"There is no log of {daemon}. There are: {known}")
    return path


def daemon_lines(path: Path, size: int, lines: int) -> list[str]:
    """The last ones of the file's first `size` bytes."""
    with path.open("rb") as file:
        begin = file.seek(max(0, size - _TAIL))
        return file.read(size - begin).decode(errors="replace").splitlines()[-lines:]


def daemon_growth(path: Path, at: int) -> Iterator[bytes]:
    """Endless: what comes after the file's first `at` bytes, also where it is begun anew."""
    place = path.stat()
    while True:
        try:
            now = path.stat()
        except FileNotFoundError:
            now = place
        if now.st_ino != place.st_ino or now.st_size < at:
            at = 0
        place = now
        if now.st_size > at:
            with path.open("rb") as file:
                file.seek(at)
                text = file.read(_TAIL)
            at += len(text)
            yield text
        else:
            time.sleep(_PAUSE)


async def _follow(mesh: Mesh, login: v1.LoginRequest, wanted: v1.FollowLogsRequest) -> None:
    async with open_session(mesh, login) as session:
        lines = session.follow_logs(
            wanted.service, wanted.instance_id, wanted.container, tail_lines=wanted.tail_lines
        )
        async for text in lines:
            _show(text)


def _show(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _number(instance: str) -> int:
    if not instance.isascii() or not instance.isdigit():
        raise click.UsageError("--instance is a number.")
    return int(instance)


async def _service_lines(
    mesh: Mesh, login: v1.LoginRequest, service: str, instance: str, container: str, lines: int
) -> str:
    async with open_session(mesh, login) as session:
        if not container:
            shown = await session.execute(f"SHOW SERVICE CONTAINERS IN SERVICE {service}")
            names = [column.name for column in shown.columns]
            containers = [row[names.index("container_name")] for row in shown.rows]
            container = next((name for name in containers if name), "")
            if not container:
                raise click.ClickException(
                    f"{service} has no containers now; SHOW SERVICES says why. "
                    "Name one with --container for what it said before."
                )
        arguments = ", ".join(_literal(text) for text in (service, instance, container))
        result = await session.execute(f"SELECT SYSTEM$GET_SERVICE_LOGS({arguments}, {lines})")
        return str(result.rows[0][0]).rstrip("\n")


def _literal(text: str) -> str:
    return "'" + json.dumps(text)[1:-1].replace("'", "''") + "'"
