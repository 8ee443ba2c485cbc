"""The events daemon over gRPC: acknowledged rows survive SIGKILL and are readable."""

import asyncio
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.outcomes import translated
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc
from tests.kit.daemons import a_mesh, running


def request(sequence: int, first: int, count: int) -> v1.AppendRequest:
    made = v1.AppendRequest(
        sequence=sequence, resources=[v1.Resource(service=7, container_run_id="run")]
    )
    for offset in range(first, first + count):
        row = made.rows.add(record_type="LOG", value=f'"{offset}"', offset=offset)
        row.timestamp.GetCurrentTime()
    return made


async def append(mesh: Mesh, *requests: v1.AppendRequest) -> list[int]:
    address = mesh.grpc_address(Role.EVENTS)
    async with connect(address, mesh.folder("tls"), me=Role.AGENT, to=Role.EVENTS) as channel:
        with translated("events"):
            call = events_pb2_grpc.EventServiceStub(channel).Append(iter(requests), timeout=20)
            return [reply.sequence async for reply in call]


async def stored(mesh: Mesh) -> list[str]:
    """Every value: the tail by Scan, the rest from the files that its first answer names."""
    address = mesh.grpc_address(Role.EVENTS)
    values: list[str] = []
    async with connect(address, mesh.folder("tls"), me=Role.WAREHOUSE, to=Role.EVENTS) as channel:
        stub = events_pb2_grpc.EventServiceStub(channel)
        async for reply in stub.Scan(v1.ScanRequest(tail_only=True), timeout=20):
            if reply.arrow_stream:
                values += pa.ipc.open_stream(reply.arrow_stream).read_all()["value"].to_pylist()
            for name in reply.rolled_files:
                path = mesh.folder("events") / "parquet" / name
                values += pq.read_table(path)["value"].to_pylist()
    return sorted(values, key=lambda value: int(value.strip('"')))


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    made = a_mesh(tmp_path)
    tls.ensure(made.folder("tls"))
    return made


async def test_acknowledged_rows_survive_sigkill_and_are_not_doubled(mesh: Mesh):
    async with running(mesh, "events") as daemon:
        assert await append(mesh, request(1, 0, 10), request(2, 10, 10)) == [1, 2]
        daemon.kill()
    async with running(mesh, "events"):
        assert await append(mesh, request(3, 15, 10)) == [3]
        assert await stored(mesh) == [f'"{n}"' for n in range(25)]


async def test_a_segment_that_grew_old_becomes_parquet_and_nothing_is_lost(mesh: Mesh):
    (mesh.home / "snowcave.toml").write_text("[events]\nsegment_age = 0.4\n")
    async with running(mesh, "events"):
        await append(mesh, request(1, 0, 10))
        async with asyncio.timeout(20):
            while not list(mesh.folder("events").glob("parquet/*/*.parquet")):
                await asyncio.sleep(0.05)
        await append(mesh, request(2, 10, 10))
        assert await stored(mesh) == [f'"{n}"' for n in range(20)]


async def test_many_agents_at_once_lose_nothing(mesh: Mesh):
    async def agent(number: int) -> None:
        made = request(1, 0, 50)
        made.resources[0].container_run_id = f"run-{number}"
        await append(mesh, made)

    async with running(mesh, "events"):
        await asyncio.gather(*(agent(number) for number in range(20)))
        assert len(await stored(mesh)) == 20 * 50


async def test_a_role_that_has_no_business_here_is_refused(mesh: Mesh):
    async with running(mesh, "events"):
        address = mesh.grpc_address(Role.EVENTS)
        async with connect(address, mesh.folder("tls"), me=Role.DNS, to=Role.EVENTS) as channel:
            with pytest.raises(Exception, match="may not call"), translated("events"):
                async for _ in events_pb2_grpc.EventServiceStub(channel).Scan(
                    v1.ScanRequest(), timeout=20
                ):
                    pass


async def test_garbage_on_the_port_changes_nothing(mesh: Mesh):
    async with running(mesh, "events"):
        reader, writer = await asyncio.open_connection("127.0.0.1", mesh.grpc_port(Role.EVENTS))
        writer.write(b"\0" * 4096 + b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(20):
            while await reader.read(65536):
                pass
        writer.close()
        assert await append(mesh, request(1, 0, 1)) == [1]
