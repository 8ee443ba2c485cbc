"""What a connection takes of a service's answer, byte by byte."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from snowcave.functions.connections import Connections, Reply, TooLarge, open_connections
from snowcave.functions.settings import HttpSettings

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def answering(*parts: bytes) -> AsyncGenerator[Callable[[], "asyncio.Task[Reply]"]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def ask(connections: Connections) -> Reply:
        return await connections.exchange("127.0.0.1", port, HEAD, b"")

    async with (
        server,
        asyncio.timeout(60),
        open_connections(HttpSettings(), 1 << 20) as connections,
    ):
        yield lambda: asyncio.create_task(ask(connections))


async def test_a_head_that_does_not_end_is_not_read_on():
    line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
    async with answering(b"HTTP/1.1 200 OK\r\n", *[line * 10] * 1000) as ask:
        with pytest.raises(TooLarge, match="head of the response is larger than 65536 bytes"):
            await ask()


async def test_neither_are_trailers():
    line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
    async with answering(CHUNKED, b"1\r\na\r\n0\r\n", *[line * 10] * 1000) as ask:
        with pytest.raises(TooLarge, match="head"):
            await ask()


async def test_the_smallest_chunks_are_no_head():
    body = b"1\r\na\r\n" * 200_000
    async with answering(CHUNKED, body, b"0\r\n\r\n") as ask:
        assert (await ask()).body == b"a" * 200_000


async def test_a_connection_is_used_again_and_closed_when_nobody_does():
    opened = closed = 0
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    is_closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, closed
        opened += 1
        with suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
        closed += 1
        writer.close()
        is_closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = HttpSettings(keep_alive=0.2)
    async with server, asyncio.timeout(60), open_connections(settings, 1 << 20) as connections:
        for _ in range(3):
            assert (await connections.exchange("127.0.0.1", port, HEAD, b"")).body == b"ok"
        await is_closed.wait()
        assert (opened, closed) == (1, 1)
        assert (await connections.exchange("127.0.0.1", port, HEAD, b"")).body == b"ok"
        assert opened == 2
