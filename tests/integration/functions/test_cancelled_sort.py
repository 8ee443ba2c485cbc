"""A statement is cancelled while its rows are sorted, before the first of them is sent anywhere."""

import asyncio
import uuid

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.session import DuckSession
from tests.kit.called_warehouse import a_warehouse
from tests.kit.ports import free_port_base

_SORTED = "SELECT F(x) FROM (SELECT SEQ8() AS x FROM TABLE(GENERATOR(ROWCOUNT => {rows}))) ORDER BY HASH(x)"


@pytest.mark.parametrize("rows", [0, 3_000_000])
async def test_a_statement_that_is_cancelled_while_it_sorts_leaves_its_session_free(
    tmp_path, monkeypatch, rows
):
    """In the middle, and where it has just ended and nobody takes what it gives."""
    loop, sorting = asyncio.get_running_loop(), asyncio.Event()
    open_stream = DuckSession.stream

    def told(*args, **options):
        loop.call_soon_threadsafe(sorting.set)
        return open_stream(*args, **options)

    monkeypatch.setattr(DuckSession, "stream", told)
    mesh = Mesh(home=tmp_path, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    async with a_warehouse(mesh, mesh.grpc_address(Role.FUNCTIONS)) as warehouse:
        query = str(uuid.uuid4())
        asking = asyncio.create_task(warehouse.rows(_SORTED.format(rows=rows), query_id=query))
        async with asyncio.timeout(60):
            await sorting.wait()
            await warehouse.stub.Cancel(pb.CancelRequest(session=1, query_id=query))
            with pytest.raises(SnowcaveError) as cancelled:
                await asking
            assert cancelled.value.code == 604
            assert await warehouse.rows("SELECT 1 AS a") == [{"A": 1}]
