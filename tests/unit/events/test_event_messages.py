"""What readers get of the table: all of it, in messages that gRPC carries."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc.aio
import pyarrow as pa
import pytest

from snowcave.events import intake, messages, once, rows
from snowcave.events.intake import Incoming
from snowcave.events.service import EventService
from snowcave.events.store import Lane, Scan, Tail
from snowcave.v1 import events_pb2 as v1
from snowcave.v1 import events_pb2_grpc
from snowcave.warehouse.event_tables.tail import EventTail

SIZES = [10, 5, 3000, 1, 1, 4000, 20, 20, 20, 20, 2000, 1]


def batch(name: str) -> pa.RecordBatch:
    """Rows of very different sizes, each with attributes of its own."""
    request = v1.AppendRequest(resources=[v1.Resource(service=7, service_name=name)])
    for number, size in enumerate(SIZES):
        row = request.rows.add(record_type="LOG", value=f'"{name}{number}{"x" * size}"')
        row.record_attributes = f'{{"n": "{number}{"y" * size}"}}' if number % 3 else ""
        row.timestamp.FromSeconds(1_700_000_000 + number)
    frame = once.select_new([intake.read(request)], {}).frame
    assert frame is not None
    return rows.stored(frame)


def test_messages_hold_every_row_in_order_and_no_more_bytes_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(messages, "_MOST_BYTES", 4000)
    batches = [batch("a"), batch("b")]
    sent = list(messages.streams(batches))
    got = [pa.ipc.open_stream(one).read_all() for one in sent]
    want = pa.Table.from_batches(batches).to_pylist()
    assert [row for table in got for row in table.to_pylist()] == want
    # Of one row: its value, its attributes (nobody else's), and what Arrow adds.
    assert max(map(len, sent)) < 2 * max(SIZES) + 8000


class Kept:
    """A store with a tail and nothing else."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    async def append(self, rows: Incoming, lane: Lane) -> None:
        raise NotImplementedError

    def scan(self, wish: Scan) -> AsyncIterator[pa.RecordBatch]:
        raise NotImplementedError

    async def tail(self, known: Mapping[int, int]) -> Tail:
        return self._tail


async def test_a_reader_puts_a_tail_of_several_messages_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(messages, "_MOST_BYTES", 4000)
    tail = Tail([], {3: 2, 5: 1}, {3: [batch("a"), batch("b")], 5: [batch("c")]})
    service = EventService(Kept(tail), lambda _: None, ahead=1, waiting_bytes=1)
    server = grpc.aio.server()
    events_pb2_grpc.add_EventServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            moment = await EventTail(channel, tmp_path, 60.0).now()
    finally:
        await server.stop(0)
    assert moment.tail is not None
    values = [value.lstrip('"')[:2] for value in moment.tail.column("value").to_pylist()]
    assert values == [f"{name}{n}"[:2] for name in "abc" for n in range(len(SIZES))]
