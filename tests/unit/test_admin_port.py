"""The admin port, as far as it does not depend on a daemon."""

import asyncio
import socket

from snowcave.runtime import admin
from snowcave.runtime.daemon import Health


async def test_half_a_request_is_cut(monkeypatch):
    monkeypatch.setattr(admin, "_KEEP_ALIVE", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with admin.serve_admin("127.0.0.1", port, Health()):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()
