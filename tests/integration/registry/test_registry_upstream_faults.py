"""The proxy before an upstream that is slow, overrun, broken, guarded or away."""

import asyncio
import base64
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from snowcave.registry.settings import RegistrySettings, Upstream
from tests.kit.registries import basic, digest_of, running_registry

HERE = "/v2/tutorial_db/data_schema/tutorial_repository/echo"
WRITER = basic("writer")
Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Stage:
    """An upstream that does what a test says, and our registry before it."""

    http: ClientSession
    seen: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])


@asynccontextmanager
async def staged(
    settings: RegistrySettings, answer: Answer, /, **upstream: object
) -> AsyncGenerator[Stage]:
    seen: list[web.BaseRequest] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return await answer(request)

    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    chosen = Upstream(url=f"http://127.0.0.1:{port}")
    settings = replace(settings, backend="proxy", upstream=replace(chosen, **upstream))  # type: ignore[arg-type]
    try:
        async with (
            running_registry(settings) as registry,
            ClientSession(registry.url, timeout=ClientTimeout(total=10)) as http,
        ):
            yield Stage(http, seen)
    finally:
        await runner.cleanup()


async def refusal(stage: Stage, method: str, what: str, **more: object) -> tuple[int, str, str]:
    async with stage.http.request(method, HERE + what, headers=WRITER, **more) as response:  # type: ignore[arg-type]
        error = (await response.json())["errors"][0]
        return response.status, error["code"], error["message"]


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_broken_upstream_is_503_with_a_text(
    settings: RegistrySettings, status: int, method: str
):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text="<html>a page of some balancer</html>")

    manifest = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}'
    async with staged(settings, answer) as stage:
        got = await refusal(stage, method, "/manifests/v1", data=manifest)
    assert got == (503, "UNAVAILABLE", f"the upstream registry answered {status}")


async def test_an_upstream_that_is_away_is_503_and_the_registry_lives(settings: RegistrySettings):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response()

    async with staged(settings, answer, url="http://127.0.0.1:1") as stage:
        status, code, text = await refusal(stage, "GET", "/manifests/v1")
        assert (status, code) == (503, "UNAVAILABLE")
        assert text.startswith("the upstream registry does not answer")
        async with stage.http.get("/v2/", headers=WRITER) as response:
            assert response.status == 200


async def test_an_upstream_that_is_slow_is_504(settings: RegistrySettings):
    async def answer(_request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with staged(settings, answer, answer=0.5) as stage:
        got = await refusal(stage, "GET", "/manifests/v1")
    assert got == (504, "UNAVAILABLE", "the upstream registry did not answer in time")


async def test_an_upstream_that_stops_taking_bytes_is_504(settings: RegistrySettings):
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": "/v2/u/blobs/uploads/1"})
        await asyncio.sleep(5)
        return web.Response(status=202)

    async with staged(settings, answer, answer=0.5) as stage:
        what = f"/blobs/uploads/?digest={digest_of(b'')}"

        async def body():
            for _ in range(64):
                yield os.urandom(1 << 20)

        status, code, _ = await refusal(stage, "POST", what, data=body())
    assert (status, code) == (504, "UNAVAILABLE")


async def test_an_overrun_upstream_says_when_to_come_again(settings: RegistrySettings):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    async with (
        staged(settings, answer) as stage,
        stage.http.get(f"{HERE}/manifests/v1", headers=WRITER) as response,
    ):
        assert response.status == 429
        assert response.headers["Retry-After"] == "7"
        assert (await response.json())["errors"][0]["code"] == "TOOMANYREQUESTS"


async def test_a_blob_that_the_upstream_cuts_short_is_cut_for_the_client_too(
    settings: RegistrySettings,
):
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000000"})
        await response.prepare(request)
        if request.method == "GET":
            await response.write(b"x" * 1000)
            assert request.transport is not None
            request.transport.abort()
        return response

    async with (
        staged(settings, answer) as stage,
        stage.http.get(f"{HERE}/blobs/{digest_of(b'?')}", headers=WRITER) as response,
    ):
        assert response.status == 200
        with pytest.raises(ClientError):
            await response.read()


async def test_the_upstreams_token_is_fetched_once_and_its_password_is_ours(
    settings: RegistrySettings,
):
    logins: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/token":
            logins.append(request.headers["Authorization"])
            assert request.query["service"] == "up"
            assert request.query["scope"].startswith("repository:r3/echo:pull")
            return web.json_response({"token": "let-me-in", "expires_in": 300})
        if request.headers.get("Authorization") != "Bearer let-me-in":
            realm = f"http://{request.host}/token"
            challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="up"'}
            return web.Response(status=401, headers=challenge)
        return web.json_response({"name": "x", "tags": ["b", "a"]})

    async with staged(settings, answer, username="us", password="secret") as stage:
        for _ in range(3):
            async with stage.http.get(f"{HERE}/tags/list", headers=WRITER) as response:
                assert (await response.json())["tags"] == ["a", "b"]
    assert logins == ["Basic " + base64.b64encode(b"us:secret").decode()]
    # Our client's credentials are for us alone.
    assert all(r.headers.get("Authorization") != WRITER["Authorization"] for r in stage.seen)


@pytest.mark.parametrize("challenge", ["", "Basic realm=x", "Bearer", 'Bearer realm="http://["'])
async def test_an_upstream_that_lets_us_not_in_is_503(settings: RegistrySettings, challenge: str):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with staged(settings, answer) as stage:
        status, code, text = await refusal(stage, "GET", "/manifests/v1")
    assert (status, code) == (503, "UNAVAILABLE")
    assert "upstream" in text


async def test_an_upstream_that_gives_other_bytes_than_the_digest_is_found_out(
    settings: RegistrySettings,
):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=b"{}", content_type="application/vnd.oci.image.index.v1+json")

    async with staged(settings, answer) as stage:
        status, _, text = await refusal(stage, "GET", f"/manifests/{digest_of(b'right')}")
    assert status >= 400
    assert "upstream" in text


async def test_an_uploads_address_cannot_be_made_up(settings: RegistrySettings):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=202, headers={"Location": "/v2/u/blobs/uploads/1"})

    async with staged(settings, answer) as stage:
        forged = base64.urlsafe_b64encode(b'{"l":"http://169.254.169.254/"}').decode()
        what = f"/blobs/uploads/{'0' * 32}?_state={forged}.{forged}"
        got = await refusal(stage, "PATCH", what, data=b"x")
        assert got[:2] == (404, "BLOB_UPLOAD_UNKNOWN")
        assert stage.seen == []


@pytest.mark.parametrize("leaves", [405, 500])
async def test_an_upstream_that_cannot_abandon_an_upload_stops_no_push(
    settings: RegistrySettings, leaves: int
):
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": "/v2/u/blobs/uploads/1"})
        return web.Response(status=leaves)

    digest, source = digest_of(b"x"), HERE.removeprefix("/v2/").replace("/echo", "/other")
    async with staged(settings, answer) as stage:
        where = f"{HERE}/blobs/uploads/?mount={digest}&from={source}"
        async with stage.http.post(where, headers=WRITER) as response:
            assert response.status == 202
    assert "DELETE" in [request.method for request in stage.seen]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b'{"tags":null}', 200),
        (b'{"tags":["a",7]}', 200),
        (b"[]", 503),
        (b"<html>", 503),
    ],
)
async def test_an_upstreams_list_of_tags_is_not_taken_at_its_word(
    settings: RegistrySettings, said: bytes, status: int
):
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=said, content_type="application/json")

    async with (
        staged(settings, answer) as stage,
        stage.http.get(f"{HERE}/tags/list", headers=WRITER) as response,
    ):
        assert response.status == status
