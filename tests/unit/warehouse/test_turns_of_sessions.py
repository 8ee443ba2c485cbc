"""Nobody uses a session's connection while somebody's call still does, whatever became of the caller."""

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from snowcave.runtime.mesh import Mesh
from snowcave.warehouse.sessions import Sessions
from snowcave.warehouse.settings import WarehouseSettings


class Engine:
    """Sessions of which one call lasts until it is let end; a close meanwhile is told."""

    def __init__(self) -> None:
        self.began, self.let = threading.Event(), threading.Event()
        self.is_busy = self.was_disturbed = False
        self.closed = 0

    def open_session(self, _number: int) -> "Engine":
        return self

    def looks(self) -> None:
        self.is_busy = True
        self.began.set()
        assert self.let.wait(60)
        self.is_busy = False

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self.was_disturbed |= self.is_busy
        self.closed += 1


@pytest.mark.ours
async def test_a_session_is_closed_only_when_the_call_of_a_cancelled_statement_has_ended(
    tmp_path: Path,
) -> None:
    engine = Engine()
    async with Sessions(cast(Any, engine), WarehouseSettings(Mesh(home=tmp_path))) as sessions:
        session = await sessions.get(1)

        async def statement() -> None:
            async with sessions.taking_turn(session):
                await sessions.thread(engine.looks)

        running = asyncio.create_task(statement())
        assert await asyncio.to_thread(engine.began.wait, 60)
        running.cancel()
        closing = asyncio.create_task(sessions.close(1))
        for _ in range(50):  # time enough for who would not wait
            await asyncio.sleep(0)
        engine.let.set()
        async with asyncio.timeout(60):
            await closing
            with pytest.raises(asyncio.CancelledError):
                await running
    assert not engine.was_disturbed


async def test_however_often_a_statement_is_cancelled_nobody_has_its_turn_before_its_call_has_ended(
    tmp_path: Path,
) -> None:
    engine = Engine()
    async with Sessions(cast(Any, engine), WarehouseSettings(Mesh(home=tmp_path))) as sessions:
        session = await sessions.get(1)

        async def statement(call: str) -> None:
            async with sessions.taking_turn(session):
                if call == "thread":
                    await sessions.thread(engine.looks)
                else:
                    await sessions.blocking(session, engine.looks)

        for call in ("thread", "blocking"):
            engine.began.clear()
            engine.let.clear()
            running = asyncio.create_task(statement(call))
            assert await asyncio.to_thread(engine.began.wait, 60)
            for _ in range(3):
                running.cancel()
                for _ in range(10):
                    await asyncio.sleep(0)
                assert session.turn.locked()
            engine.let.set()
            async with asyncio.timeout(60):
                with pytest.raises(asyncio.CancelledError):
                    await running
            assert not session.turn.locked()


async def test_a_session_is_closed_also_where_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    engine = Engine()
    async with Sessions(cast(Any, engine), WarehouseSettings(Mesh(home=tmp_path))) as sessions:
        session = await sessions.get(1)
        async with sessions.taking_turn(session):
            closing = asyncio.create_task(sessions.close(1))
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
    assert engine.closed == 1
