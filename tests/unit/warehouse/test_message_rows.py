"""How many rows of arguments a message has, by what the answers were like."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from snowcave.model.errors import RemoteError
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

    def __init__(self, length: int, most: int = 1000) -> None:
        """Of so many messages at the most; then it says that this was all."""
        self._length = length
        self._most = most
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
                if len(self.rows) == self._most:
                    return


class Replies:
    def __init__(self, replies: AsyncGenerator[v1.InvokeReply]) -> None:
        self._replies = replies

    def __aiter__(self) -> AsyncIterator[v1.InvokeReply]:
        return self._replies

    def add_done_callback(self, _callback: object) -> None:
        """It does not fail."""

    def cancel(self) -> None:
        pass


@asynccontextmanager
async def a_call(router: Router, folder: Path) -> AsyncGenerator[Invocation]:
    settings = CallSettings(batch_rows=1000, first_rows=40, answer_bytes=10_000, window=2)
    schema = pa.schema([pa.field("a", pa.string())])
    answers = Keeper(folder, 1 << 20).keep(pa.schema([pa.field("answer", pa.string())]))
    head = v1.InvokeHeader(query_id="q")
    async with Invocation(lambda: router, head, schema, settings, answers) as call:
        yield call


async def test_a_call_with_long_answers_goes_on_with_short_messages(tmp_path: Path):
    router = Router(length=1000)
    async with a_call(router, tmp_path) as call:
        for _ in range(4):
            await call.send([pa.array([str(n) for n in range(100)])], 100)
        assert (await call.finish()).num_rows == 400
    assert router.rows[0] == 40
    assert max(router.rows[2:]) == 9


async def test_nothing_more_is_sent_to_a_router_that_says_too_early_that_this_was_all(
    tmp_path: Path,
):
    async with a_call(Router(length=1, most=1), tmp_path) as call, asyncio.timeout(60):
        with pytest.raises(RemoteError, match="answered 40 of"):
            await call.send([pa.array(["x"] * 4000)], 4000)
