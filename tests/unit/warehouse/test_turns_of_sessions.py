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
