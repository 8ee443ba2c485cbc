"""Options and errors that several commands share."""

from pathlib import Path

import click

from snowcave.runtime import settings
from snowcave.runtime.mesh import Mesh

home_option = click.option(
    "--home",
    # Whether it can be read is said in our own words.
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    help="Where this instance keeps everything.  [default: $SNOWCAVE_HOME or /var/lib/snowcave]",
)


def read_settings(home: Path | None) -> Mesh:
    """The mesh of a home that need not be there yet. Raises ClickException."""
    try:
        return settings.read_mesh(home, settings.environment())
    except settings.SettingsInvalid as error:
        raise click.ClickException(str(error)) from error


def read_home(home: Path | None) -> Mesh:
    """The mesh of an existing home. Raises ClickException."""
    try:
        mesh = read_settings(home)
        (mesh.home / "mesh.toml").exists()
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename} belongs to root: run this command again with sudo."
        ) from error
    if not mesh.home.exists():
        raise click.ClickException(
            f"There is no instance in {mesh.home}: `snowcave up` makes one."
        )
    return mesh
