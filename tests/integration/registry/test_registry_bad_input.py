"""Garbage, slow clients and too much of everything: a clear answer or a closed connection."""

import asyncio
import os

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY

from tests.kit.registries import Registry, basic, digest_of

UPLOADS = "/v2/tutorial_db/data_schema/tutorial_repository/echo/blobs/uploads/"
WRITER = basic("writer")


async def talk(registry: Registry, said: bytes) -> bytes:
    """All that is answered until the registry closes, which it does by itself."""
    reader, writer = await asyncio.open_connection(registry.host, registry.port)
    try:
        writer.write(said)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "said",
    [
        os.urandom(4096),
        b"\x00" * 100,
        b"\x16\x03\x01\x00\x05hello",
        b"\x16",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA" + b"a" * 100_000 + b": b\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET /v2/",
        b"",
    ],
    ids=range(11),
)
async def test_garbage_is_answered_with_400_or_a_closed_connection(
    registry: Registry, http: ClientSession, said: bytes
):
    answer = await talk(registry, said)
    # 0x15 is a TLS alert.
    assert answer[:1] in (b"", b"\x15") or answer[8:12] == b" 400"
    assert b"Traceback" not in answer
    async with http.get("/v2/", headers=WRITER) as response:
        assert response.status == 200


async def test_a_client_that_stops_sending_is_cut_off_and_may_resume(
    registry: Registry, http: ClientSession
):
    content = os.urandom(200_000)
    async with http.post(UPLOADS, headers=WRITER) as response:
        location = response.headers["Location"]
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        f"Authorization: {WRITER['Authorization']}\r\n\r\n"
    )
    answer = await talk(registry, head.encode() + content[:150_000])
    assert answer.startswith(b"HTTP/1.1 408")
    async with http.get(location, headers=WRITER) as response:
        received = int(response.headers["Range"].partition("-")[2]) + 1
    # Whole chunks of what was sent are there.
    assert 64 << 10 <= received <= 150_000
    headers = {**WRITER, "Content-Range": f"{received}-{len(content) - 1}"}
    async with http.patch(location, data=content[received:], headers=headers) as response:
        assert response.status == 202
    async with http.put(f"{location}?digest={digest_of(content)}", headers=WRITER) as response:
        assert response.status == 201


async def test_more_uploads_than_allowed_are_told_to_come_again(
    registry: Registry, http: ClientSession
):
    held = asyncio.Event()

    async def body():
        yield b"x"
        await held.wait()

    locations: list[str] = []
    for _ in range(4):
        async with http.post(UPLOADS, headers=WRITER) as response:
            locations.append(response.headers["Location"])

    async def send(location: str) -> int:
        async with http.patch(location, data=body(), headers=WRITER) as response:
            return response.status

    sending = [asyncio.create_task(send(location)) for location in locations]
    async with asyncio.timeout(10):
        while REGISTRY.get_sample_value("snowcave_registry_uploads") != 4:
            await asyncio.sleep(0)
    async with http.post(UPLOADS, headers=WRITER) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "1"
    held.set()
    assert await asyncio.gather(*sending) == [202] * 4
    async with http.post(UPLOADS, headers=WRITER) as response:
        assert response.status == 202


async def test_a_length_that_is_not_the_ranges_is_refused(http: ClientSession):
    async with http.post(UPLOADS, headers=WRITER) as response:
        location = response.headers["Location"]
    headers = {**WRITER, "Content-Range": "0-99"}
    async with http.patch(location, data=b"short", headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["errors"][0]["code"] == "SIZE_INVALID"


async def test_a_blob_larger_than_allowed_is_refused_before_it_is_sent(
    registry: Registry, http: ClientSession
):
    async with http.post(UPLOADS, headers=WRITER) as response:
        location = response.headers["Location"]
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 50}\r\n"
        f"Authorization: {WRITER['Authorization']}\r\n\r\n"
    )
    assert (await talk(registry, head.encode())).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "authorization",
    ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Digest x", "Bearer", "Bearer x.y", "x" * 9000],
)
async def test_a_credential_that_cannot_be_read_is_refused(
    http: ClientSession, authorization: str
):
    async with http.get("/v2/", headers={"Authorization": authorization}) as response:
        assert response.status == 401
        assert (await response.json())["errors"][0]["code"] == "UNAUTHORIZED"


async def test_a_host_header_is_not_echoed_into_the_challenge(registry: Registry):
    said = b'GET /v2/ HTTP/1.1\r\nHost: evil"x\r\nConnection: close\r\n\r\n'
    answer = await talk(registry, said)
    assert answer[8:12] in (b" 401", b" 400")
    assert b"evil" not in answer


async def test_a_client_that_asks_first_is_told_to_send(registry: Registry, http: ClientSession):
    where = f"{UPLOADS}?digest={digest_of(b'content')}"
    headers = {**WRITER, "Content-Length": "7"}
    async with http.post(where, data=b"content", expect100=True, headers=headers) as response:
        assert response.status == 201
    said = f"POST {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n"
    answer = await talk(registry, said.encode())
    assert answer[8:12] == b" 401"
