"""Leaving nothing behind: of a supervisor that was killed, and of the instances on the way down."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from snowcave.agent import sweep
from snowcave.cli.supervisor import processes
from snowcave.cli.supervisor.children import pid_file
from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.mounts import unmount_below

_GRACE = 25.0


async def end_leftovers(mesh: Mesh, *, keep: Collection[str] = (), grace: float = _GRACE) -> None:
    """Daemons of a killed supervisor drain by themselves; wait for them, then insist.

    Agents and containers stay: the new hypervisor adopts the agents, they their containers.
    """
    names = {*(str(role) for role in Role), "engine"} - set(keep)
    found = [processes.read_pid(pid_file(mesh, name)) for name in names]
    await asyncio.gather(*(processes.end(one, grace) for one in found if one is not None))


async def remove_instances(mesh: Mesh, socket: Path) -> None:
    """End the agents, then remove every container of this home."""
    agents = [
        process
        for path in mesh.folder("run").glob("agent-*.pid")
        if (process := processes.read_pid(path)) is not None
    ]
    await asyncio.gather(*(processes.end(agent, _GRACE) for agent in agents))
    await sweep.remove_containers(socket, mesh.container_label)


async def forget_engine(mesh: Mesh) -> None:
    """After our own engine has ended. One that adopted a killed one's containers leaves its root mounted."""
    for folder in (mesh.home / "engine", mesh.folder("run") / "engine"):
        await asyncio.to_thread(unmount_below, folder)
