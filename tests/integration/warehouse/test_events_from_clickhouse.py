"""The event table on ClickHouse, read through the warehouse: DuckDB over what ClickHouse has chosen."""

import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.v1 import warehouse_pb2_grpc as stubs
from tests.kit.clickhouse import ClickHouse, clickhouse
from tests.kit.daemons import a_mesh, running

DOCUMENTED = """SELECT VALUE::string, RESOURCE_ATTRIBUTES:"snow.service.name"::string
FROM SNOWFLAKE.TELEMETRY.EVENTS
WHERE TIMESTAMP > dateadd(hour, -1, current_timestamp())
AND RESOURCE_ATTRIBUTES:"snow.service.name" = 'ECHO' AND RECORD_TYPE = 'LOG'
ORDER BY TIMESTAMP DESC LIMIT 10"""
TABLE = "SNOWFLAKE.TELEMETRY.EVENTS"


@pytest.fixture
def server(tmp_path: Path) -> Generator[ClickHouse]:
    with clickhouse(tmp_path / "clickhouse") as made:
        yield made


def append() -> v1.AppendRequest:
    """Of two services, every ten minutes for three hours."""
    request = v1.AppendRequest()
    for number, name in enumerate(("ECHO", "OTHER")):
        request.resources.add(service=number + 5, service_name=name, source=name)
    now = datetime.now(UTC)
    for number in range(36):
        row = request.rows.add(resource=number % 2, record_type="LOG", offset=number + 1)
        row.value = f'"{number}"'
        row.timestamp.FromDatetime(now - timedelta(minutes=5 * (36 - number) - 2))
    return request


async def asked(mesh: Mesh, sql: str) -> list[Any]:
    address, folder = mesh.grpc_address(Role.WAREHOUSE), mesh.folder("tls")
    async with connect(address, folder, me=Role.API, to=Role.WAREHOUSE) as channel:
        stub: Any = stubs.WarehouseServiceStub(channel)
        with translated("warehouse"):
            reply = await stub.Execute(
                pb.ExecuteRequest(session=1, query_id=str(uuid.uuid4()), sql=sql), timeout=60
            )
    table = pa.ipc.open_stream(reply.arrow_stream).read_all()
    return [tuple(row.values()) for row in table.to_pylist()]


async def test_rows_on_clickhouse_are_read_through_the_warehouse_and_their_absence_is_told(
    server: ClickHouse, tmp_path: Path
):
    home = tmp_path / "home"
    home.mkdir()
    mesh = a_mesh(home)
    tls.ensure(mesh.folder("tls"))
    (home / "snowcave.toml").write_text(
        f'[events]\nstore = "clickhouse"\nappend_deadline = 5.0\n[events.clickhouse]\n'
        f'url = "{server.settings().url}"\nread = 5.0\n'
    )
    async with running(mesh, "warehouse"):
        async with running(mesh, "events"):
            address, folder = mesh.grpc_address(Role.EVENTS), mesh.folder("tls")
            async with connect(address, folder, me=Role.AGENT, to=Role.EVENTS) as channel:
                writer: Any = events_pb2_grpc.EventServiceStub(channel)
                done = [reply async for reply in writer.Append(iter([append()]), timeout=30)]
                assert len(done) == 1
            newest = [(str(number), "ECHO") for number in range(34, 22, -2)]
            assert await asked(mesh, DOCUMENTED) == newest
            everything = f"SELECT count(*), count(DISTINCT RESOURCE_ATTRIBUTES) FROM {TABLE}"
            assert await asked(mesh, everything) == [(36, 2)]
            pairs = (
                f"SELECT count(*) FROM {TABLE} a JOIN {TABLE} b ON a.timestamp = b.timestamp "
                "WHERE a.record_type = 'LOG'"
            )
            assert await asked(mesh, pairs) == [(36,)]
            server.kill()
            with pytest.raises(SnowcaveError, match="ClickHouse"):
                await asked(mesh, DOCUMENTED)
            server.start()
            assert await asked(mesh, DOCUMENTED) == newest
        with pytest.raises(SnowcaveError):
            await asked(mesh, DOCUMENTED)
        # What one statement had brought goes before the next.
        assert len(list((home / "warehouse" / "events").glob("scan-*"))) <= 1
