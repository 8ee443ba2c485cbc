"""What the gateway does about identity, seen from a socket: cookies, limits, its page, what services hear."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.ingress.settings import IngressSettings, SignIn
from snowcave.model.errors import Unavailable
from tests.kit import gateway
from tests.kit.gateway import HOST, echo_head, gateway_settings, get, stage

ROOT = b"Host: localhost:8402"
LOGIN = "/sfc-endpoint/login"


@pytest.fixture
def settings(tmp_path: Path) -> IngressSettings:
    return gateway_settings(tmp_path)


def at_root(raw: bytes) -> bytes:
    return raw.replace(f"Host: {HOST}:8402".encode(), ROOT)


def sign_in(password: str, csrf: str = "abc", extra: str = "") -> bytes:
    body = f"csrf={csrf}&next=/&user=u&password={password}"
    headers = (
        f"Cookie: snowcave-ingress-csrf=abc\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n{extra}"
    )
    return get(LOGIN, token="", method="POST", extra=headers) + body.encode()


async def test_a_cookie_that_came_in_the_clear_may_go_in_the_clear(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(sign_in("right"))
    assert b"303 See Other" in answer
    (cookie,) = [line for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie")]
    assert b"HttpOnly; SameSite=Lax; Path=/" in cookie
    assert b"Secure" not in cookie


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://other.localhost:8402"])
async def test_a_form_of_another_page_signs_nobody_in(settings: IngressSettings, origin: str):
    """Even where it has planted its own cookie."""
    async with stage(settings, echo_head) as s:
        answer = await s.ask(sign_in("right", extra=f"Origin: {origin}\r\n"))
        own = await s.ask(sign_in("right", extra=f"Origin: http://{HOST}:8402\r\n"))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"snowcave-ingress-auth" not in answer
    assert own.startswith(b"HTTP/1.1 303 ")


async def test_who_tries_too_often_has_to_wait(settings: IngressSettings):
    limited = replace(settings, sign_in=SignIn(attempts=3, window=3600.0))
    async with stage(limited, echo_head) as s:
        for _ in range(3):
            assert (await s.ask(sign_in("wrong"))).startswith(b"HTTP/1.1 401 ")
        refused = await s.ask(sign_in("right"))
        assert refused.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: 1200\r\n" in refused
        # Who is signed in goes on.
        assert (await s.ask(get())).startswith(b"HTTP/1.1 200 ")


async def test_a_service_that_acts_as_its_caller_gets_their_token_and_others_none(
    settings: IngressSettings,
):
    lie = "Sf-Context-Current-User-Token: forged\r\nSf_Context_Current_User_Token: forged\r\n"
    async with stage(settings, echo_head) as s:
        s.routes.route = replace(s.routes.route, as_caller=True)
        answer = (await s.ask(get(extra=lie))).lower()
    assert b"sf-context-current-user-token: owner-at-7\r\n" in answer
    assert b"forged" not in answer


async def test_other_services_get_no_token_of_their_caller(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        lie = "Sf-Context-Current-User-Token: forged\r\nSf-Context-Current-User-Email: forged\r\n"
        answer = (await s.ask(get(extra=lie))).lower()
    assert b"current-user-token" not in answer
    assert b"current-user-email" not in answer


async def test_the_email_is_told_where_the_setting_says_so(settings: IngressSettings):
    async with stage(replace(settings, email_header=True), echo_head) as s:
        answer = await s.ask(get())
    assert b"Sf-Context-Current-User-Email: owner@example.test\r\n" in answer


async def test_the_domain_itself_has_a_page_with_the_way_to_sign_in(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        page = await s.ask(at_root(get(token="")))
        assert page.startswith(b"HTTP/1.1 200 ")
        assert b"/sfc-endpoint/login?next=/" in page
        assert b"default-src 'none'" in page
        assert HOST.encode() not in page
        assert (await s.ask(at_root(get("/other", token="")))).startswith(b"HTTP/1.1 404 ")
        for method in ("POST", "TRACE"):
            refused = await s.ask(at_root(get(token="", method=method)))
            assert refused.startswith(b"HTTP/1.1 405 ")


async def test_the_page_shows_those_endpoints_that_one_may_open(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        for token, listed in (("owner", True), ("grantee", True), ("stranger", False)):
            page = await s.ask(at_root(get(token=token)))
            assert (f"http://{HOST}:".encode() in page) == listed, token
            assert token.upper().encode() in page
        assert b"Sign in" in await s.ask(at_root(get(token="old")))


async def test_a_cookie_that_came_over_tls_goes_back_over_tls_alone(settings: IngressSettings):
    port = settings.mesh.port("ingress")
    trusting = ssl.create_default_context(cafile=settings.mesh.folder("tls") / "ca.pem")
    async with stage(settings, echo_head):
        answers: list[bytes] = []
        for raw in (get(LOGIN, token=""), sign_in("right"), get("/sfc-endpoint/logout", token="")):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=trusting, server_hostname=HOST
            )
            writer.write(raw)
            async with asyncio.timeout(20):
                answers.append(await reader.read())
            writer.close()
    for answer in answers:
        cookies = [line for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie")]
        assert len(cookies) == 1
        assert cookies[0].endswith(b"; Secure")


async def test_who_may_not_is_told_of_once_however_often_they_ask(
    settings: IngressSettings, capsys: pytest.CaptureFixture[str]
):
    async with stage(settings, echo_head) as s:
        for _ in range(5):
            assert (await s.ask(get(token="stranger"))).startswith(b"HTTP/1.1 403 ")
    said = capsys.readouterr().out
    assert said.count("endpoint_refused") == 1
    assert "stranger" not in said, "their token is no word for a log"


async def test_without_the_api_nobody_is_acted_for_but_who_was_a_moment_ago(
    settings: IngressSettings, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> tuple[str, float]:
        raise Unavailable("The api does not answer.")

    async with stage(settings, echo_head) as s:
        s.routes.route = replace(s.routes.route, as_caller=True)
        assert (await s.ask(get())).startswith(b"HTTP/1.1 200 ")
        monkeypatch.setattr(gateway.Sessions, "caller_token", away)
        assert b"Current-User-Token: owner-at-7\r\n" in await s.ask(get())
        assert (await s.ask(get(token="grantee"))).startswith(b"HTTP/1.1 503 ")
        s.routes.route = replace(s.routes.route, as_caller=False)
        s.routes.generation += 1
        assert (await s.ask(get(token="grantee"))).startswith(b"HTTP/1.1 200 ")
