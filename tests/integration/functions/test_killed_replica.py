"""Two functions daemons as processes share the calls; one is killed while it has batches under way."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from aiohttp import web

from snowcave.api.settings import RelaySettings
from snowcave.client.functions import Functions, Progress
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from snowcave.store.client import open_store
from tests.kit import store_processes
from tests.kit.called_warehouse import ECHO, Warehouse, a_warehouse
from tests.kit.client_calls import client_calls
from tests.kit.daemons import Running, a_mesh, running, scraped
from tests.kit.service_functions import Catalog, Service, a_service, echo

ROWS, BATCH = 12_000, 200
# Requests of a call that are answered before its others are held back.
FIRST = 20


@dataclass
class Gate:
    """Holds requests back, by the calls that they belong to."""

    asked: Counter[str] = field(default_factory=Counter[str])
    held: Counter[str] = field(default_factory=Counter[str])
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def echo(self, request: web.Request, rows: list[list[Any]]) -> web.StreamResponse:
        query = request.headers["sf-external-function-current-query-id"]
        self.asked[query] += 1
        if self.asked[query] > FIRST and not self.opened.is_set():
            self.held[query] += 1
            await self.opened.wait()
        return await echo(request, rows)


@dataclass
class Scene:
    meshes: list[Mesh]
    routers: list[Running]
    service: Service
    gate: Gate
    warehouse: Warehouse
    functions: Functions

    async def under_way(self) -> list[float]:
        """Calls at each router."""
        found = [await scraped(mesh, Role.FUNCTIONS) for mesh in self.meshes]
        return [samples["snowcave_functions_calls"] for samples in found]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    first = a_mesh(tmp_path)
    second = Mesh(home=tmp_path, port_base=first.port_base + 1)
    meshes = [first, second]
    tls.ensure(first.folder("tls"))
    (tmp_path / "etcd").mkdir()
    etcd = store_processes.etcd(tmp_path / "etcd")
    (tmp_path / "mesh.toml").write_text(f"store = '{etcd.address}'\n")
    gate = Gate()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        stack.enter_context(store_processes.running(etcd))
        api, scheduler = [
            await enter(open_store(etcd.address, role)) for role in (Role.API, Role.SCHEDULER)
        ]
        service = await enter(a_service(gate.echo))
        catalog = Catalog(api, scheduler)
        await catalog.add_service(service)
        await catalog.add_function(1, max_batch_rows=BATCH)
        routers = [
            await enter(
                running(mesh, "functions", {"SNOWCAVE_MESH__PORT_BASE": str(mesh.port_base)})
            )
            for mesh in meshes
        ]
        addresses = ",".join(mesh.grpc_address(Role.FUNCTIONS) for mesh in meshes)
        warehouse = await enter(a_warehouse(first, addresses))
        relayed = RelaySettings(pause=0.01)
        functions = await enter(client_calls(first, addresses, ECHO, settings=relayed))
        yield Scene(meshes, routers, service, gate, warehouse, functions)


async def test_calls_go_on_when_a_router_is_killed(scene: Scene):
    warehouse = scene.warehouse
    source = f"SELECT SEQ4() AS n FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
    await warehouse.rows(f"CREATE TABLE t AS {source}")
    texts, progress = [str(number) for number in range(ROWS)], Progress()
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for number in (1, 2):
            sql = f"CREATE TABLE r{number} AS SELECT n, f(n) AS y FROM t"
            group.create_task(warehouse.rows(sql, session=number))
        calling = group.create_task(scene.functions.call("f", pa.table({"t": texts}), progress))
        # Two of the calls are at the router that goes; at least one of them has batches under way there.
        while len(scene.gate.held) < 2 or sum(await scene.under_way()) < 3:
            await asyncio.sleep(0.01)
        assert sorted(await scene.under_way()) == [1, 2]
        killed = scene.routers[0]
        killed.kill()
        await killed.process.wait()
        scene.gate.opened.set()
    for number in (1, 2):
        good = f"SELECT COUNT(*) AS a, COUNT(DISTINCT n) AS b FROM r{number} WHERE y = 'Bob said ' || n"
        assert await warehouse.rows(good) == [{"A": ROWS, "B": ROWS}]
    assert calling.result().to_pylist() == [f"Bob said {text}" for text in texts]
    assert (progress.rows, progress.batches) == (ROWS, batches_of(texts))
    assert sent_again(scene.service) > 0
    survivor = await scraped(scene.meshes[1], Role.FUNCTIONS)
    assert survivor["snowcave_functions_calls"] == 0
    answered = survivor['snowcave_functions_rows_total{function="D.S.F()"}']
    assert ROWS < answered <= 3 * ROWS
    timed = survivor['snowcave_functions_batch_seconds_count{function="D.S.F()"}']
    assert timed >= answered / BATCH


def batches_of(texts: list[str]) -> int:
    """Each message of the client's makes batches of its own."""
    message = 8192
    sizes = [len(texts[start : start + message]) for start in range(0, len(texts), message)]
    return sum(-(-size // BATCH) for size in sizes)


def sent_again(service: Service) -> int:
    """How many batches; each of them had the same rows under the same id as before."""
    rows: dict[str, set[str]] = {}
    times: Counter[str] = Counter()
    for _, headers, data in service.requests:
        batch = headers["sf-external-function-query-batch-id"]
        rows.setdefault(batch, set()).add(str(data))
        times[batch] += 1
    assert all(len(bodies) == 1 for bodies in rows.values())
    assert max(times.values()) <= 2
    return sum(count > 1 for count in times.values())


async def test_a_router_that_is_away_is_passed_over(scene: Scene):
    scene.gate.opened.set()
    scene.routers[0].kill()
    await scene.routers[0].process.wait()
    for number in range(4):
        assert await scene.warehouse.rows(f"SELECT f({number}) AS y") == [
            {"Y": f"Bob said {number}"}
        ]
        mapped = scene.functions.map("f", [[str(number)]])
        assert [value async for value in mapped] == [f"Bob said {number}"]
    assert len(scene.service.requests) == 8
