"""Answers that come at the same time go in one message; no answer waits for another one."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.conversation import Conversation

pytestmark = pytest.mark.looptime


async def _execute(request: pb.ExecuteRequest) -> pb.ExecuteReply:
    """Takes the seconds that the statement says."""
    await asyncio.sleep(float(request.sql))
    return pb.ExecuteReply(rows=1)


async def _keep(_: pb.KeepResultRequest) -> pb.KeepResultReply:
    return pb.KeepResultReply()


async def _told(*asked: tuple[float, str]) -> list[tuple[list[int], float]]:
    """The numbers in each message, and when it came. `asked`: when, and for how many seconds of work."""
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def questions() -> AsyncIterator[pb.Questions]:
        for number, (when, sql) in enumerate(asked):
            await asyncio.sleep(begin + when - loop.time())
            question = pb.Question(number=number, execute=pb.ExecuteRequest(sql=sql))
            yield pb.Questions(questions=[question])

    return [
        ([one.number for one in message.answers], round(loop.time() - begin, 4))
        async for message in Conversation(_execute, _keep).run(questions())
    ]


async def test_what_ends_together_is_told_together() -> None:
    assert await _told((0, "0.002"), (0, "0.002")) == [([0, 1], 0.002)]


async def test_nobody_waits_for_what_takes_longer() -> None:
    assert await _told((0, "5"), (1, "0.001")) == [([1], 1.001), ([0], 5.0)]
