"""`snowcave state`: what the shared state holds, readable. It reads only: its role writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
from google.protobuf import json_format, text_format
from google.protobuf.message import DecodeError, Message

from snowcave.cli.options import home_option, read_home
from snowcave.model import keys
from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import KeyValue, Store
from snowcave.store.client import open_store
from snowcave.store.settings import StoreSettings

T = TypeVar("T")

_SETTINGS = StoreSettings(connect=5.0)


@click.group()
def state() -> None:
    """Look into the shared state."""


@state.command()
@click.argument("prefix", default="")
@click.option("--values", is_flag=True, help="Show what the keys hold, too.")
@home_option
def ls(prefix: str, values: bool, home: Path | None) -> None:
    """List the keys that begin with PREFIX (all of them without one), with their revisions."""
    listing = _ask(read_home(home), lambda store: store.list(prefix, keys_only=not values))
    for item in listing.items:
        click.echo(f"{item.mod_revision:>8}  {item.key}{_lease(item)}")
        if values:
            click.echo(_indented(readable(item)))


@state.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@home_option
def get(key: str, as_json: bool, home: Path | None) -> None:
    """Show what KEY holds."""
    item = _ask(read_home(home), lambda store: store.get(key))
    if item is None:
        raise click.ClickException(f"There is no key {key}.")
    if as_json:
        click.echo(json_format.MessageToJson(_decoded(item), preserving_proto_field_name=True))
        return
    created = f"created at revision {item.create_revision}"
    click.echo(f"# revision {item.mod_revision}, {created}, version {item.version}{_lease(item)}")
    click.echo(readable(item))


def readable(item: KeyValue) -> str:
    """The message that the key table says is there, as text; the bytes where it is no such message."""
    try:
        return text_format.MessageToString(_decoded(item), as_utf8=True).rstrip()
    except click.ClickException as error:
        return f"{error.message}: {item.value!r}"


def _decoded(item: KeyValue) -> Message:
    space = keys.space_of(item.key)
    if space is None:
        raise click.ClickException(f"{item.key} is in no row of the key table")
    try:
        return space.message.FromString(item.value)
    except DecodeError as error:
        name = space.message.DESCRIPTOR.name
        raise click.ClickException(f"{item.key} holds no {name} ({error})") from error


def _lease(item: KeyValue) -> str:
    return f"  (lease {item.lease:x})" if item.lease else ""


def _indented(text: str) -> str:
    return "\n".join(f"          {line}" for line in text.splitlines())


def _ask(mesh: Mesh, question: Callable[[Store], Awaitable[T]]) -> T:
    async def ask() -> T:
        folder = mesh.folder("tls")
        async with open_store(
            mesh.store_address,
            Role.ADMIN,
            credentials=None if mesh.store else tls.channel_credentials(folder, Role.ADMIN),
            target_name="" if mesh.store else tls.server_name(Role.STATESTORE),
            settings=_SETTINGS,
        ) as store:
            return await question(store)

    try:
        return asyncio.run(ask())
    except SnowcaveError as error:
        raise click.ClickException(error.message) from error
    except FileNotFoundError as error:
        raise click.ClickException(f"{error.filename} is missing: is it a home?") from error
