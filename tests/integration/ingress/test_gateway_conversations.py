"""One conversation at the gateway must not hurt another: pipelining, backpressure, reuse, ends."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from snowcave.ingress.settings import Deadlines, IngressSettings
from tests.kit.gateway import echo_head, gateway_settings, get, read_head, stage


def _transport(writer: asyncio.StreamWriter) -> asyncio.Transport:
    return cast(asyncio.Transport, writer.transport)


@pytest.fixture
def settings(tmp_path: Path) -> IngressSettings:
    return gateway_settings(tmp_path)


async def test_headers_named_hop_by_hop_do_not_turn_a_body_into_a_request(
    settings: IngressSettings,
):
    heads: list[bytes] = []

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await read_head(reader):
            heads.append(head)
            body = b"\r\ncontent-length: " in head.lower() and await reader.readexactly(40)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            assert body

    raw = get(method="POST", extra="Content-Length: 40\r\n")
    raw = raw.replace(b"Connection: close", b"Connection: close, content-length")
    hidden = b"GET / HTTP/1.1\r\nSf-Context-Current-User: x"[:36] + b"\r\n\r\n"
    async with stage(settings, backend) as s:
        assert (await s.ask(raw + hidden)).startswith(b"HTTP/1.1 200 ")
    assert len(heads) == 1


async def test_a_connection_that_owes_half_a_request_is_not_used_again(settings: IngressSettings):
    """Else the next user's request would be read as the rest of this body."""
    connections = 0

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read()

    async with stage(settings, hasty) as s:
        early = get(method="POST", extra="Content-Length: 1000\r\n") + b"only the beginning"
        assert (await s.ask(early)).endswith(b"ok")
        assert (await s.ask(get())).endswith(b"ok")
    assert connections == 2


async def test_an_answer_too_many_reaches_nobody(settings: IngressSettings):
    connections = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await read_head(reader):
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
            writer.write(answer + b"right" + answer + b"wrong")

    async with stage(settings, twice) as s:
        for _ in range(3):
            answer = await s.ask(get())
            assert answer.endswith(b"right")
            assert b"wrong" not in answer
    assert connections == 3


async def test_an_offer_of_another_protocol_is_not_passed_on(settings: IngressSettings):
    """Behind h2c there would be requests whose headers nobody has looked at."""
    async with stage(settings, echo_head) as s:
        raw = get(extra="Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")
        raw = raw.replace(b"Connection: close", b"Connection: Upgrade, HTTP2-Settings")
        answer = await s.ask(raw)
    head, _, seen = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in head
    assert b"upgrade" not in seen.lower()
    assert b"http2-settings" not in seen.lower()


async def test_an_instance_cannot_switch_protocols_by_itself(settings: IngressSettings):
    async def switches(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")

    async with stage(settings, switches) as s:
        assert (await s.ask(get())).startswith(b"HTTP/1.1 502 ")


async def test_a_kept_connection_is_read_again_after_a_slow_client(settings: IngressSettings):
    """The last piece of an answer may pause the instance; nobody would wake it."""
    size = 4 << 20
    connections = 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await read_head(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size)
            await writer.drain()

    async with stage(settings, send) as s:
        for _ in range(3):
            reader, writer = await s.open()
            kept = get().replace(b"Connection: close\r\n", b"")
            writer.write(kept + get())
            async with asyncio.timeout(20):
                # Two answers on one connection, the client slower than the instance.
                assert (await reader.read()).count(b"z") == 2 * size
            writer.close()


async def test_a_client_that_takes_no_answers_gets_no_more_of_them(settings: IngressSettings):
    size, answered = 1 << 20, 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await read_head(reader):
            answered += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size)
            await writer.drain()

    many = 32
    async with stage(settings, send) as s:
        reader, writer = await s.open()
        _transport(writer).pause_reading()
        writer.write(get().replace(b"Connection: close\r\n", b"") * many + get())
        while answered == 0:
            await asyncio.sleep(0.01)
        # Whoever else asks is served meanwhile; the silent client's later requests wait.
        for _ in range(3):
            assert (await s.ask(get())).count(b"z") == size
        assert answered - 3 < many
        _transport(writer).resume_reading()
        async with asyncio.timeout(20):
            assert (await reader.read()).count(b"z") == (many + 1) * size
        writer.close()


async def test_an_upload_to_an_instance_that_does_not_read_is_held_at_the_client(
    settings: IngressSettings,
):
    accepted = asyncio.Event()
    go_on = asyncio.Event()

    async def lazy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _transport(writer).pause_reading()
        accepted.set()
        await go_on.wait()
        _transport(writer).resume_reading()
        await read_head(reader)
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    size = 64 << 20
    async with stage(settings, lazy) as s:
        reader, writer = await s.open()
        writer.write(get(method="POST", extra=f"Content-Length: {size}\r\n"))
        pieces = 0

        async def pour() -> None:
            nonlocal pieces
            for _ in range(size >> 20):
                writer.write(b"x" * (1 << 20))
                await writer.drain()
                pieces += 1

        pouring = asyncio.create_task(pour())
        await accepted.wait()
        before = -1
        while before != pieces:  # until no more goes in
            before = pieces
            await asyncio.sleep(0.3)
        assert pieces < size >> 20
        go_on.set()
        async with asyncio.timeout(30):
            await pouring
            assert (await reader.read()).endswith(b"ok")
        writer.close()


async def test_an_early_answer_reaches_a_client_that_is_still_sending(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        reader, writer = await s.open()
        writer.write(get(method="POST", token="", extra="Content-Length: 9999999\r\n"))
        writer.write(b"x" * 300_000)
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_a_later_head_without_end_is_refused_too(settings: IngressSettings):
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with stage(settings, silent) as s:
        first = get().replace(b"Connection: close\r\n", b"")
        endless = b"GET / HTTP/1.1\r\nX: "
        reader, writer = await s.open()
        writer.write(first + endless)
        try:
            async with asyncio.timeout(20):
                while not reader.at_eof():
                    writer.write(b"y" * 65536)
                    await writer.drain()
                    await asyncio.sleep(0)
        except ConnectionError:
            pass
        writer.close()


async def test_a_burst_of_requests_on_one_connection_is_refused(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(get().replace(b"Connection: close\r\n", b"") * 200)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_form_that_never_comes_and_one_that_never_ends_are_refused(
    settings: IngressSettings,
):
    quick = replace(settings, deadlines=replace(Deadlines(), head=0.3))
    login = "/sfc-endpoint/login"
    async with stage(quick, echo_head) as s:
        slow = get(login, token="", method="POST", extra="Content-Length: 10\r\n")
        assert (await s.ask(slow + b"x")).startswith(b"HTTP/1.1 408 ")
        endless = get(login, token="", method="POST", extra="Transfer-Encoding: chunked\r\n")
        assert (await s.ask(endless + b"ffff\r\n" + b"x" * 20_000)).startswith(b"HTTP/1.1 413 ")


async def test_the_gateway_stops_at_once_after_a_handshake_that_failed(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        await s.ask(b"\x16\x03\x01\x00\x05hello")
        async with asyncio.timeout(60):
            assert (await s.ask(get())).startswith(b"HTTP/1.1 200 ")


async def test_an_open_answer_ends_before_the_gateway_stops(settings: IngressSettings):
    go_on = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        await go_on.wait()
        writer.write(b"lf")

    async with stage(settings, waits) as s:
        reader, writer = await s.open()
        writer.write(get().replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b"ha")
        asyncio.get_running_loop().call_later(0.2, go_on.set)
    async with asyncio.timeout(60):
        assert await reader.read() == b"lf"
    writer.close()


async def test_a_silent_websocket_ends(settings: IngressSettings):
    async def socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        assert await reader.read() == b""

    quick = replace(settings, deadlines=replace(Deadlines(), idle=0.3, head=0.2))
    async with stage(quick, socket) as s:
        raw = get(extra="Upgrade: websocket\r\n")
        reader, writer = await s.open()
        writer.write(raw.replace(b"Connection: close", b"Connection: Upgrade"))
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
