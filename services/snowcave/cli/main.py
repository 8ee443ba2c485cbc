"""`snowcave …`: the one program, and the only reader of the environment.

Commands are imported when they are run: a daemon must not pay for what a shell needs.
"""

import asyncio
import importlib
from pathlib import Path
from typing import Any

import click

from snowcave.cli.configuration import DAEMONS
from snowcave.cli.options import home_option
from snowcave.model.errors import SnowcaveError
from snowcave.runtime import settings as settings_module
from snowcave.runtime.daemon import Daemon, run

# Command → module that defines it under the same name.
COMMANDS = {
    "connection": "snowcave.cli.connection",
    "doctor": "snowcave.cli.doctor",
    "down": "snowcave.cli.up",
    "logs": "snowcave.cli.logs",
    "sql": "snowcave.cli.sql",
    "state": "snowcave.cli.state",
    "status": "snowcave.cli.up",
    "up": "snowcave.cli.up",
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            return getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup)
@click.version_option(package_name="snowcave")
def main() -> None:
    """Snowpark Container Services on your own machines.

    Snowcave is independent of, and not endorsed by, Snowflake Inc.
    """


@main.command()
@click.argument("name", type=click.Choice(DAEMONS))
@home_option
@click.option("--print-config", is_flag=True, help="Show the effective settings and exit.")
def daemon(name: str, home: Path | None, print_config: bool) -> None:
    """Run one daemon in the foreground (`snowcave up` runs them all)."""
    environ = settings_module.environment()
    try:
        mesh = settings_module.read_mesh(home, environ)
        described: Daemon[Any] = importlib.import_module(f"snowcave.{name}.main").DAEMON
        settings = settings_module.read(described.settings, name, mesh, environ)
    except settings_module.SettingsInvalid as error:
        raise click.ClickException(str(error)) from error
    if print_config:
        _print(settings)
        return
    try:
        _run(described, settings)
    except SnowcaveError as error:  # the text is meant for the operator; a traceback would bury it
        raise click.ClickException(error.message) from error


def _print(settings: Any) -> None:
    import orjson

    shown = orjson.dumps(settings_module.plain(settings), option=orjson.OPT_INDENT_2)
    click.echo(shown)


def _run(described: Daemon[Any], settings: Any) -> None:
    import uvloop

    from snowcave.runtime.admin import serve_admin
    from snowcave.runtime.logging import configure

    mesh = settings.mesh
    configure(str(described.role), style=mesh.log_format, level=mesh.log_level)
    host = getattr(settings, "admin_host", "") or "127.0.0.1"
    port = getattr(settings, "admin_port", 0) or mesh.admin_port(described.role)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(described, settings, lambda health: serve_admin(host, port, health)))
