"""A line that `events` acknowledged is in the event table at once, and once."""

import uuid
from typing import Any

import pyarrow as pa
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import LoopClock
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2, events_pb2_grpc
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from tests.kit.daemons import a_mesh, running

QUERY = """SELECT VALUE::string, RECORD_ATTRIBUTES:"log.iostream"::string
FROM SNOWFLAKE.TELEMETRY.EVENTS
WHERE TIMESTAMP > dateadd(hour, -1, current_timestamp())
AND RESOURCE_ATTRIBUTES:"snow.service.name" = 'ECHO_SERVICE' AND RECORD_TYPE = 'LOG'
ORDER BY TIMESTAMP"""


def append() -> events_pb2.AppendRequest:
    now = Timestamp()
    now.FromDatetime(LoopClock().now())
    return events_pb2.AppendRequest(
        sequence=1,
        resources=[
            events_pb2.Resource(
                service=5,
                service_name="ECHO_SERVICE",
                service_type="Service",
                container_name="echo",
                container_run_id="r1",
            )
        ],
        rows=[
            events_pb2.EventRow(
                timestamp=now,
                record_type="LOG",
                record="{}",
                record_attributes='{"log.iostream":"stdout"}',
                value='"hello"',
            )
        ],
    )


async def test_an_acknowledged_line_is_found_by_the_documented_query(tmp_path):
    mesh = a_mesh(tmp_path)
    folder = mesh.folder("tls")
    tls.ensure(folder)
    async with running(mesh, "events"), running(mesh, "warehouse"):
        events = mesh.grpc_address(Role.EVENTS)
        async with connect(events, folder, me=Role.AGENT, to=Role.EVENTS) as channel:
            writer: Any = events_pb2_grpc.EventServiceStub(channel)
            acknowledged = [reply async for reply in writer.Append(iter([append()]), timeout=20)]
            assert [reply.sequence for reply in acknowledged] == [1]
        warehouse = mesh.grpc_address(Role.WAREHOUSE)
        async with connect(warehouse, folder, me=Role.API, to=Role.WAREHOUSE) as channel:
            stub: Any = stubs.WarehouseServiceStub(channel)
            with translated("warehouse"):
                reply = await stub.Execute(
                    pb.ExecuteRequest(session=1, query_id=str(uuid.uuid4()), sql=QUERY), timeout=30
                )
    table = pa.ipc.open_stream(reply.arrow_stream).read_all()
    assert [column.to_pylist() for column in table.columns] == [["hello"], ["stdout"]]
