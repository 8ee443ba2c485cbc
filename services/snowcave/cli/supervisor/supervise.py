"""The life of `snowcave up`: make the ground, run the daemons, wait, take everything down again."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from snowcave.cli import connections
from snowcave.cli.supervisor import engine, teardown
from snowcave.cli.supervisor.children import Command, daemon_command, keep_running
from snowcave.cli.supervisor.home import only_supervisor
from snowcave.cli.supervisor.readiness import Say, wait_ready
from snowcave.hypervisor import engine_namespace, fabric
from snowcave.runtime.daemon import stop_on_signals
from snowcave.runtime.mesh import Mesh

log = structlog.get_logger()

# Left in this order: those who take requests first, those whom the others stand on last.
_GROUND = ("statestore",)
_KEEPERS = ("events", "registry", "warehouse")
_FRONT = ("hypervisor", "scheduler", "functions", "api", "dns", "ingress")

_ENGINE_START = 30.0
# A mesh that is broken is wanted back soon, and every daemon survives being killed. Draining would wait
# for the agents' streams, which do not end.
_LEFTOVERS = 2.0
_READY = 90.0


class NotReady(Exception):
    """Some daemons did not become ready; the text names them and their logs."""


async def supervise(mesh: Mesh, say: Say, welcome: str) -> None:
    """Runs until SIGTERM or SIGINT. Says `welcome` once all is ready. Raises AlreadyRunning, NotReady."""
    stop = stop_on_signals()
    with only_supervisor(mesh):
        # One that was killed leaves its mark behind, and nothing is ready yet.
        (mesh.folder("run") / "ready").unlink(missing_ok=True)
        await teardown.end_leftovers(mesh, grace=_LEFTOVERS)
        say("Preparing the network fabric")
        if conflicts := await fabric.plan_conflicts(mesh):
            raise NotReady(
                f"The address plan in {mesh.home / 'mesh.toml'} collides with this machine: "
                + "; ".join(conflicts)
                + ". Another instance that runs may hold these networks; otherwise change [plan] there."
            )
        await fabric.ensure(mesh)
        socket = await engine.choose(mesh)
        try:
            async with AsyncExitStack() as stack:
                await _enter_engine(mesh, socket, stack, say)
                say("Starting the daemons")
                await stack.enter_async_context(
                    keep_running(mesh, *_commands(mesh, _GROUND, socket))
                )
                await stack.enter_async_context(
                    keep_running(mesh, *_commands(mesh, _KEEPERS, socket))
                )
                stack.push_async_callback(teardown.remove_instances, mesh, socket)
                await stack.enter_async_context(
                    keep_running(mesh, *_commands(mesh, _FRONT, socket))
                )
                if await _became_ready(mesh, stop, say):
                    connections.keep(mesh, say)
                    say(welcome)
                    (mesh.folder("run") / "ready").touch()
                    await stop.wait()
                    say("Stopping")
        finally:
            (mesh.folder("run") / "ready").unlink(missing_ok=True)
            await teardown.forget_engine(mesh)
            await fabric.remove(mesh)


async def _became_ready(mesh: Mesh, stop: asyncio.Event, say: Say) -> bool:
    """False where a signal came first."""
    waiting = asyncio.create_task(wait_ready(mesh, _READY, say))
    stopped = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait({waiting, stopped})
    if waiting not in done:
        return False
    if late := waiting.result():
        names = ", ".join(f"{one.role} ({'; '.join(one.waiting_for)})" for one in late)
        raise NotReady(
            f"Not ready after {_READY:.0f} s: {names}. Their logs are in {mesh.folder('log')}."
        )
    return True


async def _enter_engine(mesh: Mesh, socket: Path, stack: AsyncExitStack, say: Say) -> None:
    if socket != mesh.own_engine_socket:
        say(f"Using the container engine at {socket}")
        return
    if not engine.installed():
        raise NotReady(
            "No container engine answers and dockerd is not installed. Install Docker Engine "
            "(Debian: apt-get install docker.io), or run scripts/quickstart, which does."
        )
    say("Starting a container engine of our own")
    await engine_namespace.ensure_engine_namespace(mesh)
    await stack.enter_async_context(keep_running(mesh, engine.own_engine(mesh)))
    try:
        async with asyncio.timeout(_ENGINE_START):
            while not await engine.answers(socket):
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        path = mesh.folder("log") / "engine.log"
        raise NotReady(f"The container engine did not start; see {path}.") from error


def _commands(mesh: Mesh, names: tuple[str, ...], socket: Path) -> list[Command]:
    return [
        daemon_command(mesh, name, engine_socket=socket)
        for name in names
        if not (name == "statestore" and mesh.store)
    ]
