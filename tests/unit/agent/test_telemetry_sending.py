"""Metrics and spans on their way: in order, once each, within bounds."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from snowcave.agent.telemetry.sending import Allowance, Parcel, Sender, SendSettings, open_sender
from snowcave.model.errors import Unavailable
from snowcave.v1 import events_pb2 as events
from tests.kit.agent_node import VirtualClock

pytestmark = pytest.mark.looptime


class Table:
    """Stores, forgets to acknowledge now and then, and may be away."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.marks: dict[str, tuple[int, int]] = {}
        self.away = False
        self.forgetful = 0

    async def append(
        self, requests: AsyncIterator[events.AppendRequest]
    ) -> AsyncGenerator[events.AppendReply]:
        async for request in requests:
            if self.away:
                raise Unavailable("events")
            for row in request.rows:
                source = request.resources[row.resource].source
                key = (row.file_generation, row.offset)
                if key > self.marks.get(source, (0, 0)):
                    self.marks[source] = key
                    self.rows.append(row.value)
            if self.forgetful:
                self.forgetful -= 1
                raise Unavailable("events")
            yield events.AppendReply(sequence=request.sequence)


def parcel(*values: str) -> Parcel:
    rows = [events.EventRow(record_type="METRIC", value=value) for value in values]
    return Parcel.of(events.Resource(service=1), rows)


def sender(table: Table, settings: SendSettings):
    return open_sender("telemetry/n1", table, settings, VirtualClock(), random.Random(1))


async def stored(table: Table, count: int) -> None:
    async with asyncio.timeout(60):
        while len(table.rows) < count:
            await asyncio.sleep(0.1)


async def test_rows_come_once_and_in_order_whatever_is_sent_again():
    table = Table()
    table.forgetful = 2
    async with sender(table, SendSettings(batch=2)) as sending:
        for number in range(5):
            sending.offer([parcel(f"{number}a", f"{number}b")])
        await stored(table, 10)
    assert table.rows == [f"{number}{one}" for number in range(5) for one in "ab"]


async def test_the_oldest_goes_where_the_table_is_away_for_long():
    table = Table()
    table.away = True
    settings = SendSettings(waiting_bytes=3 * parcel("0").size)
    async with sender(table, settings) as sending:
        sending.offer([parcel("sent")])
        await asyncio.sleep(1)  # it is being sent, in vain
        for number in range(6):
            sending.offer([parcel(str(number))])
        table.away = False
        await stored(table, 4)
    assert table.rows == ["sent", "3", "4", "5"]


async def test_a_later_agent_s_rows_are_no_repetition():
    table = Table()
    for value in ("before", "after"):
        async with sender(table, SendSettings()) as sending:
            sending.offer([parcel(value)])
            await stored(table, 1 if value == "before" else 2)
        await asyncio.sleep(1)
    assert table.rows == ["before", "after"]


async def test_containers_have_an_allowance_and_the_platform_has_none():
    settings = SendSettings(bytes_per_second=100, burst=1.0)
    sending = Sender("s", Table(), settings, VirtualClock(), random.Random(1))
    large = parcel("x" * 60)
    assert sending.offer_own([large]) == 0
    assert sending.offer_own([large]) == 1
    sending.offer([large])
    await asyncio.sleep(1)
    assert sending.offer_own([large]) == 0


def test_an_allowance_of_zero_is_none():
    allowance = Allowance.begin(SendSettings(bytes_per_second=0), 0.0)
    assert all(allowance.take(10**9, 0.0) for _ in range(3))
