"""The gateway between real sockets: what reaches an instance, what reaches the client, what never does."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.ingress.settings import Deadlines, IngressSettings
from tests.kit.gateway import HOST, echo_head, gateway_settings, get, read_head, stage


@pytest.fixture
def settings(tmp_path: Path) -> IngressSettings:
    return gateway_settings(tmp_path)


async def test_a_request_arrives_with_its_user_and_without_its_credential(
    settings: IngressSettings,
):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(
            get("/path?q=1", extra="Sf-Context-Current-User: ROOT\r\nX-Own: yes\r\n")
        )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    seen = answer.partition(b"\r\n\r\n")[2]
    assert seen.startswith(b"GET /path?q=1 HTTP/1.1\r\n")
    assert b"Sf-Context-Current-User: OWNER\r\n" in seen
    assert b"ROOT" not in seen
    assert b"Snowflake Token" not in seen
    assert b"X-Own: yes\r\n" in seen


async def test_telltale_and_cors_headers_of_the_service_are_removed(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        head = (await s.ask(get())).partition(b"\r\n\r\n")[0]
    assert b"secret" not in head
    assert b"Access-Control" not in head
    assert b"X-Frame-Options: DENY" in head


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("owner", 200),
        ("grantee", 200),
        ("stranger", 403),
        ("", 401),
        ("x", 401),
        ("old", 401),
        ("dark", 503),
    ],
)
async def test_only_who_may_use_the_endpoint_gets_through(
    settings: IngressSettings, token: str, status: int
):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(get(token=token))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


async def test_a_person_without_a_session_is_sent_to_the_login_page(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(get("/ui?x=1", token="", extra="Accept: text/html\r\n"))
    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"Location: /sfc-endpoint/login?next=%2Fui%3Fx%3D1\r\n" in answer


async def test_signing_in_sets_a_session_cookie_that_the_service_never_sees(
    settings: IngressSettings,
):
    async with stage(settings, echo_head) as s:
        page = await s.ask(get("/sfc-endpoint/login?next=/ui", token=""))
        csrf = page.partition(b"snowcave-ingress-csrf=")[2].partition(b";")[0]
        form = b"csrf=" + csrf + b"&next=/ui&user=u&password=right"
        answer = await s.ask(_post(form, csrf))
        assert answer.startswith(b"HTTP/1.1 303 ")
        assert b"Location: /ui\r\n" in answer
        assert b"HttpOnly; SameSite=Lax" in answer
        cookie = "Cookie: a=1; snowcave-ingress-auth=owner; b=2\r\n"
        seen = (await s.ask(get(token="", extra=cookie))).partition(b"\r\n\r\n")[2]
    assert b"Cookie: a=1; b=2\r\n" in seen


@pytest.mark.parametrize("kept", [b"", b"other"])
async def test_a_login_form_of_another_site_is_refused(settings: IngressSettings, kept: bytes):
    async with stage(settings, echo_head) as s:
        answer = await s.ask(_post(b"csrf=forged&user=u&password=right", kept))
    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_the_login_page_sends_nobody_to_another_site(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        page = await s.ask(get("/sfc-endpoint/login?next=//evil.example/", token=""))
    assert b"evil" not in page


def _post(form: bytes, csrf: bytes) -> bytes:
    return (
        b"POST /sfc-endpoint/login HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n"
        b"Cookie: snowcave-ingress-csrf=" + csrf + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n" % len(form) + form
    )


async def test_a_service_that_is_not_ready_gets_no_traffic(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        s.routes.ready = False
        answer = await s.ask(get())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 2\r\n" in answer
    assert b"Service ECHO is not ready" in answer


async def test_unknown_hosts_and_blocked_methods_are_refused(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        other = get().replace(HOST.encode(), b"other.localhost")
        assert (await s.ask(other)).startswith(b"HTTP/1.1 404 ")
        assert (await s.ask(get(method="TRACE"))).startswith(b"HTTP/1.1 405 ")


async def count_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with the size of a chunked or measured body."""
    head = await read_head(reader)
    size = 0
    if b"chunked" in head:
        while length := int((await reader.readline()).strip(), 16):
            size += len(await reader.readexactly(length))
            await reader.readline()
    else:
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while size < length:
            size += len(await reader.read(65536))
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    text = str(size).encode()
    writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    await writer.drain()


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Connection: close"])
async def test_each_event_arrives_before_the_next_is_sent(settings: IngressSettings, framing: str):
    seen = asyncio.Event()

    async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n\r\n"
        writer.write(head.encode())
        for number in range(3):
            event = b"data: %d\n\n" % number
            chunked = framing.endswith("chunked")
            writer.write(b"%x\r\n%s\r\n" % (len(event), event) if chunked else event)
            await seen.wait()
            seen.clear()
        writer.write(b"0\r\n\r\n" if framing.endswith("chunked") else b"")

    async with stage(settings, events) as s:
        reader, writer = await s.open()
        writer.write(get())
        async with asyncio.timeout(20):
            for number in range(3):
                assert b"data: %d" % number in await reader.readuntil(b"\n\n")
                seen.set()
            assert (await reader.read()).strip() in (b"", b"0")
        writer.close()


@pytest.mark.parametrize("chunked", [True, False])
async def test_large_bodies_are_streamed_up(settings: IngressSettings, chunked: bool):
    size = 8 << 20
    extra = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n"
    piece = b"x" * 65536
    async with stage(settings, count_body) as s:
        reader, writer = await s.open()
        writer.write(get(method="POST", extra=extra))
        for _ in range(size // len(piece)):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert str(size).encode() in answer


async def test_large_answers_are_streamed_down_to_a_slow_reader(settings: IngressSettings):
    size = 8 << 20
    sent = 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(b"y" * 65536)
            await writer.drain()
            sent += 65536

    async with stage(settings, send) as s:
        reader, writer = await s.open()
        writer.write(get())
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(20):
            body = await reader.read()
        writer.close()
    assert len(body) == size


async def test_several_requests_share_a_connection_and_are_answered_in_order(
    settings: IngressSettings,
):
    async with stage(settings, echo_head) as s:
        kept = get("/1").replace(b"Connection: close\r\n", b"")
        kept2 = get("/2").replace(b"Connection: close\r\n", b"")
        answer = await s.ask(kept + kept2 + get("/3"))
    bodies = [part for part in answer.split(b"HTTP/1.1 200 OK") if part]
    assert len(bodies) == 3
    assert [b"GET /%d " % n in body for n, body in enumerate(bodies, 1)] == [True] * 3


SMUGGLING = {
    "both lengths": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n",
    "odd length": "Content-Length: +5\r\n",
    "odd encoding": "Transfer-Encoding: xchunked\r\n",
    "folded header": "X-A: b\r\n Transfer-Encoding: chunked\r\n",
    "space before colon": "Transfer-Encoding : chunked\r\n",
}


@pytest.mark.parametrize("extra", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_ambiguous_requests_are_refused_and_end_the_connection(
    settings: IngressSettings, extra: str
):
    reached = 0

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        while await read_head(reader):
            reached += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with stage(settings, backend) as s:
        raw = (
            get(method="POST", extra=extra) + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        answer = await s.ask(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.1 200" not in answer
    assert reached == 0


async def test_two_hosts_are_refused(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        assert (await s.ask(get(extra="Host: other\r\n"))).startswith(b"HTTP/1.1 400 ")


async def test_garbage_gets_a_clear_error_and_a_closed_connection(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        for garbage in (
            b"\0\xff" * 500,
            b"SSH-2.0-x\r\n\r\n",
            b"GET\r\n\r\n",
            b"\r\n" * 10 + b"\x01\r\n\r\n",
        ):
            assert (await s.ask(garbage)).startswith(b"HTTP/1.1 400 ")
        huge = b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * (1 << 17)
        assert b" 431 " in (await s.ask(huge))[:20]


async def test_a_slow_head_ends(settings: IngressSettings):
    quick = replace(settings, deadlines=replace(Deadlines(), head=0.3))
    async with stage(quick, echo_head) as s:
        assert (await s.ask(b"GET / HTTP/1.1\r\nHost:")).startswith(b"HTTP/1.1 408 ")
        assert await s.ask(b"") == b""


async def test_an_idle_exchange_ends(settings: IngressSettings):
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    quick = replace(settings, deadlines=replace(Deadlines(), idle=0.3, head=0.2))
    async with stage(quick, silent) as s:
        assert (await s.ask(get())).startswith(b"HTTP/1.1 504 ")


async def test_an_instance_that_dies_in_its_answer_is_seen_by_the_client(
    settings: IngressSettings,
):
    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()

    async with stage(settings, dies) as s:
        reader, writer = await s.open()
        writer.write(get())
        try:
            async with asyncio.timeout(20):
                answer = await reader.read()
        except ConnectionResetError:
            answer = b""
        writer.close()
    assert b"Content-Length: 100" not in answer or not answer.endswith(b"x" * 100)


async def test_an_instance_that_closes_without_an_answer_gives_502(settings: IngressSettings):
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)

    async with stage(settings, closes) as s:
        assert (await s.ask(get())).startswith(b"HTTP/1.1 502 ")


async def test_a_connection_that_went_stale_is_replaced_for_a_repeatable_request(
    settings: IngressSettings,
):
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await read_head(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await read_head(reader)  # the second request of this connection gets no answer

    async with stage(settings, once) as s:
        assert (await s.ask(get())).endswith(b"ok")
        assert (await s.ask(get())).endswith(b"ok")
    assert served == 2


async def test_executable_answers_are_refused(settings: IngressSettings):
    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-sh\r\nContent-Length: 2\r\n\r\nrm"
        )

    async with stage(settings, program) as s:
        answer = await s.ask(get())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\n\r\nrm" not in answer


async def test_head_requests_get_no_body_and_keep_the_length(settings: IngressSettings):
    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")

    async with stage(settings, backend) as s:
        answer = await s.ask(get(method="HEAD"))
    assert b"Content-Length: 42\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_websocket_passes_both_ways(settings: IngressSettings):
    async def socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert b"Upgrade: websocket" in head
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        while data := await reader.read(100):
            writer.write(data.upper())

    async with stage(settings, socket) as s:
        reader, writer = await s.open()
        raw = get(extra="Upgrade: websocket\r\n").replace(
            b"Connection: close", b"Connection: Upgrade"
        )
        writer.write(raw)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"HELLO"
        writer.close()


async def test_tls_and_plain_share_the_port(settings: IngressSettings):
    context = ssl.create_default_context(cafile=str(settings.mesh.folder("tls") / "ca.pem"))
    async with stage(settings, echo_head) as s:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", settings.mesh.port("ingress"), ssl=context, server_hostname="localhost"
        )
        writer.write(get())
        async with asyncio.timeout(20):
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        assert (await s.ask(get())).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_that_is_refused_is_made_to_another_instance(
    settings: IngressSettings, method: str
):
    """Nobody has seen the request yet, so that any may go elsewhere."""
    async with stage(settings, echo_head) as s:
        s.routes.dead = ("127.0.0.2", "127.0.0.3")
        assert (await s.ask(get(method=method))).startswith(b"HTTP/1.1 200 ")


async def test_where_every_instance_refuses_the_caller_hears_so(settings: IngressSettings):
    async with stage(settings, echo_head) as s:
        s.routes.port = 1
        assert (await s.ask(get())).startswith(b"HTTP/1.1 502 ")
