"""Garbage, huge and slow requests: a clear answer or a closed connection, and never a traceback."""

import asyncio
import gzip
import ssl
from pathlib import Path

import aiohttp
import pytest

from snowcave.api.settings import ApiSettings, HttpSettings
from snowcave.runtime.mesh import Mesh
from tests.kit.fronts import running_front
from tests.kit.protocol import client

LIMITED = ApiSettings(Mesh(), http=HttpSettings(max_body=10_000, receive=0.2, keep_alive=0.3))

BODIES = {
    "no JSON": b"{",
    "a list": b"[1]",
    "a number": b"1",
    "not UTF-8": b'{"data": "\xff"}',
    "broken gzip": b"\x1f\x8b garbage",
    "too much": b'{"data": "' + b"x" * 20_000 + b'"}',
    "a bomb": gzip.compress(b" " * 5_000_000),
    "wrong types": b'{"data": {"LOGIN_NAME": 1, "PASSWORD": []}}',
    "deep": b"[" * 9_000,
    "data is text": b'{"data": "x"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_bad_body_gets_a_clear_answer(tmp_path: Path, body: bytes) -> None:
    async with running_front(tmp_path, LIMITED) as front, client(front.url) as one:
        answer = await one.send("POST", "/session/v1/login-request", body)
        assert answer["success"] is False
        assert answer["status"] == 200
        assert answer["code"] == "390400"
        assert "Traceback" not in answer["message"]
        assert (await one.login(front.password))["success"]


async def test_unknown_paths_and_methods_are_told_in_json(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        assert (await one.get("/nowhere"))["status"] == 404
        assert (await one.get("/queries/v1/query-request"))["status"] == 405
        assert (await one.get("/"))["ok"] is True


@pytest.mark.parametrize("piece", ["0/0", "-1/5", "0/" + "9" * 5000, "٣/5", "1/x"])
async def test_a_piece_of_a_result_that_cannot_be_is_not_there(tmp_path: Path, piece: str) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        assert (await one.get(f"/results/some-query/{piece}/some-secret"))["status"] == 404


@pytest.mark.parametrize("limit", ["nan", -1, "soon", [], 1e400])
async def test_a_statement_timeout_that_is_none_counts_as_none(
    tmp_path: Path, limit: object
) -> None:
    async with running_front(tmp_path) as front, client(front.url) as one:
        await one.login(front.password)
        answer = await one.query("select 1", parameters={"STATEMENT_TIMEOUT_IN_SECONDS": limit})
        assert answer["success"] is True


async def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async with running_front(tmp_path, LIMITED) as front:
        head = (
            b"POST /session/v1/login-request HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        )
        answer = await _raw(front.port, head)
    assert b"390400" in answer


@pytest.mark.parametrize("sent", [b"", b"POST /session HTTP/1.1\r\nHost:"], ids=["none", "half"])
async def test_a_head_that_does_not_come_closes_the_connection(
    tmp_path: Path, sent: bytes
) -> None:
    async with running_front(tmp_path, LIMITED) as front:
        assert await _raw(front.port, sent) == b""


async def test_what_is_not_http_closes_the_connection(tmp_path: Path) -> None:
    async with running_front(tmp_path, LIMITED) as front:
        answer = await _raw(front.port, b"\x16\x03\x01\x00\x05hello\r\n\r\n")
        assert b"Traceback" not in answer
        async with client(front.url) as one:
            assert (await one.login(front.password))["success"]


async def test_the_tls_port_shows_a_certificate_of_our_authority(tmp_path: Path) -> None:
    async with running_front(tmp_path) as front:
        trust = ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem"))
        url = f"https://127.0.0.1:{front.mesh.port('api-tls')}/"
        inside = "snowflake.snowflakecomputing.internal"
        async with aiohttp.ClientSession() as http:
            for name in (None, inside):
                async with http.get(url, ssl=trust, server_hostname=name) as answer:
                    assert answer.status == 200


async def _raw(port: int, sent: bytes) -> bytes:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer
