"""What a running events daemon has stored, asked for over gRPC."""

import json
from typing import Any

import pyarrow as pa

from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc

Row = dict[str, Any]


_READ = ["timestamp", "record", "record_attributes", "value"]


async def stored(mesh: Mesh) -> list[Row]:
    """All rows by time, files and the log's tail alike; those of one moment as they were stored."""
    address = mesh.grpc_address(Role.EVENTS)
    found: list[Row] = []
    async with connect(address, mesh.folder("tls"), me=Role.API, to=Role.EVENTS) as channel:
        stub: Any = events_pb2_grpc.EventServiceStub(channel)
        async for reply in stub.Scan(v1.ScanRequest(), timeout=60, wait_for_ready=True):
            found += pa.ipc.open_stream(reply.arrow_stream).read_all().select(_READ).to_pylist()
    return sorted(found, key=lambda row: row["timestamp"])


def texts(rows: list[Row]) -> list[str]:
    """Of lines that are not structured."""
    return [json.loads(row["value"]) for row in rows if row["record"] == "{}"]


def dropped(rows: list[Row], what: str = "lines") -> int:
    """What rows say that was not collected."""
    told = [json.loads(row["record_attributes"] or "{}") for row in rows]
    return sum(one.get(f"snow.dropped.{what}", 0) for one in told)
