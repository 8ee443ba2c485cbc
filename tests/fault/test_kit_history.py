"""A history tells an answer from a refusal and from not knowing, and is in its file at once."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.fault.kit.history import History, Refused, read

pytestmark = pytest.mark.ours


@pytest.fixture
def history(tmp_path: Path) -> History:
    ticks = itertools.count()
    return History(tmp_path / "history.jsonl", lambda: float(next(ticks)))


async def test_an_answer_is_kept_with_its_times(history: History):
    async def answer() -> list[int]:
        return [7]

    call = await history.record("reader", "SELECT 7", answer, within=1)
    assert (call.outcome, call.answer, call.start, call.end) == ("ok", [7], 0.0, 1.0)
    assert list(read(history.path)) == [call] == history.of("reader", "ok")


async def test_a_call_that_takes_too_long_is_unknown(history: History):
    never = asyncio.Event()
    call = await history.record("writer", 1, never.wait, within=0.01)
    assert call.outcome == "unknown"


async def test_a_connection_that_breaks_is_unknown_and_a_refusal_is_a_failure(history: History):
    async def broken() -> None:
        raise ConnectionResetError("gone")

    async def refused() -> None:
        raise Refused("no")

    assert (await history.record("writer", 1, broken, within=1)).outcome == "unknown"
    assert (await history.record("writer", 2, refused, within=1)).outcome == "fail"
    assert [c.request for c in history.of("writer", "unknown", "fail")] == [1, 2]


async def test_a_client_that_is_stopped_in_a_call_does_not_know_its_outcome(history: History):
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(history.record("writer", 1, endless, within=60))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [call.outcome for call in read(history.path)] == ["unknown"]


async def test_a_half_written_last_line_is_left_out(history: History):
    async def answer() -> int:
        return 1

    call = await history.record("reader", 1, answer, within=1)
    with history.path.open("a") as file:
        file.write('{"client": "rea')
    assert list(read(history.path)) == [call]
