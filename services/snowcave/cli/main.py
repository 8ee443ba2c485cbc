"""`snowcave …`: the one program, and the only reader of the environment."""

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

import click
import orjson
import uvloop

from snowcave.runtime import settings as settings_module
from snowcave.runtime.admin import serve_admin
from snowcave.runtime.daemon import Daemon, run
from snowcave.runtime.logging import configure

DAEMONS = (
    "statestore",
    "hypervisor",
    "api",
    "warehouse",
    "registry",
    "scheduler",
    "agent",
    "dns",
    "ingress",
    "functions",
    "events",
)

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where this instance keeps everything.  [default: $SNOWCAVE_HOME or /var/lib/snowcave]",
)


@click.group()
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
        shown = orjson.dumps(settings_module.plain(settings), option=orjson.OPT_INDENT_2)
        click.echo(shown)
        return
    configure(name, style=mesh.log_format, level=mesh.log_level)
    host = getattr(settings, "admin_host", "127.0.0.1")
    port = getattr(settings, "admin_port", None) or mesh.admin_port(described.role)
    uvloop.install()
    asyncio.run(run(described, settings, lambda health: serve_admin(host, port, health)))


if __name__ == "__main__":
    sys.exit(main())
