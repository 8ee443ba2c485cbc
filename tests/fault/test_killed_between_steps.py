"""A daemon dies between doing something and telling that it is done."""

import asyncio
import random
from typing import Any

import pytest

from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc
from tests.fault.kit.faults import FaultVoid, injected
from tests.fault.kit.ground import Ground
from tests.fault.kit.processes import Kill, Pause

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.ours,
    # The first test pays for the mesh.
    pytest.mark.timeout(300),
]


async def committed_rows(ground: Ground, table: str) -> int:
    """As the warehouse has them, past the api, which is stuck."""
    mesh = ground.snowcave.mesh
    address = mesh.grpc_address(Role.WAREHOUSE)
    async with connect(address, mesh.folder("tls"), me=Role.API, to=Role.WAREHOUSE) as channel:
        stub: Any = warehouse_pb2_grpc.WarehouseServiceStub(channel)
        request = pb.ExecuteRequest(
            session=1,
            sql=f"SELECT n FROM {table}",
            context=pb.SessionContext(database="FAULT_DB", schema="DATA", role="ACCOUNTADMIN"),
        )
        return (await stub.Execute(request, timeout=10)).rows


async def test_a_row_is_inserted_once_though_the_api_died_before_it_could_say_so(ground: Ground):
    assert await ground.broken() == []
    sql, rng, view = ground.sql("writer"), random.Random(0), ground.view
    await sql.run("CREATE OR REPLACE TABLE once (n INT)")
    # A statement ends with a record in the store: while that stands still, its client is not told.
    async with injected(Pause("statestore"), view, rng):
        inserting = asyncio.create_task(sql.run("INSERT INTO once VALUES (1)"))
        async with asyncio.timeout(20):
            while await committed_rows(ground, "once") == 0:
                await asyncio.sleep(0.02)
        if inserting.done():
            raise FaultVoid("the client was told before the api could be killed")
        async with injected(Kill("api"), view, rng):
            pass
    # The connector repeats its request to the next api.
    assert await inserting == [[1]]
    assert await sql.run("SELECT n FROM once") == [[1]]
