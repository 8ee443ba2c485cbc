"""The end of VMs: agent, containers, cgroup, namespace, in that order. May be repeated and interrupted."""

import asyncio
import shutil
from pathlib import Path

import structlog

from snowcave.hypervisor import agents, cgroups, names, namespaces, switch
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.mounts import unmount_below

log = structlog.get_logger()

_KILL = 10.0


def pid_file(mesh: Mesh, node: str) -> Path:
    return mesh.folder("run") / f"agent-{node}.pid"


def node_folder(mesh: Mesh, node: str) -> Path:
    """The disk of a VM: its agent's state, the volumes and the spool of its instances."""
    return mesh.folder("nodes") / node


def nodes_on_machine(mesh: Mesh) -> set[str]:
    """Every node of this home that has left anything here, whether the store knows it or not."""
    prefix = mesh.vm_namespace("")
    shared = {mesh.fabric_namespace, mesh.engine_namespace}
    found = {name.removeprefix(prefix) for name in namespaces.named(prefix) if name not in shared}
    run = mesh.folder("run")
    found |= {path.stem.removeprefix("agent-") for path in run.glob("agent-*.pid")}
    return found | cgroups.of_machine().children(mesh.cgroup)


async def remove_vm(mesh: Mesh, node: str, *, grace: float) -> None:
    """`grace` is what the agent gets to say goodbye."""
    trees, path = cgroups.of_machine(), f"{mesh.cgroup}/{node}"
    agent = agents.recall(pid_file(mesh, node), node)
    if agent is not None:
        # A frozen agent cannot say goodbye.
        await agents.terminate(agent, grace=0.0 if trees.is_frozen(path) else grace)
    await trees.kill(path, within=_KILL)
    if agent is not None:
        agents.reap(agent)
    await trees.remove(path, within=_KILL)
    await switch.disconnect_port(mesh, names.vm_port(node))
    await namespaces.remove(mesh.vm_namespace(node))
    await asyncio.to_thread(_remove_folder, node_folder(mesh, node))
    await asyncio.to_thread(_remove_folder, mesh.session_folder / node)
    await asyncio.to_thread(_remove_folder, mesh.session_folder / f"{node}.secrets")
    pid_file(mesh, node).unlink(missing_ok=True)
    log.info("vm_removed", node=node)


async def remove_vms(mesh: Mesh, *, grace: float = 5.0) -> None:
    """All of this home's, side by side, and their common cgroup."""
    nodes = nodes_on_machine(mesh)
    await asyncio.gather(*(remove_vm(mesh, node, grace=grace) for node in nodes))
    await cgroups.of_machine().remove(mesh.cgroup, within=_KILL)
    await asyncio.to_thread(_remove_folder, mesh.session_folder)


def _remove_folder(folder: Path) -> None:
    """What is mounted below comes off first: a volume's content is not ours to delete by its path."""
    unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
