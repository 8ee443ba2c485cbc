"""ServiceCatalog and NodeService say what SHOW says."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from snowcave.api.contract import Cell, QueryHandle
from snowcave.api.grpc.shown import NodeServicer, ServiceCatalogServicer, Shows
from snowcave.api.sql import tree
from snowcave.model.errors import ObjectNotFound, ValueInvalid
from snowcave.v1 import catalog_pb2 as v1
from tests.kit.statements import Account, open_account

SPEC = (
    "FROM SPECIFICATION $$spec: {containers: [{name: main, image: /d/public/r/echo}], "
    "endpoints: [{name: web, port: 8000, public: true}]}$$"
)


class Looks:
    """Runs statements in the account, and keeps what they showed."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.rows: list[Mapping[str, Cell]] = []

    async def look(
        self, token: str, call: object, statement: tree.Statement
    ) -> list[Mapping[str, Cell]]:
        assert token == "t"
        runner, context = self.account.runner, self.account.context
        done = await runner.perform(statement, context.copy(), QueryHandle("q"))
        columns = [column.name for column in done.rows.columns]
        self.rows = [dict(zip(columns, row, strict=True)) for row in done.rows.rows]
        return self.rows


@pytest_asyncio.fixture
async def looks(tmp_path: Path) -> AsyncGenerator[Looks]:
    async with open_account(tmp_path) as account:
        await account.sql("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r", "CREATE SCHEMA other")
        account.registry.push("d/public/r/echo:latest")
        for pool in ("p", "q"):
            sizes = "MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_S"
            await account.sql(f"CREATE COMPUTE POOL {pool} {sizes} COMMENT='of {pool}'")
        for name, pool in (("public.one", "p"), ("public.two", "q"), ("other.three", "p")):
            await account.sql(f"CREATE SERVICE d.{name} IN COMPUTE POOL {pool} {SPEC}")
        await account.sql("ALTER SERVICE d.public.two SUSPEND", "USE SCHEMA d.public")
        yield Looks(account)


@pytest.fixture
def services(looks: Looks) -> ServiceCatalogServicer:
    return ServiceCatalogServicer(cast(Shows, looks))


@pytest.fixture
def nodes(looks: Looks) -> NodeServicer:
    return NodeServicer(cast(Shows, looks))


def assert_known(message: Message, row: Mapping[str, Cell]) -> None:
    """A field that no column has would stay empty, and nobody would see it."""
    assert {field.name for field in message.DESCRIPTOR.fields} <= set(row)


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ({}, ["ONE", "THREE", "TWO"]),
        ({"like": "t%"}, ["THREE", "TWO"]),
        ({"schema": 'D."OTHER"'}, ["THREE"]),
        ({"schema": "public"}, ["ONE", "TWO"]),
        ({"compute_pool": "p"}, ["ONE", "THREE"]),
        ({"limit": 1}, ["ONE"]),
        ({"after": "ONE", "limit": 1}, ["THREE"]),
        ({"like": "nothing"}, []),
    ],
    ids=str,
)
async def test_services_are_listed_as_asked_for(
    services: ServiceCatalogServicer, wish: dict[str, str | int], names: list[str]
) -> None:
    request = v1.ListServicesRequest(token="t")
    for key, value in wish.items():
        setattr(request, key, value)
    reply = await services.ListServices(request, None)
    assert [one.name for one in reply.services] == names


async def test_a_service_has_every_column(services: ServiceCatalogServicer, looks: Looks) -> None:
    found = await services.GetService(v1.ServiceRequest(token="t", service="d.public.two"), None)
    (row,) = looks.rows
    assert_known(found, row)
    assert (found.name, found.compute_pool, found.schema_name) == ("TWO", "Q", "PUBLIC")
    assert (found.auto_resume, found.is_job, found.max_instances) == (True, False, 1)
    assert "containers" in found.spec
    assert found.suspended_on.ToDatetime() > found.created_on.ToDatetime()
    one = await services.GetService(v1.ServiceRequest(token="t", service="one"), None)
    assert not one.HasField("suspended_on")
    assert one.comment == ""


async def test_what_a_service_consists_of_is_listed(
    services: ServiceCatalogServicer, looks: Looks
) -> None:
    request = v1.ServiceRequest(token="t", service="one")
    (endpoint,) = (await services.ListEndpoints(request, None)).endpoints
    assert_known(endpoint, looks.rows[0])
    assert (endpoint.name, endpoint.port, endpoint.is_public) == ("web", 8000, True)
    # Nothing has been placed here.
    assert not (await services.ListInstances(request, None)).instances
    assert not (await services.ListContainers(request, None)).containers


async def test_pools_and_nodes_are_listed(nodes: NodeServicer, looks: Looks) -> None:
    reply = await nodes.ListComputePools(v1.ListComputePoolsRequest(token="t", like="q"), None)
    (pool,) = reply.compute_pools
    assert_known(pool, looks.rows[0])
    assert (pool.name, pool.comment, pool.max_nodes, pool.auto_resume) == ("Q", "of q", 2, True)
    request = v1.ListNodesRequest(token="t", compute_pool="p")
    assert not (await nodes.ListNodes(request, None)).nodes


async def test_what_there_is_not_is_refused(services: ServiceCatalogServicer) -> None:
    with pytest.raises(ObjectNotFound):
        await services.GetService(v1.ServiceRequest(token="t", service="nothing"), None)
    with pytest.raises(ValueInvalid):
        await services.ListEndpoints(v1.ServiceRequest(token="t", service="a b"), None)
    both = v1.ListServicesRequest(token="t", schema="s", compute_pool="p")
    with pytest.raises(ValueInvalid):
        await services.ListServices(both, None)
