"""The home of one instance: its folders, and the numbers that it was given at its first start."""

import asyncio
import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from snowcave.cli.supervisor.processes import identify, read_pid, write_pid
from snowcave.hypervisor import fabric, plan
from snowcave.runtime import settings, tls
from snowcave.runtime.mesh import DEFAULT_PORT_BASE, AddressPlan, Mesh

FOLDERS = ("state", "registry", "stages", "events", "warehouse", "tls", "run", "log")
LARGEST_PORT_BASE = 65535 - 100


class AlreadyRunning(Exception):
    """The text says which process it is."""


def open_home(home: Path | None, port_base: int | None, environ: Mapping[str, str]) -> Mesh:
    """The mesh of a home, made where it is new. Raises ClickException on settings that cannot work.

    Port base and address plan are decided once and kept in mesh.toml, so that every later command
    finds the same instance; --port-base decides anew.
    """
    mesh = settings.read_mesh(home, environ, port_base=port_base)
    if not 1024 <= mesh.port_base <= LARGEST_PORT_BASE:
        raise click.ClickException(
            f"--port-base {mesh.port_base} must lie between 1024 and {LARGEST_PORT_BASE}."
        )
    mesh.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FOLDERS:
        mesh.folder(name).mkdir(exist_ok=True, mode=0o700)
    decided = mesh.home / "mesh.toml"
    if not decided.exists() or port_base is not None:
        if not decided.exists() and mesh.plan == AddressPlan():
            mesh = replace(mesh, plan=_free_plan(mesh))
        _write_decisions(decided, mesh)
    tls.ensure(mesh.folder("tls"))
    return mesh


def _free_plan(mesh: Mesh) -> AddressPlan:
    """The usual networks for the instance on the usual ports, others for any other."""
    routes = [destination for destination, _ in asyncio.run(fabric.machine_routes())]
    try:
        usual = mesh.port_base == DEFAULT_PORT_BASE
        return plan.choose_plan(routes, usual=usual, seed=int(mesh.id, 16))
    except ValueError as error:
        raise click.ClickException(f"Cannot choose an address plan: {error}.") from error


def _write_decisions(path: Path, mesh: Mesh) -> None:
    networks: AddressPlan = mesh.plan
    text = (
        "# Decided at the first start. Settings of yours belong into snowcave.toml.\n"
        f"port_base = {mesh.port_base}\n\n[plan]\n"
        f'underlay = "{networks.underlay}"\n'
        f'instances = "{networks.instances}"\n'
        f'services = "{networks.services}"\n'
    )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


@contextmanager
def only_supervisor(mesh: Mesh) -> Generator[None]:
    """Holds the home's lock while the body runs. Raises AlreadyRunning."""
    pid_file = mesh.folder("run") / "up.pid"
    with (mesh.folder("run") / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read_pid(pid_file)
            raise AlreadyRunning(f"pid {other.pid}" if other else "another process") from None
        me = identify(os.getpid())
        assert me is not None
        write_pid(pid_file, me)
        try:
            yield
        finally:
            pid_file.unlink(missing_ok=True)
