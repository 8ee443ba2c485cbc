"""Pools whose nodes are larger than any machine: taken as they are, or refused."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.model import keys
from snowcave.model.errors import ValueInvalid
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

LARGE = "MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = HIGHMEM_X64_L"
SMALL = LARGE.replace("HIGHMEM_X64_L", "CPU_X64_XS")


async def machine(account: Account, cpu_milli: int, memory_bytes: int) -> None:
    store = MemoryStore(Role.HYPERVISOR, account.backend)
    host = state.Host(name="local", cpu_milli=cpu_milli, memory_bytes=memory_bytes)
    revision = await store.put(keys.HOSTS.key("local"), host.SerializeToString())
    await account.catalog.mirrors.hosts.wait(lambda mirror: mirror.revision >= revision)


@pytest_asyncio.fixture
async def strict(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path, strict_capacity=True) as opened:
        yield opened


async def test_what_no_machine_could_ever_hold_is_refused_where_capacity_is_strict(
    strict: Account,
) -> None:
    await machine(strict, 2000, 8 << 30)
    with pytest.raises(ValueInvalid, match="No machine is large enough for a node of instance"):
        await strict.sql(f"CREATE COMPUTE POOL p {LARGE}")
    assert await strict.sql("SHOW COMPUTE POOLS") == []
    await strict.sql(f"CREATE COMPUTE POOL p {SMALL} INITIALLY_SUSPENDED = TRUE")
    with pytest.raises(ValueInvalid):
        await strict.sql("ALTER COMPUTE POOL p SET INSTANCE_FAMILY = GPU_NV_S")


async def test_elsewhere_a_node_may_be_larger_than_its_machine(tmp_path: Path) -> None:
    async with open_account(tmp_path) as account:
        await machine(account, 2000, 8 << 30)
        await account.sql(f"CREATE COMPUTE POOL p {LARGE}")
        assert len(await account.sql("SHOW COMPUTE POOLS")) == 1
