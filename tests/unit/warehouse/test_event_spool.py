"""Rows of the event table that are brought for one statement, whatever becomes of the statement."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from snowcave.events import intake, messages, once
from snowcave.events.rows import stored
from snowcave.v1 import events_pb2 as v1
from snowcave.warehouse.event_tables.spool import EventSpool


def rows() -> bytes:
    made = v1.AppendRequest(resources=[v1.Resource(service=7)])
    made.rows.add(record_type="LOG", value='"a"').timestamp.FromDatetime(datetime.now(UTC))
    frame = once.select_new([intake.read(made)], {}).frame
    assert frame is not None
    return messages.stream([stored(frame)])


def test_a_file_is_not_closed_while_a_thread_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    writing, go_on = threading.Event(), threading.Event()
    happened: list[str] = []
    spooling = EventSpool(tmp_path, 1 << 20).begin()
    writer: Any = spooling._writer  # pyright: ignore[reportPrivateUsage]
    close = writer.close

    def write(_: pa.Table) -> None:
        writing.set()
        assert go_on.wait(60)
        happened.append("written")

    def closed() -> None:
        happened.append("closed")
        close()

    monkeypatch.setattr(writer, "write_table", write)
    monkeypatch.setattr(writer, "close", closed)
    adding = threading.Thread(target=spooling.add, args=(rows(),))
    adding.start()
    assert writing.wait(60)
    giving_up = threading.Thread(target=spooling.give_up)
    giving_up.start()
    giving_up.join(0.05)  # it would be over by then, or comes later: right either way
    go_on.set()
    adding.join(60)
    giving_up.join(60)
    assert happened == ["written", "closed"]
    assert list(tmp_path.iterdir()) == []


def test_what_comes_after_it_was_given_up_is_left(tmp_path: Path):
    spooling = EventSpool(tmp_path, 1 << 20).begin()
    spooling.give_up()
    spooling.add(rows())
    assert list(tmp_path.iterdir()) == []
