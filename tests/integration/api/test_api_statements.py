"""SPCS statements through the front door, with the real state store, warehouse and registry beside it."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from snowcave.runtime import tls
from tests.kit.daemons import a_mesh, running
from tests.kit.protocol import client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETUP = (
    "CREATE ROLE test_role;",
    "CREATE DATABASE IF NOT EXISTS tutorial_db;",
    "GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS;",
    "CREATE OR REPLACE WAREHOUSE tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL';",
    "GRANT USAGE ON WAREHOUSE tutorial_warehouse TO ROLE test_role;",
    "GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE test_role;",
    "CREATE COMPUTE POOL tutorial_compute_pool MIN_NODES = 1 MAX_NODES = 1 "
    "INSTANCE_FAMILY = CPU_X64_XS;",
    "GRANT USAGE, MONITOR ON COMPUTE POOL tutorial_compute_pool TO ROLE test_role;",
    "GRANT ROLE test_role TO USER admin;",
    "USE ROLE test_role;",
    "USE DATABASE tutorial_db;",
    "USE WAREHOUSE tutorial_warehouse;",
    "CREATE SCHEMA IF NOT EXISTS data_schema;",
    "CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository;",
    "CREATE STAGE IF NOT EXISTS tutorial_stage DIRECTORY = ( ENABLE = TRUE );",
    "CREATE TABLE messages (message_text VARCHAR) AS "
    "(SELECT * FROM (VALUES ('Thank you'), ('Hello'), ('Hello World')));",
)
SERVICE = """CREATE SERVICE echo_service IN COMPUTE POOL tutorial_compute_pool FROM SPECIFICATION $$
spec:
  containers:
  - name: echo
    image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
$$"""


async def test_the_tutorials_setup_runs_and_a_missing_image_is_told(tmp_path: Path) -> None:
    tls.ensure(tmp_path / "tls")
    mesh = a_mesh(tmp_path)
    async with AsyncExitStack() as stack:
        for name in ("statestore", "warehouse", "registry", "api"):
            await stack.enter_async_context(running(mesh, name))
        password = (mesh.home / "admin.password").read_text().strip()
        url = f"http://127.0.0.1:{mesh.port('api')}"
        session = await stack.enter_async_context(client(url, password))
        for sql in SETUP:
            reply = await session.query(sql)
            assert reply["success"], (sql, reply)
        reply = await session.query("SELECT count(*) FROM messages")
        assert reply["data"]["rowset"] == [["3"]]
        reply = await session.query(SERVICE)
        assert not reply["success"]
        assert "Failed to retrieve image" in reply["message"]
        reply = await session.query("SHOW SERVICES")
        assert reply["data"]["rowset"] == []
