"""Logs of containers that are gone: which rows of the event table answer, and when it is asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snowcave.api.contract import LogRequest
from snowcave.api.event_logs import Logs, lines
from snowcave.model.errors import NotAuthorized, ObjectNotFound, SnowcaveError, Unavailable

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(second: int, text: str, instance: int = 0, container: str = "main") -> dict[str, Any]:
    return {
        "timestamp": START + timedelta(seconds=second),
        "instance_id": instance,
        "value": json.dumps(text),
        "resource_attributes": json.dumps({"snow.service.container.name": container}),
    }


ROWS = [
    row(4, "last"),
    row(3, "of a side car", container="side"),
    row(2, "second"),
    row(1, "of another", instance=1),
    row(0, "first"),
]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (LogRequest(8, 0, "main"), "first\nsecond\nlast\n"),
        (LogRequest(8, 0, "main", tail_lines=2), "second\nlast\n"),
        (LogRequest(8, 1, "main"), "of another\n"),
        (LogRequest(8, 0, "side"), "of a side car\n"),
        (LogRequest(8, 2, "main"), ""),
        (LogRequest(8, 0, "main", since="2026-01-01T12:00:03Z"), "last\n"),
        (LogRequest(8, 1, "main", timestamps=True), "2026-01-01T12:00:01.000000Z of another\n"),
    ],
)
def test_the_containers_lines_come_in_their_order(request_: LogRequest, expected: str) -> None:
    assert lines(ROWS, request_) == expected


class Reader:
    def __init__(self, answer: str | SnowcaveError) -> None:
        self.answer = answer

    async def read(self, request: LogRequest) -> str:
        if isinstance(self.answer, SnowcaveError):
            raise self.answer
        return self.answer


GONE = ObjectNotFound("Instance", "0")


@pytest.mark.parametrize(
    ("node", "events", "expected"),
    [
        ("here", "stored", "here"),
        ("", "stored", ""),
        (GONE, "stored", "stored"),
        (Unavailable("Node n1 does not answer."), "stored", "stored"),
    ],
)
async def test_the_table_answers_where_no_node_can(
    node: str | SnowcaveError, events: str, expected: str
) -> None:
    assert await Logs(Reader(node), Reader(events)).read(LogRequest(8, 0, "main")) == expected


@pytest.mark.parametrize(
    ("node", "events", "request_"),
    [
        (GONE, "", LogRequest(8, 0, "main")),
        (GONE, Unavailable("events does not answer."), LogRequest(8, 0, "main")),
        (GONE, "stored", LogRequest(8, 0, "main", previous=True)),
        (NotAuthorized("x"), "stored", LogRequest(8, 0, "main")),
    ],
)
async def test_what_nobody_has_is_told_in_the_nodes_words(
    node: SnowcaveError, events: str | SnowcaveError, request_: LogRequest
) -> None:
    with pytest.raises(type(node)):
        await Logs(Reader(node), Reader(events)).read(request_)


async def test_an_instance_at_its_end_has_no_lines_yet_rather_than_never_been() -> None:
    ended = LogRequest(8, 0, "main", ended=True)
    assert await Logs(Reader(GONE), Reader("")).read(ended) == ""
    with pytest.raises(ObjectNotFound):
        await Logs(Reader(GONE), Reader(Unavailable("events does not answer."))).read(ended)
