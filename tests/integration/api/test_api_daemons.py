"""The api daemon beside the real state store and the real warehouse."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from tests.kit.connectors import V4, V5, python_with, run_script
from tests.kit.daemons import a_mesh, running
from tests.kit.protocol import client

SCRIPT = Path(__file__).parent / "daemon_script.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@asynccontextmanager
async def platform(home: Path) -> AsyncGenerator[tuple[Mesh, str]]:
    tls.ensure(home / "tls")
    mesh = a_mesh(home)
    async with AsyncExitStack() as stack:
        for name in ("statestore", "warehouse"):
            await stack.enter_async_context(running(mesh, name))
        yield mesh, f"http://127.0.0.1:{mesh.port('api')}"


def password(mesh: Mesh) -> str:
    return (mesh.home / "admin.password").read_text().strip()


@pytest.mark.validated
async def test_both_generations_of_the_connector_work_with_real_tables(tmp_path: Path) -> None:
    async with platform(tmp_path) as (mesh, _), running(mesh, "api"):
        for version in (V4, V5):
            seen = await asyncio.to_thread(
                run_script, python_with(version), SCRIPT, str(mesh.port("api")), password(mesh)
            )
            assert seen["database"] == [["Database TUTORIAL_DB successfully created."]]
            assert seen["context"] == ["TUTORIAL_DB", "PUBLIC"]
            assert (seen["inserted"], seen["updated"]) == (3, 2)
            assert seen["selected"] == [[1, "x"], [2, "x"], [3, None]]
            assert seen["big"] == [50000, 50000]
            assert {"ACCOUNTADMIN", "PUBLIC", "SYSADMIN"} <= set(seen["roles"])
            assert seen["scanned"] == [[1]]
            assert seen["async"] == [[42]]
            assert seen["who"] == [["ADMIN", "ACCOUNTADMIN"]]


@pytest.mark.ours
async def test_a_session_outlives_the_replica_that_opened_it(tmp_path: Path) -> None:
    async with platform(tmp_path) as (mesh, url):
        async with running(mesh, "api") as api:
            async with client(url, password(mesh)) as before:
                await before.query("create database db1")
                done = (await before.query("select 7"))["data"]
            api.kill()
            await api.process.wait()
        async with running(mesh, "api"), client(url) as after:
            after.token, after.master = before.token, before.master
            again = await after.get(f"/queries/{done['queryId']}/result")
            assert again["data"]["rowset"] == [["7"]]
            answer = await after.query("select current_database()")
            assert answer["data"]["rowset"] == [["DB1"]]
            assert (await after.login(password(mesh)))["success"]
