"""The proxy does to a stream what it says, counts it, and loses no byte of one that it lets live."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from snowcave.runtime.mesh import Mesh
from tests.fault.kit import proxy as kit
from tests.fault.kit.faults import FaultVoid, injected
from tests.fault.kit.view import MeshView

pytestmark = pytest.mark.ours
RNG = random.Random(0)


@pytest.fixture
def mesh(tmp_path: Path) -> MeshView:
    return MeshView(Mesh(home=tmp_path))


@asynccontextmanager
async def before_an_echo() -> AsyncGenerator[kit.Proxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1024):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, kit.proxied("127.0.0.1", server.sockets[0].getsockname()[1], RNG) as proxy:
        yield proxy


class Talk:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes) -> bytes:
        self.writer.write(text)
        await self.writer.drain()
        async with asyncio.timeout(10):
            return await self.reader.readexactly(len(text))


@asynccontextmanager
async def talking(proxy: kit.Proxy) -> AsyncGenerator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.transport.abort()


async def test_bytes_pass_both_ways_and_the_end_of_a_stream_too():
    async with before_an_echo() as proxy, talking(proxy) as talk:
        assert await talk.say(b"hello") == b"hello"
        talk.writer.write_eof()
        async with asyncio.timeout(10):
            assert await talk.reader.read() == b""
        assert (proxy.counts.accepted, proxy.counts.forwarded) == (1, 10)


async def test_a_slow_line_delays_and_counts(mesh: MeshView):
    async with before_an_echo() as proxy, talking(proxy) as talk:
        async with injected(kit.delay(proxy, 0.05), mesh, RNG):
            begun = asyncio.get_running_loop().time()
            assert await talk.say(b"hello") == b"hello"
            assert asyncio.get_running_loop().time() - begun >= 0.1
        assert proxy.counts.delayed == 2


async def test_a_blackhole_holds_what_comes_until_it_is_healed(mesh: MeshView):
    async with before_an_echo() as proxy, talking(proxy) as talk:
        assert await talk.say(b"before") == b"before"
        async with injected(kit.blackhole(proxy), mesh, RNG):
            saying = asyncio.create_task(talk.say(b"during"))
            async with asyncio.timeout(10):
                while proxy.counts.held == 0:
                    await asyncio.sleep(0.01)
            assert not saying.done()
        assert await saying == b"during"


async def test_streams_that_are_cut_end_with_a_reset_and_new_ones_pass(mesh: MeshView):
    async with before_an_echo() as proxy, talking(proxy) as talk:
        assert await talk.say(b"before") == b"before"
        async with injected(kit.Cut(proxy), mesh, RNG):
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await talk.say(b"after")
        async with talking(proxy) as another:
            assert await another.say(b"again") == b"again"


async def test_a_stream_is_reset_after_so_many_bytes(mesh: MeshView):
    async with before_an_echo() as proxy, talking(proxy) as talk:
        async with injected(kit.reset_after(proxy, 15), mesh, RNG):
            assert await talk.say(b"short") == b"short"
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await talk.say(b"too long for it")
        assert (proxy.counts.reset, proxy.counts.forwarded) == (1, 15)


async def test_refused_connections_are_closed_at_once(mesh: MeshView):
    async with before_an_echo() as proxy:
        async with injected(kit.refuse(proxy), mesh, RNG):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                async with talking(proxy) as talk:
                    await talk.say(b"hello")
        assert proxy.counts.refused == 1


async def test_a_fault_that_met_nobody_is_void(mesh: MeshView):
    async with before_an_echo() as proxy:
        for fault in (
            kit.delay(proxy, 1),
            kit.blackhole(proxy),
            kit.refuse(proxy),
            kit.Cut(proxy),
        ):
            with pytest.raises(FaultVoid):
                async with injected(fault, mesh, RNG):
                    pass
