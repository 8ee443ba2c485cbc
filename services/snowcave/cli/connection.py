"""`snowcave connection add`."""

from pathlib import Path

import click

from snowcave.cli import connections
from snowcave.cli.options import home_option, read_home
from snowcave.cli.session import context_options, password_of, user_options
from snowcave.runtime import settings


@click.group()
def connection() -> None:
    """Tell the snow CLI and Snowflake's connectors of this instance."""


@connection.command()
@home_option
@click.option("--name", default="snowcave", show_default=True, help="What to call it.")
@user_options
@context_options
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the clients look.  [default: $SNOWFLAKE_HOME, ~/.snowflake or ~/.config/snowflake]",
)
@click.option("--replace", is_flag=True, help="Change an entry of this name that is different.")
def add(
    home: Path | None,
    name: str,
    user: str,
    password: str | None,
    folder: Path | None,
    replace: bool,
    **context: str,
) -> None:
    """Add this instance to the connections that the snow CLI and the connectors know.

    Entries of other names are left as they are.
    """
    mesh = read_home(home)
    environ = settings.environment()
    mine = connections.owner(environ)
    place = folder or connections.folder(environ, mine)
    wanted = {
        **connections.entry(mesh, user, password_of(mesh, user, password)),
        **{key: value for key, value in context.items() if value},
    }
    try:
        path = connections.add(place, name, wanted, mine, replace=replace)
    except (connections.NotAdded, OSError) as error:
        raise click.ClickException(str(error)) from error
    if path is None:
        click.echo(f"The connection {name} is there already.")
    else:
        click.echo(f"Added the connection {name} to {path}. Try: snow connection test -c {name}")
