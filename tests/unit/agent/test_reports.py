"""What the agent tells, under a lease that may be lost."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from snowcave.agent.reports import Reports, ReportSettings, open_reports
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryBackend, MemoryStore

pytestmark = pytest.mark.looptime

NODE_KEY = keys.NODES.key("node-1")
KEY = keys.REPORTS.key("node-1", "7-0-1")


@asynccontextmanager
async def reporting(backend: MemoryBackend) -> AsyncGenerator[Reports]:
    async with open_reports(
        MemoryStore(Role.AGENT, backend),
        state.Node(name="node-1"),
        ReportSettings(lease=10.0),
        LoopClock(),
        random.Random(3),
    ) as reports:
        yield reports


def report(status: str = "READY") -> state.InstanceReport:
    return state.InstanceReport(instance="7-0-1", node="node-1", status=status)


async def settle() -> None:
    await asyncio.sleep(1)


async def test_reports_and_the_node_stand_under_one_lease_and_go_with_it():
    backend = MemoryBackend()
    async with reporting(backend) as reports:
        reports.put(report())
        await settle()
        node, told = backend.get(NODE_KEY), backend.get(KEY)
        assert node is not None
        assert told is not None
        assert node.lease == told.lease != 0
    assert backend.get(NODE_KEY) is None
    assert backend.get(KEY) is None


async def test_only_changes_are_written():
    backend = MemoryBackend()
    async with reporting(backend) as reports:
        reports.put(report())
        await settle()
        revision = backend.revision
        reports.put(report())
        await settle()
        assert backend.revision == revision
        reports.put(report("FAILED"))
        await settle()
        assert backend.revision == revision + 1
        reports.drop("7-0-1")
        await settle()
        assert backend.get(KEY) is None


async def test_after_a_lost_lease_everything_is_told_again():
    backend = MemoryBackend()
    async with reporting(backend) as reports:
        reports.put(report())
        await settle()
        backend.available = False
        reports.put(report("FAILED"))
        await asyncio.sleep(60)
        assert backend.get(NODE_KEY) is None
        backend.available = True
        await asyncio.sleep(5)
        told = backend.get(KEY)
        assert told is not None
        assert state.InstanceReport.FromString(told.value).status == "FAILED"
        assert backend.get(NODE_KEY) is not None


async def test_a_short_absence_of_the_store_keeps_the_lease():
    backend = MemoryBackend()
    async with reporting(backend) as reports:
        reports.put(report())
        await settle()
        before = backend.get(KEY)
        backend.available = False
        reports.put(report("FAILED"))
        await asyncio.sleep(3)
        backend.available = True
        await asyncio.sleep(5)
        after = backend.get(KEY)
        assert before is not None
        assert after is not None
        assert after.lease == before.lease
        assert state.InstanceReport.FromString(after.value).status == "FAILED"


async def test_an_agent_knows_what_the_one_before_it_told():
    backend = MemoryBackend()
    async with reporting(backend) as first:
        first.put(report())
        await settle()
        async with reporting(backend) as second:
            assert second.before == {"7-0-1": report()}
