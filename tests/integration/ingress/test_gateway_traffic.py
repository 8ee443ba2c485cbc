"""The gateway between real sockets: what reaches an instance, what reaches the client, what never does."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from snowcave.ingress.gateway import Gateway
from snowcave.ingress.login import Login
from snowcave.ingress.main import serve_gateway
from snowcave.ingress.routes import Route
from snowcave.ingress.settings import Deadlines, IngressSettings
from snowcave.model.errors import LoginFailed, SessionExpired, SessionGone, Unavailable
from snowcave.runtime import tls
from snowcave.runtime.identity import Principal
from tests.kit.daemons import a_mesh

HOST = "abc-local-snowcave.localhost"
OWNER, STRANGER, GRANTEE = 1, 2, 3
ROUTE = Route(7, "ECHO", OWNER, "web", 0, frozenset({"ALL_ENDPOINTS_USAGE"}), 1)

Backend = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Routes:
    """One host, one instance."""

    port: int = 0
    ready: bool = True

    def find(self, host: str) -> Route | None:
        return ROUTE if host.partition(":")[0] == HOST else None

    def instance(self, route: Route) -> tuple[str, int] | None:
        return ("127.0.0.1", self.port) if self.ready else None

    def status(self, route: Route) -> str:
        return "PENDING"


class Access:
    def service_roles(self, roles: frozenset[int], service: int) -> frozenset[str]:
        return frozenset({"ALL_ENDPOINTS_USAGE"} if GRANTEE in roles else set())


class Identity:
    access = Access()

    async def by_token(self, token: str) -> Principal:
        users = {"owner": OWNER, "stranger": STRANGER, "grantee": GRANTEE}
        if token == "old":
            raise SessionExpired
        if token == "dark":
            raise Unavailable("the store does not answer")
        if token not in users:
            raise SessionGone
        return Principal(9, token.upper(), users[token], "R", frozenset({users[token]}))


class Sessions:
    async def login(self, user: str, password: str) -> str:
        if password != "right":
            raise LoginFailed
        return "owner"

    async def logout(self, token: str) -> None: ...


@dataclass
class Stage:
    """A gateway with one instance behind it."""

    settings: IngressSettings
    routes: Routes
    requests: list[bytes] = field(default_factory=list)

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.settings.mesh.port("ingress"))

    async def ask(self, raw: bytes) -> bytes:
        """Everything that comes back until the gateway closes."""
        reader, writer = await self.open()
        try:
            writer.write(raw)
            async with asyncio.timeout(20):
                return await reader.read()
        finally:
            writer.close()


def get(path: str = "/", token: str = "owner", extra: str = "", method: str = "GET") -> bytes:
    credential = f'Authorization: Snowflake Token="{token}"\r\n' if token else ""
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}:8402\r\n{credential}{extra}Connection: close\r\n\r\n"
    ).encode()


async def echo_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its own head as the body."""
    while head := await _head(reader):
        writer.write(b"HTTP/1.1 200 OK\r\nServer: secret\r\nX-Powered-By: secret\r\n")
        writer.write(b"Access-Control-Allow-Origin: *\r\nContent-Length: %d\r\n\r\n" % len(head))
        writer.write(head)
        await writer.drain()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@pytest.fixture
def settings(tmp_path: Path) -> IngressSettings:
    mesh = a_mesh(tmp_path)
    tls.ensure(mesh.folder("tls"))
    return IngressSettings(mesh=mesh)


@asynccontextmanager
async def stage(settings: IngressSettings, backend: Backend) -> AsyncGenerator[Stage]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await backend(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway cut the conversation, which some tests want
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    routes = Routes(port=server.sockets[0].getsockname()[1])
    login = Login(Sessions(), 5.0, random.Random(1))
    gateway = Gateway(settings, routes, Identity(), login)  # type: ignore[arg-type]
    try:
        async with serve_gateway(settings, gateway):
            yield Stage(settings, routes)
    finally:
        server.close()


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
    head = await _head(reader)
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
        await _head(reader)
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
        while await _head(reader):
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
        await _head(reader)
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
        await _head(reader)

    async with stage(settings, closes) as s:
        assert (await s.ask(get())).startswith(b"HTTP/1.1 502 ")


async def test_a_connection_that_went_stale_is_replaced_for_a_repeatable_request(
    settings: IngressSettings,
):
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await _head(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await _head(reader)  # the second request of this connection gets no answer

    async with stage(settings, once) as s:
        assert (await s.ask(get())).endswith(b"ok")
        assert (await s.ask(get())).endswith(b"ok")
    assert served == 2


async def test_executable_answers_are_refused(settings: IngressSettings):
    async def program(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-sh\r\nContent-Length: 2\r\n\r\nrm"
        )

    async with stage(settings, program) as s:
        answer = await s.ask(get())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\n\r\nrm" not in answer


async def test_head_requests_get_no_body_and_keep_the_length(settings: IngressSettings):
    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")

    async with stage(settings, backend) as s:
        answer = await s.ask(get(method="HEAD"))
    assert b"Content-Length: 42\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_websocket_passes_both_ways(settings: IngressSettings):
    async def socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _head(reader)
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
    import ssl

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
