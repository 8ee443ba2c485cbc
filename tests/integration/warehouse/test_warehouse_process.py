"""The warehouse as a process: killed, it comes back with everything that it acknowledged."""

import uuid
from typing import Any

import pyarrow as pa

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from tests.kit.daemons import a_mesh, running


async def execute(mesh: Mesh, sql: str, query_id: str = "") -> list[Any]:
    address, folder = mesh.grpc_address(Role.WAREHOUSE), mesh.folder("tls")
    async with connect(address, folder, me=Role.API, to=Role.WAREHOUSE) as channel:
        stub: Any = stubs.WarehouseServiceStub(channel)
        with translated("warehouse"):
            await stub.ApplyDdl(pb.ApplyDdlRequest(create_database="DB"))
            name = pb.SchemaName(database="DB", schema="S")
            await stub.ApplyDdl(pb.ApplyDdlRequest(create_schema=name))
            reply = await stub.Execute(
                pb.ExecuteRequest(
                    session=1,
                    query_id=query_id or str(uuid.uuid4()),
                    sql=sql,
                    context=pb.SessionContext(database="DB", schema="S"),
                ),
                timeout=30,
            )
        table = pa.ipc.open_stream(reply.arrow_stream).read_all()
        return table.column(0).to_pylist()


async def test_what_was_acknowledged_survives_a_kill(tmp_path):
    mesh = a_mesh(tmp_path)
    tls.ensure(mesh.folder("tls"))
    async with running(mesh, "warehouse") as daemon:
        await execute(mesh, "CREATE TABLE t (a INT)")
        for number in range(20):
            await execute(mesh, f"INSERT INTO t VALUES ({number})")
        await execute(mesh, "SELECT 'kept'", "before")
        daemon.kill()
        await daemon.process.wait()
    async with running(mesh, "warehouse"):
        assert await execute(mesh, "SELECT count(DISTINCT a) FROM t") == [20]
        scan = "SELECT * FROM TABLE(RESULT_SCAN('before'))"
        assert await execute(mesh, scan) == ["kept"]
