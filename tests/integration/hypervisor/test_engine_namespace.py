"""The namespace of an engine of our own: the registry answers there under the name that images have."""

import asyncio
import os
from pathlib import Path

import pytest

from snowcave.hypervisor import engine_namespace, fabric, names, namespaces
from snowcave.runtime.mesh import Mesh
from tests.kit.fabric import a_plan, call_from
from tests.kit.ports import free_port_base

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")


async def test_the_registry_answers_on_loopback_and_all_goes_when_removed(tmp_path: Path):
    mesh = Mesh(home=tmp_path, plan=await a_plan(), port_base=free_port_base())

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"registry {writer.get_extra_info('peername')[0]}\n".encode())
        await writer.drain()
        writer.close()

    try:
        await fabric.ensure(mesh)
        inside = await engine_namespace.ensure_engine_namespace(mesh)
        await fabric.ensure(mesh)
        assert inside == await engine_namespace.ensure_engine_namespace(mesh)
        port = mesh.port("registry")
        async with await asyncio.start_server(greet, mesh.plan.machine, port):
            for host in ("127.0.0.1", "localhost", mesh.plan.machine):
                assert await call_from(inside, host, port) == [f"registry {mesh.plan.engine}"]
            assert await call_from(inside, "127.0.0.1", port + 1) == ["refused"]
        assert await fabric.plan_conflicts(mesh) == []
        other = Mesh(home=tmp_path / "other", plan=mesh.plan)
        assert len(await fabric.plan_conflicts(other)) == 3
    finally:
        await fabric.remove(mesh)
        await fabric.remove(mesh)
    assert namespaces.named(mesh.vm_namespace("")) == []
    assert mesh.root_link not in await namespaces.links(None)


async def test_a_fabric_that_was_half_made_is_completed(tmp_path: Path):
    mesh = Mesh(home=tmp_path, plan=await a_plan(), port_base=free_port_base())
    try:
        await fabric.ensure(mesh)
        await namespaces.delete_link(None, mesh.root_link)
        await namespaces.delete_link(mesh.fabric_namespace, names.BRIDGE)
        await fabric.ensure(mesh)
        await engine_namespace.ensure_engine_namespace(mesh)
        async with await asyncio.start_server(lambda _r, w: w.close(), mesh.plan.machine, 0) as up:
            port = up.sockets[0].getsockname()[1]
            namespace = str(namespaces.FOLDER / mesh.engine_namespace)
            assert await call_from(namespace, mesh.plan.machine, port) == [""]
    finally:
        await fabric.remove(mesh)
