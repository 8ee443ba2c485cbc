"""A statement whose service has an instance that hangs: with hedging it ends with the other one's answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from snowcave.functions.settings import FunctionsSettings, HedgeSettings
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh
from tests.kit.called_warehouse import Warehouse, a_warehouse
from tests.kit.ports import free_port_base
from tests.kit.service_functions import Router, Service, a_router, a_service, served

ROWS, BATCH = 200, 25
Scene = tuple[Warehouse, Router, Service, Service]


async def hang(_request: web.Request, _rows: list[list[Any]]) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    """The warehouse, its router, and the service's instances: one that answers and one that does not."""
    mesh = Mesh(home=tmp_path, port_base=free_port_base())
    tls.ensure(mesh.folder("tls"))
    settings = FunctionsSettings(mesh, hedge=HedgeSettings(after=0.05, share=1.0))
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        quick, stuck = await enter(a_service()), await enter(a_service(hang))
        router = await enter(a_router(settings))
        await router.catalog.add_service(quick, stuck)
        await router.catalog.add_function(1, max_batch_rows=BATCH)
        await router.settled(1, 2)
        await enter(served(router, settings))
        warehouse = await enter(a_warehouse(mesh, mesh.grpc_address(Role.FUNCTIONS)))
        yield warehouse, router, quick, stuck


def counted() -> dict[str, float]:
    names = ("hedges_total", "hedges_won_total", "retries_total", "rows_total")
    labels = {"function": "D.S.F()"}
    return {
        name: REGISTRY.get_sample_value(f"snowcave_functions_{name}", labels) or 0.0
        for name in names
    }


async def test_the_quick_instance_answers_and_the_other_one_is_let_go(scene: Scene) -> None:
    warehouse, router, quick, stuck = scene
    numbers = f"SELECT SEQ4() AS n FROM TABLE(GENERATOR(ROWCOUNT => {ROWS}))"
    await warehouse.rows(f"CREATE TABLE t AS {numbers}")
    before = counted()
    async with asyncio.timeout(60):
        found = await warehouse.rows("SELECT n, f(n) AS y FROM t")
        assert sorted(row["N"] for row in found) == list(range(ROWS))
        assert all(row["Y"] == f"Bob said {row['N']}" for row in found)
        while stuck.busy or not router.lanes.is_idle:
            await asyncio.sleep(0.01)
    now = {name: value - before[name] for name, value in counted().items()}
    # Each batch that was at the stuck instance was asked of both, whichever of them was first; one that was
    # answered in that moment may have been asked of one only.
    assert 1 <= len(stuck.requests) <= now["hedges_total"] <= ROWS / BATCH
    assert 1 <= now["hedges_won_total"] <= now["hedges_total"]
    assert (now["rows_total"], now["retries_total"]) == (ROWS, 0)
    assert sorted(int(row[1]) for row in quick.rows) == list(range(ROWS))
    ids = {headers["sf-external-function-query-batch-id"] for _, headers, _ in quick.requests}
    assert {h["sf-external-function-query-batch-id"] for _, h, _ in stuck.requests} <= ids
