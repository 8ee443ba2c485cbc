"""A session with this machine's instance for the commands that run SQL: whose it is, how it is opened."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click

from snowcave.client import Session, Target
from snowcave.client.target import open_session as open_client_session
from snowcave.model.errors import SnowcaveError
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import sql_pb2 as v1

Command = TypeVar("Command", bound=Callable[..., Any])

_USER = (
    click.option("--user", default="ADMIN", show_default=True),
    click.option(
        "--password", envvar="SNOWCAVE_PASSWORD", help="Default: <home>/admin.password for ADMIN."
    ),
)
_CONTEXT = tuple(
    click.option(name, default="") for name in ("--database", "--schema", "--role", "--warehouse")
)


def user_options(command: Command) -> Command:
    """Adds `user` and `password`; what is not given, `password_of` finds."""
    return _with(_USER, command)


def context_options(command: Command) -> Command:
    """Adds `database`, `schema`, `role` and `warehouse`, empty where not given."""
    return _with(_CONTEXT, command)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):  # the last one added is shown first
        command = option(command)
    return command


def password_of(mesh: Mesh, user: str, given: str | None) -> str:
    """What was given, or the administrator's from the home; anybody else is asked. Raises UsageError."""
    if given:
        return given
    path = mesh.home / "admin.password"
    if user.upper() == "ADMIN" and path.exists():
        return path.read_text().strip()
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"Give the password of {user} with --password or SNOWCAVE_PASSWORD."
        )
    return click.prompt(f"Password of {user}", hide_input=True, err=True)


@asynccontextmanager
async def open_session(mesh: Mesh, login: v1.LoginRequest) -> AsyncGenerator[Session]:
    """Raises LoginFailed-like RemoteError, Unavailable."""
    async with open_client_session(Target.of_mesh(mesh), login) as session:
        yield session


def describe(error: SnowcaveError) -> str:
    """As the connectors print it: number, SQLSTATE, text."""
    return f"{error.code:06d} ({error.sqlstate}): {error.message}"
