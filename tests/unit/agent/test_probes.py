"""Readiness probes against a real server on loopback."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from snowcave.agent.engine.api import ContainerId
from snowcave.agent.probes import Probes, ProbeSettings, Target, open_probes
from snowcave.kit.clock import LoopClock

MADE = ContainerId("abc")
QUICK = ProbeSettings(period=0.05, timeout=0.5, first_pause=0.01, quick_pause=0.05)


@dataclass
class Server:
    """Answers /healthz with `status`; counts what it was asked."""

    status: int = 200
    port: int = 0
    asked: list[str] = field(default_factory=list[str])

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        headers = {"Location": "/elsewhere"} if self.status == 302 else {}
        return web.Response(status=self.status, headers=headers, body=b"x" * 100_000)


@asynccontextmanager
async def serving(status: int = 200) -> AsyncGenerator[Server]:
    server = Server(status)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


def target(port: int, path: str = "/healthz") -> Target:
    return Target("7-0-1", MADE, "127.0.0.1", port, path)


async def until(probes: Probes, passing: bool | None) -> None:
    async with asyncio.timeout(10):
        while probes.result(MADE).passing is not passing:
            await asyncio.sleep(0.005)


async def test_one_answer_makes_ready_and_three_failures_make_unready():
    told: list[str] = []
    async with serving() as server, open_probes(told.append, QUICK, LoopClock()) as probes:
        probes.watch("7-0-1", [target(server.port)], set())
        await until(probes, True)
        server.status = 500
        before = len(server.asked)
        await until(probes, False)
        assert len(server.asked) - before >= 3
        server.status = 200
        await until(probes, True)
    assert told == ["7-0-1"] * 3


async def test_a_redirect_is_no_readiness_and_is_not_followed():
    async with serving(302) as server, open_probes(lambda _: None, QUICK, LoopClock()) as probes:
        probes.watch("7-0-1", [target(server.port)], set())
        await until(probes, False)
        assert set(server.asked) == {"/healthz"}


async def test_a_closed_port_is_no_readiness():
    async with serving() as server:
        port = server.port
    async with open_probes(lambda _: None, QUICK, LoopClock()) as probes:
        probes.watch("7-0-1", [target(port)], set())
        await until(probes, False)


async def test_who_was_ready_before_stays_so_until_shown_otherwise():
    told: list[str] = []
    async with serving(500) as server, open_probes(told.append, QUICK, LoopClock()) as probes:
        probes.watch("7-0-1", [target(server.port)], {MADE})
        assert probes.result(MADE).passing is True
        await until(probes, False)
    assert told == ["7-0-1"]


async def test_a_container_that_is_no_longer_watched_is_left_alone():
    async with serving() as server, open_probes(lambda _: None, QUICK, LoopClock()) as probes:
        probes.watch("7-0-1", [target(server.port, "ready?deep=1")], set())
        await until(probes, True)
        assert server.asked[0] == "/ready?deep=1"
        probes.watch("7-0-1", [], set())
        assert probes.result(MADE).passing is None
        await asyncio.sleep(0.1)
        asked = len(server.asked)
        await asyncio.sleep(0.2)
        assert len(server.asked) == asked
