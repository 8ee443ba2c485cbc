"""How many rows of arguments a message has, by what the answers were like."""

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pyarrow as pa
import pytest

from snowcave.v1 import functions_pb2 as v1
from snowcave.warehouse import columns
from snowcave.warehouse.results.keeping import Keeper
from snowcave.warehouse.service_functions.invoke import Invocation
from snowcave.warehouse.service_functions.message_rows import MessageRows
from snowcave.warehouse.settings import CallSettings

SETTINGS = CallSettings(batch_rows=1000, first_rows=400, answer_bytes=10_000)


@pytest.mark.parametrize(
    ("rows", "size", "most"),
    [
        (400, 400, 1000),
        (400, 40_000, 100),
        (10, 10_000_000, 1),
        (10, 0, 1000),
        (0, 0, 400),
    ],
)
def test_the_longer_answers_are_the_fewer_rows_a_message_has(rows: int, size: int, most: int):
    found = MessageRows(SETTINGS)
    assert found.most == 400
    found.answered(rows, size)
    assert found.most == most


def test_it_follows_the_answers():
    found = MessageRows(SETTINGS)
    found.answered(400, 400_000)
    assert found.most == 10
    found.answered(10, 10)
    assert found.most == 1000


class Router:
    """Answers each message once it is there, with texts of one length."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.rows: list[int] = []

    def Invoke(self, requests: AsyncIterator[v1.InvokeRequest]) -> "Replies":  # noqa: N802
        return Replies(self._replies(requests))

    async def _replies(
        self, requests: AsyncIterator[v1.InvokeRequest]
    ) -> AsyncGenerator[v1.InvokeReply]:
        async for request in requests:
            if request.WhichOneof("message") == "arrow_stream":
                rows = columns.from_stream(request.arrow_stream).num_rows
                self.rows.append(rows)
                answers = pa.table({"result": ["x" * self._length] * rows})
                stream = columns.to_stream(answers)
                yield v1.InvokeReply(arrow_stream=stream, is_whole=True, batches=len(self.rows))


class Replies:
    def __init__(self, replies: AsyncGenerator[v1.InvokeReply]) -> None:
        self._replies = replies

    def __aiter__(self) -> AsyncIterator[v1.InvokeReply]:
        return self._replies

    def add_done_callback(self, _callback: object) -> None:
        """It does not fail."""

    def cancel(self) -> None:
        pass


async def test_a_call_with_long_answers_goes_on_with_short_messages(tmp_path: Path):
    router = Router(length=1000)
    settings = CallSettings(batch_rows=1000, first_rows=40, answer_bytes=10_000, window=2)
    schema = pa.schema([pa.field("a", pa.string())])
    answers = Keeper(tmp_path, 1 << 20).keep(pa.schema([pa.field("answer", pa.string())]))
    head = v1.InvokeHeader(query_id="q")
    async with Invocation(lambda: router, head, schema, settings, answers) as call:
        for _ in range(4):
            await call.send([pa.array([str(n) for n in range(100)])], 100)
        assert (await call.finish()).num_rows == 400
    assert router.rows[0] == 40
    assert max(router.rows[2:]) == 9
