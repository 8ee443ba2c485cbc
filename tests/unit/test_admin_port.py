"""The admin port, as far as it does not depend on a daemon."""

import asyncio
import gc
import logging
from contextlib import suppress

import pytest
from aiohttp.http_exceptions import HttpProcessingError

from snowcave.runtime import admin
from snowcave.runtime.daemon import Health
from tests.kit.ports import free_port


async def test_half_a_request_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admin, "_KEEP_ALIVE", 0.2)
    port = free_port()
    async with admin.serve_admin("127.0.0.1", port, Health()):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_nothing_is_kept_of_a_request_that_cannot_be_parsed(
    caplog: pytest.LogCaptureFixture,
):
    """Without the collector: what it would have to find has stayed too long already."""
    # The fixture keeps what it sees, failures too.
    caplog.set_level(logging.CRITICAL + 1, "aiohttp.server")
    port = free_port()
    async with admin.serve_admin("127.0.0.1", port, Health()):
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                assert (await answer_to(port, b"GET /" + b"a" * (4 << 20))).startswith(
                    b"HTTP/1.0 400"
                )
            kept = [one for one in gc.get_objects() if isinstance(one, HttpProcessingError)]
            assert kept == []
        finally:
            gc.enable()


async def answer_to(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = b""
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            answer = await reader.read(1000)
            # Until the server is done with it, too.
            await reader.read()
    writer.transport.abort()
    return answer
